package function

import (
	"fmt"
	"strings"
	"time"

	"pipelined/internal/value"
)

func is(kind string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) { return value.Describe(args[0]) == kind, nil }
}

func toBool(args ...any) (any, error) {
	switch t := value.Scalar(args[0]).(type) {
	case bool:
		return t, nil
	case string:
		return strings.EqualFold(t, "true"), nil
	}
	return false, nil
}

func xor(args ...any) (any, error) {
	odd := false
	for i, a := range args {
		b, ok := a.(bool)
		if !ok {
			return nil, fmt.Errorf("argument %d is %s, not true or false", i+1, value.Describe(a))
		}
		odd = odd != b
	}
	return odd, nil
}

func typeName(args ...any) (any, error) {
	switch v := value.Scalar(args[0]).(type) {
	case int, int64:
		return "int", nil
	case time.Time:
		return "time", nil
	case time.Duration:
		return "duration", nil
	case []byte:
		return "binary", nil
	default:
		name, ok := map[string]string{"null": "nil", "true or false": "bool", "a number": "float", "a text": "string", "a list": "array", "an object": "map"}[value.Describe(v)]
		if !ok {
			return nil, fmt.Errorf("%s has no type", value.Describe(v))
		}
		return name, nil
	}
}
