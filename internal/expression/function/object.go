package function

import (
	"errors"
	"fmt"
	"maps"

	"pipelined/internal/value"
)

func mergeObjects(args ...any) (any, error) {
	out := map[string]any{}
	for i := range args {
		m, err := objectArg(args, i)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, m)
	}
	return out, nil
}

func pick(keep bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		m, err1 := objectArg(args, 0)
		names, err2 := elementsArg(args, 1)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		wanted := map[string]bool{}
		for _, n := range names {
			if s, ok := n.(string); ok {
				wanted[s] = true
			}
		}
		out := map[string]any{}
		for k, v := range m {
			if wanted[k] == keep {
				out[k] = v
			}
		}
		return out, nil
	}
}

// ofMembers makes a list of an object's members, in document order, or sorted where
// there is none.
func ofMembers(pick func(name string, v any) any) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		list, err := value.Elements(args[0])
		if err != nil || value.Describe(args[0]) != "an object" {
			return nil, fmt.Errorf("argument 1 is %s, not an object", value.Describe(args[0]))
		}
		out := make([]any, len(list))
		for i, e := range list {
			m := e.(map[string]any)
			out[i] = pick(m["key"].(string), m["value"])
		}
		return out, nil
	}
}

func fromPairs(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(list))
	for _, e := range list {
		pair, ok := value.Open(e).([]any)
		if !ok || len(pair) != 2 {
			return nil, errors.New("each element must be a pair, [name, value]")
		}
		name, err := value.Text(pair[0])
		if err != nil {
			return nil, err
		}
		out[name] = pair[1]
	}
	return out, nil
}

// At looks a computed key up: a name in an object, an index in a list, where a
// negative one counts from the end. Null has nothing in it.
func At(v, key any) (any, error) {
	switch t := value.Open(v).(type) {
	case nil:
		return nil, nil
	case map[string]any:
		name, ok := value.Scalar(key).(string)
		if !ok {
			return nil, fmt.Errorf("an object is looked into by name, not by %s", value.Describe(key))
		}
		return t[name], nil
	case string:
		return nil, fmt.Errorf("a text cannot be looked into: substring(…) takes a part of it")
	default:
		list, err := value.Elements(t)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be looked into", value.Describe(t))
		}
		n, ok := value.Int(key)
		if !ok {
			return nil, fmt.Errorf("a list is looked into by number, not by %s", value.Describe(key))
		}
		if n < 0 {
			n += int64(len(list))
		}
		if n < 0 || n >= int64(len(list)) {
			return nil, nil
		}
		return list[n], nil
	}
}
