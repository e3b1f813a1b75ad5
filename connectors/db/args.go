package db

import (
	"time"

	"pipelined"
	"pipelined/internal/value"
)

func argsProblem(format string, args ...any) *pipelined.Problem {
	return pipelined.Problemf("db/args", "The arguments do not fit the statement", 500, format, args...)
}

// bind puts arguments in the order of a statement's placeholders. A map may have
// more than the statement names: an item of a batch, or a whole input.
func (k *client) bind(s *prepared, args any) ([]any, error) {
	var list []any
	switch {
	case s.style == none && value.Length(args) == 0:
		return nil, nil
	case s.style == none:
		return nil, argsProblem("there are args, and the statement has no placeholders: write :name in it")
	case s.style == named:
		m, ok := value.Open(args).(map[string]any)
		if !ok {
			return nil, argsProblem("the statement has :name placeholders, so args must be a map, not %s", value.Describe(args))
		}
		for _, p := range s.places {
			v, given := m[p.name]
			if !given {
				return nil, argsProblem("args has no %s", p.name)
			}
			list = append(list, v)
		}
	default:
		given, ok := value.Open(args).([]any)
		if !ok {
			return nil, argsProblem("the statement has ? or $1 placeholders, so args must be a list, not %s", value.Describe(args))
		}
		wanted := 0
		for _, p := range s.places {
			wanted = max(wanted, p.index+1)
		}
		if len(given) != wanted {
			return nil, argsProblem("the statement has %d placeholders, and args has %d elements", wanted, len(given))
		}
		for _, p := range s.places {
			list = append(list, given[p.index])
		}
	}
	for i, v := range list {
		var err error
		if list[i], err = k.argument(v); err != nil {
			return nil, err
		}
	}
	return list, nil
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
