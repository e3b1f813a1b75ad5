package value

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Path is where a value is inside another, compiled once.
type Path struct{ segments []segment }

type segment struct {
	name string
	// rest is the GJSON path from this segment on, escaped so that no key is taken
	// for a wildcard or a modifier; empty where GJSON cannot say it.
	rest string
}

// NewPath compiles a path of member names and, for lists, decimal indexes.
func NewPath(segments ...string) Path {
	if len(segments) == 0 {
		return Path{}
	}
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = gjson.Escape(s)
	}
	whole, list := strings.Join(escaped, "."), make([]segment, len(segments))
	for i, at := 0, 0; i < len(segments); i++ {
		list[i].name = segments[i]
		if !slices.Contains(segments[i:], "") { // GJSON has no path for an empty key
			list[i].rest = whole[at:]
		}
		at += len(escaped[i]) + 1
	}
	return Path{list}
}

// Len is how many segments the path has.
func (p Path) Len() int { return len(p.segments) }

// Get returns what is at p inside v; nil if there is nothing. Scalars come as Go
// values (integers that fit as int, other numbers as float64), objects and lists
// of documents as Raw that shares v's bytes.
func Get(v any, p Path) any { return p.in(v, resultScalar, Scalar) }

// Exact is Get, but a number whose text a Go value would not give back (1.10, or
// one that is too large) stays Raw, so that it leaves as it came (I9).
func Exact(v any, p Path) any { return p.in(v, exactResult, exactly) }

func exactly(v any) any {
	if r, ok := v.(Raw); ok {
		return exactRaw(r)
	}
	return v
}

// in follows the path: through Go values by hand, and from the first document on
// with GJSON.
func (p Path) in(v any, found func(gjson.Result) any, last func(any) any) any {
	for i := range p.segments {
		s := &p.segments[i]
		switch t := v.(type) {
		case nil:
			return nil
		case Raw:
			// GJSON takes a decimal key for an index in a list and for a name in an
			// object, which is what paths mean here.
			if s.rest == "" {
				v = into(t, s.name)
				continue
			}
			if r := gjson.Get(string(t), s.rest); r.Exists() {
				return found(r)
			}
			return nil
		case map[string]any:
			v = t[s.name]
		case []any:
			v = index(t, s.name)
		case map[string]string:
			e, ok := t[s.name]
			if !ok {
				return nil
			}
			v = e
		default:
			return nil
		}
	}
	return last(v)
}

// into is one step for which GJSON has no path.
func into(r Raw, key string) any {
	switch t := Open(r).(type) {
	case map[string]any:
		return t[key]
	case []any:
		return index(t, key)
	}
	return nil
}

func index(list []any, key string) any {
	n, err := strconv.Atoi(key)
	if err != nil || n < 0 || n >= len(list) {
		return nil
	}
	return list[n]
}

func resultScalar(r gjson.Result) any {
	if r.Type == gjson.Number {
		return number(r.Raw)
	}
	return exactResult(r)
}

func exactResult(res gjson.Result) any {
	switch res.Type {
	case gjson.Null:
		return nil
	case gjson.False:
		return false
	case gjson.True:
		return true
	case gjson.String:
		return res.Str
	case gjson.Number:
		return exactNumber(res.Raw)
	default:
		return Raw(res.Raw)
	}
}

func exactRaw(r Raw) any {
	if r == "" {
		return nil
	}
	switch r[0] {
	case '{', '[':
		return r
	case '"':
		return gjson.Parse(string(r)).Str
	case 't':
		return true
	case 'f':
		return false
	case 'n':
		return nil
	}
	return exactNumber(string(r))
}

// Scalar turns a Raw scalar into its Go value, numbers included whatever their
// text; everything else, objects and lists too, is returned as it is.
func Scalar(v any) any {
	r, ok := v.(Raw)
	if !ok {
		return v
	}
	if r == "" {
		return nil
	}
	switch r[0] {
	case '{', '[':
		return r
	case '"', 't', 'f', 'n':
		return exactRaw(r)
	}
	return number(string(r))
}

// Query reads a value with GJSON's own path language, for the function `path`.
func Query(v any, path string) any {
	r, err := JSON(v)
	if err != nil {
		return nil
	}
	res := gjson.Get(string(r), path)
	if !res.Exists() {
		return nil
	}
	return exactResult(res)
}
