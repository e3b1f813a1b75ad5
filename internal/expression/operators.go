package expression

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/expr-lang/expr/vm/runtime"

	"pipelined/internal/value"
)

var boolFunction = []reflect.Type{reflect.TypeFor[func(any, any) bool]()}

var (
	errZero     = errors.New("division by zero")
	errOverflow = errors.New("the whole number is too large")
)

// operands checks that both sides are there; the operators of expr would say the
// same of a null in harder words.
func operands(op string, a, b any) error {
	if a == nil || b == nil {
		return fmt.Errorf("one side of %s is null", op)
	}
	return nil
}

func addition(args ...any) (any, error) {
	switch x := args[0].(type) {
	case int:
		switch y := args[1].(type) {
		case int:
			z := x + y
			if (z > x) != (y > 0) && y != 0 {
				return nil, errOverflow
			}
			return z, nil
		case float64:
			return finite(float64(x) + y)
		}
	case float64:
		switch y := args[1].(type) {
		case int:
			return finite(x + float64(y))
		case float64:
			return finite(x + y)
		}
	case string:
		if y, ok := args[1].(string); ok {
			return x + y, nil
		}
		if args[1] != nil {
			return nil, fmt.Errorf("a text + %s: write string(…) around what is not a text", value.Describe(args[1]))
		}
	}
	if err := operands("+", args[0], args[1]); err != nil {
		return nil, err
	}
	return guarded(func() any { return runtime.Add(args[0], args[1]) })
}

func subtraction(args ...any) (any, error) {
	switch x := args[0].(type) {
	case int:
		switch y := args[1].(type) {
		case int:
			z := x - y
			if (z < x) != (y > 0) && y != 0 {
				return nil, errOverflow
			}
			return z, nil
		case float64:
			return finite(float64(x) - y)
		}
	case float64:
		switch y := args[1].(type) {
		case int:
			return finite(x - float64(y))
		case float64:
			return finite(x - y)
		}
	case time.Time:
		if y, ok := args[1].(time.Time); ok {
			return x.Sub(y), nil
		}
	}
	if err := operands("-", args[0], args[1]); err != nil {
		return nil, err
	}
	return guarded(func() any { return runtime.Subtract(args[0], args[1]) })
}

func multiplication(args ...any) (any, error) {
	switch x := args[0].(type) {
	case int:
		switch y := args[1].(type) {
		case int:
			z := x * y
			if x != 0 && (z/x != y || (x == -1 && y == math.MinInt)) {
				return nil, errOverflow
			}
			return z, nil
		case float64:
			return finite(float64(x) * y)
		}
	case float64:
		switch y := args[1].(type) {
		case int:
			return finite(x * float64(y))
		case float64:
			return finite(x * y)
		}
	}
	if err := operands("*", args[0], args[1]); err != nil {
		return nil, err
	}
	return guarded(func() any { return runtime.Multiply(args[0], args[1]) })
}

func division(args ...any) (any, error) {
	if err := operands("/", args[0], args[1]); err != nil {
		return nil, err
	}
	x, xok := float(args[0])
	y, yok := float(args[1])
	if !xok || !yok {
		return nil, fmt.Errorf("/ needs two numbers, not %s and %s", value.Describe(args[0]), value.Describe(args[1]))
	}
	if y == 0 {
		return nil, errZero
	}
	return finite(x / y)
}

func modulo(args ...any) (any, error) {
	if err := operands("%", args[0], args[1]); err != nil {
		return nil, err
	}
	x, xok := value.Int(args[0])
	y, yok := value.Int(args[1])
	if !xok || !yok {
		return nil, fmt.Errorf("%% needs two whole numbers, not %s and %s", value.Describe(args[0]), value.Describe(args[1]))
	}
	if y == 0 {
		return nil, errZero
	}
	return int(x % y), nil
}

func float(v any) (float64, bool) {
	switch t := v.(type) {
	case int:
		return float64(t), true
	case int64:
		return float64(t), true
	case float64:
		return t, true
	}
	return 0, false
}

func finite(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("the result is not a finite number")
	}
	return f, nil
}

// guarded turns a panic of expr's runtime, which is how it reports wrong types,
// into an error.
func guarded(f func() any) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return f(), nil
}

// at looks a computed key up: a name in an object, an index in a list, where a
// negative one counts from the end.
func at(args ...any) (any, error) {
	base, key, m := value.Open(args[0]), args[1], mode(args[2].(int))
	var v any
	switch t := base.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("an object is looked into by name, not by %s", value.Describe(key))
		}
		v = t[name]
	case string:
		return guarded(func() any { return runtime.Fetch(t, key) })
	default:
		list, err := value.Elements(base)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be looked into", value.Describe(base))
		}
		n, ok := value.Int(key)
		if !ok {
			return nil, fmt.Errorf("a list is looked into by number, not by %s", value.Describe(key))
		}
		if n < 0 {
			n += int64(len(list))
		}
		if n >= 0 && n < int64(len(list)) {
			v = list[n]
		}
	}
	if m == output {
		return v, nil
	}
	return value.Open(v), nil
}

// scalars opens the elements of a list, for what computes on them.
func scalars(args ...any) (any, error) {
	list, ok := args[0].([]any)
	if !ok {
		return args[0], nil
	}
	for i, e := range list {
		if _, raw := e.(value.Raw); !raw {
			continue
		}
		out := append([]any(nil), list...)
		for ; i < len(out); i++ {
			out[i] = value.Scalar(out[i])
		}
		return out, nil
	}
	return list, nil
}

// object turns the maps expr makes, with keys of any kind, into objects.
func object(args ...any) (any, error) {
	v := reflect.ValueOf(args[0])
	if v.Kind() != reflect.Map {
		return args[0], nil
	}
	out := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		name, err := value.Text(it.Key().Interface())
		if err != nil {
			return nil, err
		}
		out[name] = it.Value().Interface()
	}
	return out, nil
}

// ofMembers makes a list of an object's members, in document order, or sorted where
// there is none.
func ofMembers(pick func(name string, v any) any) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		list, err := value.Elements(args[0])
		if err != nil || value.Describe(args[0]) != "an object" {
			return nil, fmt.Errorf("an object is needed, not %s", value.Describe(args[0]))
		}
		out := make([]any, len(list))
		for i, e := range list {
			m := e.(map[string]any)
			out[i] = pick(m["key"].(string), m["value"])
		}
		return out, nil
	}
}

// contains is `in`: an element of a list, a name in an object.
func contains(args ...any) (any, error) {
	switch t := args[1].(type) {
	case nil:
		return false, nil
	case map[string]any:
		name, ok := args[0].(string)
		if !ok {
			return false, nil
		}
		_, found := t[name]
		return found, nil
	}
	list, err := value.Elements(args[1])
	if err != nil {
		return nil, fmt.Errorf("in needs a list or an object, not %s", value.Describe(args[1]))
	}
	for _, e := range list {
		if value.Equal(args[0], e) {
			return true, nil
		}
	}
	return false, nil
}
