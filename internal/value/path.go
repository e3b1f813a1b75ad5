package value

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Path is where a value is inside another, compiled once.
type Path struct {
	segments []string
	// rest[i] is the GJSON path of the segments from i on, escaped so that no key
	// is taken for a wildcard or a modifier.
	rest []string
}

// NewPath compiles a path of member names and, for lists, decimal indexes.
func NewPath(segments ...string) Path {
	p := Path{segments: segments, rest: make([]string, len(segments))}
	for i := range segments {
		escaped := make([]string, 0, len(segments)-i)
		for _, s := range segments[i:] {
			escaped = append(escaped, gjson.Escape(s))
		}
		p.rest[i] = strings.Join(escaped, ".")
	}
	return p
}

// Len is how many segments the path has.
func (p Path) Len() int { return len(p.segments) }

// Get returns what is at p inside v; nil if there is nothing. Scalars come as Go
// values (integers that fit as int, other numbers as float64), objects and lists
// of documents as Raw that shares v's bytes.
func Get(v any, p Path) any { return Scalar(Exact(v, p)) }

// Exact is Get, but a number whose text a Go value would not give back (1.10, or
// one that is too large) stays Raw, so that it leaves as it came (I9).
func Exact(v any, p Path) any {
	for i, s := range p.segments {
		switch t := v.(type) {
		case nil:
			return nil
		case Raw:
			return lookup(t, p, i)
		case map[string]any:
			v = t[s]
		case []any:
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || n >= len(t) {
				return nil
			}
			v = t[n]
		case map[string]string:
			e, ok := t[s]
			if !ok {
				return nil
			}
			v = e
		default:
			return nil
		}
	}
	if r, ok := v.(Raw); ok {
		return exactRaw(r)
	}
	return v
}

// lookup reads the rest of a path from a document. One level is read without
// GJSON's path syntax, since a lone key is by far the most common.
func lookup(r Raw, p Path, i int) any {
	// gjson reads a document that is a list with a numeric key as an index, and an
	// object with the same text as a member, which is what paths mean here.
	res := gjson.Get(string(r), p.rest[i])
	if !res.Exists() {
		return nil
	}
	return exactResult(res)
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

// exactNumber returns the Go number a text stands for, or Raw where writing that
// number would give another text.
func exactNumber(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		if text[0] == '-' && n == 0 {
			return Raw(text)
		}
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Raw(text)
	}
	var buf [32]byte
	if b, err := appendFloat(buf[:0], f); err == nil && string(b) == text {
		return f
	}
	return Raw(text)
}

// number is the Go number of a text, exact or not.
func number(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return json.Number(text) // beyond float64: arithmetic on it is a type error, not a wrong result
	}
	return f
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
