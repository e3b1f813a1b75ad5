package value

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/gjson"
)

// Open decodes one level: a Raw object becomes a map, a Raw list a slice, whose
// elements are scalars or Raw again. Everything else is returned as Scalar does.
func Open(v any) any {
	r, ok := v.(Raw)
	if !ok || r == "" {
		return Scalar(v)
	}
	switch r[0] {
	case '{':
		m := map[string]any{}
		eachMember(r, func(k string, e any) bool {
			if _, twice := m[k]; !twice {
				m[k] = e
			}
			return true
		})
		return m
	case '[':
		return elements(r)
	}
	return Scalar(v)
}

// eachMember visits the members of a Raw object in document order, elements as
// exactResult gives them.
func eachMember(r Raw, yield func(key string, elem any) bool) {
	gjson.Parse(string(r)).ForEach(func(k, e gjson.Result) bool { return yield(k.Str, exactResult(e)) })
}

func elements(r Raw) []any {
	list := make([]any, 0, 8)
	gjson.Parse(string(r)).ForEach(func(_, e gjson.Result) bool {
		list = append(list, exactResult(e))
		return true
	})
	return list
}

// Decode decodes all levels into Go values.
func Decode(v any) any {
	switch t := Open(v).(type) {
	case map[string]any:
		m := make(map[string]any, len(t))
		for k, e := range t {
			m[k] = Decode(e)
		}
		return m
	case []any:
		list := make([]any, len(t))
		for i, e := range t {
			list[i] = Decode(e)
		}
		return list
	default:
		return t
	}
}

// Elements returns what a loop visits: the elements of a list, or {key, value}
// for each member of an object, in document order, or sorted for a Go map.
func Elements(v any) ([]any, error) {
	switch t := v.(type) {
	case Raw:
		if t != "" && t[0] == '[' {
			return elements(t), nil
		}
		if t != "" && t[0] == '{' {
			var list []any
			eachMember(t, func(k string, e any) bool {
				list = append(list, map[string]any{"key": k, "value": e})
				return true
			})
			return list, nil
		}
	case []any:
		return t, nil
	case map[string]any:
		list := make([]any, 0, len(t))
		for _, k := range slices.Sorted(maps.Keys(t)) {
			list = append(list, map[string]any{"key": k, "value": t[k]})
		}
		return list, nil
	case []int:
		return boxed(t), nil
	case []string:
		return boxed(t), nil
	case []float64:
		return boxed(t), nil
	case []map[string]any:
		return boxed(t), nil
	}
	return nil, fmt.Errorf("neither a list nor an object: %s", Describe(v))
}

func boxed[T any](list []T) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

// Length is the number of elements of a list or members of an object; 0 for
// anything else.
func Length(v any) int {
	switch t := v.(type) {
	case Raw:
		n := 0
		if t != "" && (t[0] == '[' || t[0] == '{') {
			gjson.Parse(string(t)).ForEach(func(_, _ gjson.Result) bool { n++; return true })
		}
		return n
	case []any:
		return len(t)
	case map[string]any:
		return len(t)
	}
	if list, err := Elements(v); err == nil {
		return len(list)
	}
	return 0
}

// Int returns a value that is a whole number as one.
func Int(v any) (int64, bool) {
	switch t := Scalar(v).(type) {
	case int:
		return int64(t), true
	case int64:
		return t, true
	case float64:
		n := int64(t)
		return n, float64(n) == t && t < 1<<63
	}
	return 0, false
}

// Describe says what kind of value v is, for messages; never what is in it.
func Describe(v any) string {
	switch t := Scalar(v).(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "a text"
	case Raw:
		if t[0] == '[' {
			return "a list"
		}
		return "an object"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case Stream:
		return "a stream"
	case []byte:
		return "binary data"
	case int, int64, float64, json.Number:
		return "a number"
	case time.Time:
		return "a time"
	case time.Duration:
		return "a duration"
	default:
		return fmt.Sprintf("a %T", t)
	}
}
