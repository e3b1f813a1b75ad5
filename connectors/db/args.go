package db

import (
	"time"

	"pipelined"
	"pipelined/internal/value"
)

func argsProblem(format string, args ...any) *pipelined.Problem {
	return pipelined.Problemf("db/args", "The arguments do not fit the statement", 500, format, args...)
}

// bind puts arguments in the order of a statement's placeholders. Names may be
// more than the statement has: an item of a batch, or a whole input.
func (k *client) bind(s *prepared, args map[string]any, values []any) ([]any, error) {
	switch {
	case s.broken != nil:
		return nil, argsProblem("%v", s.broken)
	case s.style == named && values != nil:
		return nil, argsProblem("the statement has :name placeholders, which take a map of args")
	case s.style != named && args != nil:
		return nil, argsProblem("the statement has no :name placeholders for args; ? and $1 take a list of values")
	}
	wanted := 0
	for _, p := range s.places {
		wanted = max(wanted, p.index+1)
	}
	if s.style != named && len(values) != wanted {
		return nil, argsProblem("the statement has %d placeholders, and there are %d values", wanted, len(values))
	}
	list := make([]any, len(s.places))
	for i, p := range s.places {
		var v any
		if s.style == named {
			var given bool
			if v, given = args[p.name]; !given {
				return nil, argsProblem("there is no argument %s", p.name)
			}
		} else {
			v = values[p.index]
		}
		var err error
		if list[i], err = k.argument(v); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// bindItem takes an item of a batch: a map for :name, a list for ? and $1.
func (k *client) bindItem(s *prepared, item any) ([]any, error) {
	switch t := value.Open(item).(type) {
	case map[string]any:
		return k.bind(s, t, nil)
	case []any:
		return k.bind(s, nil, t)
	}
	return nil, argsProblem("an item must be a map or a list, not %s", value.Describe(item))
}

// argument turns a value into what the drivers take. Objects and lists travel as
// JSON text, lists to PostgreSQL also as arrays. A number that is neither a 64-bit integer nor exact as a float
// travels as its own text, which databases read exactly.
func (k *client) argument(v any) (any, error) {
	if r, isRaw := v.(value.Raw); isRaw && k.dialect != sqliteDialect {
		if _, isFloat := value.Scalar(r).(float64); isFloat {
			return string(r), nil
		}
	}
	if k.dialect == postgres {
		if list, ok := value.Open(v).([]any); ok {
			return k.newArray(list)
		}
	}
	switch t := value.Scalar(v).(type) {
	case value.Raw, map[string]any, []any:
		raw, err := value.JSON(t)
		if err != nil {
			return nil, argsProblem("%v", err)
		}
		return string(raw), nil
	case nil, bool, int64, float64, string, []byte:
		return t, nil
	case time.Time:
		if k.dialect == sqliteDialect {
			return value.FormatTime(t), nil // sorts as time does; the driver's own form does not
		}
		return t, nil
	case int:
		return int64(t), nil
	case time.Duration:
		return t.String(), nil
	case value.Stream:
		return nil, argsProblem("a stream cannot be an argument; db.batch takes one as items")
	default:
		text, err := value.Text(t)
		if err != nil {
			return nil, argsProblem("%v", err)
		}
		return text, nil
	}
}
