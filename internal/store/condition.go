package store

import (
	"slices"
	"strings"

	"pipelined/internal/value"
)

// Matcher is a Condition prepared for many documents.
type Matcher struct {
	op     string
	path   value.Path
	value  any // as documents give it
	values []any
}

// Matcher prepares c. ok is false for what is no Condition: an operator or a value
// that has no meaning here.
func (c Condition) Matcher() (m Matcher, ok bool) {
	m = Matcher{op: c.Op, path: value.NewPath(strings.Split(c.Path, ".")...)}
	switch c.Op {
	case "==", "<", "<=", ">", ">=":
		m.value, ok = native(c.Value)
		return m, ok
	case "in":
		list, isList := c.Value.([]any)
		if !isList {
			return m, false
		}
		m.values = make([]any, len(list))
		for i, v := range list {
			if m.values[i], ok = native(v); !ok {
				return m, false
			}
		}
		return m, true
	}
	return m, false
}

// native is a value of a Condition as documents give it: whole numbers are int.
func native(v any) (any, bool) {
	switch t := v.(type) {
	case int64:
		if n := int(t); int64(n) == t {
			return n, true
		}
		return t, true
	case nil, bool, float64, string:
		return t, true
	}
	return nil, false
}

// Holds tells whether the condition holds for a document.
func (m *Matcher) Holds(doc value.Raw) bool {
	v := value.Get(doc, m.path)
	switch m.op {
	case "==":
		return equal(v, m.value)
	case "in":
		return slices.ContainsFunc(m.values, func(e any) bool { return equal(v, e) })
	}
	order, ok := value.Compare(v, m.value)
	switch m.op {
	case "<":
		return ok && order < 0
	case "<=":
		return ok && order <= 0
	case ">":
		return ok && order > 0
	}
	return ok && order >= 0
}

// equal is value.Equal, faster for what most comparisons are about.
func equal(v, e any) bool {
	if s, ok := v.(string); ok {
		t, ok := e.(string)
		return ok && s == t
	}
	return value.Equal(v, e)
}
