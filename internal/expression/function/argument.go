package function

import (
	"fmt"
	"time"

	"pipelined/internal/value"
)

func text1(f func(string) string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		s, err := textArg(args, 0)
		return f(s), err
	}
}

func text2(f func(s, x string) any) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		s, err := texts(args, 2)
		if err != nil {
			return nil, err
		}
		return f(s[0], s[1]), nil
	}
}

func textArg(args []any, i int) (string, error) {
	if i >= len(args) {
		return "", nil
	}
	s, ok := args[i].(string)
	if !ok {
		return "", fmt.Errorf("argument %d is %s, not a text; write string(…) around it", i+1, value.Describe(args[i]))
	}
	return s, nil
}

func intArg(args []any, i int) (int, error) {
	n, ok := value.Int(args[i])
	if !ok {
		return 0, fmt.Errorf("argument %d is %s, not a whole number", i+1, value.Describe(args[i]))
	}
	return int(n), nil
}

func texts(args []any, n int) ([]string, error) {
	out := make([]string, n)
	for i := range n {
		var err error
		if out[i], err = textArg(args, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func numberArg(args []any, i int) (float64, error) {
	f, ok := float(args[i])
	if !ok {
		return 0, fmt.Errorf("argument %d is %s, not a number", i+1, value.Describe(args[i]))
	}
	return f, nil
}

func number1(f func(float64) float64) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		n, err := numberArg(args, 0)
		if err != nil {
			return nil, err
		}
		return whole(f(n))
	}
}

func finiteOr(f float64, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return Finite(f)
}

func elementsArg(args []any, i int) ([]any, error) {
	if args[i] == nil {
		return nil, nil
	}
	list, ok := value.Open(args[i]).([]any)
	if !ok {
		return nil, fmt.Errorf("argument %d is %s, not a list", i+1, value.Describe(args[i]))
	}
	return list, nil
}

func objectArg(args []any, i int) (map[string]any, error) {
	if args[i] == nil {
		return nil, nil
	}
	m, ok := value.Open(args[i]).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("argument %d is %s, not an object", i+1, value.Describe(args[i]))
	}
	return m, nil
}

func timeArg(args []any, i int) (time.Time, error) {
	switch t := args[i].(type) {
	case time.Time:
		return t, nil
	case string:
		for _, layout := range []string{time.RFC3339Nano, time.DateTime, time.DateOnly} {
			if parsed, err := time.Parse(layout, t); err == nil {
				return parsed, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("argument %d is %s, not a time; date(…) or parseDate(…) reads one from text", i+1, value.Describe(args[i]))
}

func zoneArg(args []any, i int) (*time.Location, error) {
	if i >= len(args) || args[i] == nil {
		return time.UTC, nil
	}
	s, err := textArg(args, i)
	if err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q; they are named like Europe/Berlin", s)
	}
	return loc, nil
}
