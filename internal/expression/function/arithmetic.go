package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"pipelined/internal/value"
)

// MaxText bounds one text or list that a function makes, in bytes.
const MaxText = 10 << 20

var (
	errZero = errors.New("division by zero")
	// ErrOverflow: a whole number does not fit 64 bits.
	ErrOverflow = errors.New("the whole number is too large")
	errInfinite = errors.New("the result is not a finite number")
)

// Operators are + - * / % ** and ^ of two values, neither of them null. They must not overflow, divide by zero or give what JSON cannot say.
var Operators = map[string]func(a, b any) (any, error){
	"+": Add, "-": Subtract, "*": multiply, "/": divide, "%": modulo, "**": power, "^": power,
}

// Add is a + b of two numbers, two texts, or with times and durations.
func Add(a, b any) (any, error) {
	switch x := a.(type) {
	case int:
		switch y := b.(type) {
		case int:
			if z := x + y; (z > x) == (y > 0) {
				return z, nil
			}
			return nil, ErrOverflow
		case float64:
			return Finite(float64(x) + y)
		}
	case float64:
		switch y := b.(type) {
		case int:
			return Finite(x + float64(y))
		case float64:
			return Finite(x + y)
		}
	case string:
		if y, ok := b.(string); ok {
			return join2(x, y)
		}
		return nil, fmt.Errorf("a text + %s: write string(…) around what is not a text", value.Describe(b))
	case time.Time:
		if y, ok := b.(time.Duration); ok {
			return x.Add(y), nil
		}
	case time.Duration:
		switch y := b.(type) {
		case time.Duration:
			return x + y, nil
		case time.Time:
			return y.Add(x), nil
		}
	}
	return again("+", Add, a, b)
}

func join2(x, y string) (any, error) {
	if len(x)+len(y) > MaxText {
		return nil, errTooMuch
	}
	return x + y, nil
}

// Subtract is a - b of two numbers, or with times and durations.
func Subtract(a, b any) (any, error) {
	switch x := a.(type) {
	case int:
		switch y := b.(type) {
		case int:
			if z := x - y; (z < x) == (y > 0) {
				return z, nil
			}
			return nil, ErrOverflow
		case float64:
			return Finite(float64(x) - y)
		}
	case float64:
		switch y := b.(type) {
		case int:
			return Finite(x - float64(y))
		case float64:
			return Finite(x - y)
		}
	case time.Time:
		switch y := b.(type) {
		case time.Time:
			return x.Sub(y), nil
		case time.Duration:
			return x.Add(-y), nil
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return x - y, nil
		}
	}
	return again("-", Subtract, a, b)
}

func multiply(a, b any) (any, error) {
	switch x := a.(type) {
	case int:
		switch y := b.(type) {
		case int:
			z := x * y
			if x != 0 && (z/x != y || x == -1 && y == math.MinInt) {
				return nil, ErrOverflow
			}
			return z, nil
		case float64:
			return Finite(float64(x) * y)
		case time.Duration:
			return time.Duration(x) * y, nil
		}
	case float64:
		switch y := b.(type) {
		case int:
			return Finite(x * float64(y))
		case float64:
			return Finite(x * y)
		}
	case time.Duration:
		if y, ok := b.(int); ok {
			return x * time.Duration(y), nil
		}
	}
	return again("*", multiply, a, b)
}

func divide(a, b any) (any, error) {
	x, xok := float(a)
	y, yok := float(b)
	if !xok || !yok {
		return nil, twoNumbers("/", a, b)
	}
	if y == 0 {
		return nil, errZero
	}
	return Finite(x / y)
}

func modulo(a, b any) (any, error) {
	x, xok := value.Int(a)
	y, yok := value.Int(b)
	if !xok || !yok {
		return nil, fmt.Errorf("%% needs two whole numbers, not %s and %s", value.Describe(a), value.Describe(b))
	}
	if y == 0 {
		return nil, errZero
	}
	if y == -1 { // the smallest whole number has no counterpart
		return 0, nil
	}
	return int(x % y), nil
}

func power(a, b any) (any, error) {
	x, xok := float(a)
	y, yok := float(b)
	if !xok || !yok {
		return nil, twoNumbers("**", a, b)
	}
	return whole(math.Pow(x, y))
}

// again computes once more where an operand is a number in another form, such as
// the text of one in a document.
func again(op string, compute func(a, b any) (any, error), a, b any) (any, error) {
	x, xchanged := Plain(a)
	y, ychanged := Plain(b)
	if xchanged || ychanged {
		return compute(x, y)
	}
	return nil, twoNumbers(op, a, b)
}

// Plain is a number as an int or a float64; changed is false if it was one, or is
// no number.
func Plain(v any) (n any, changed bool) {
	switch t := v.(type) {
	case value.Raw:
		s := value.Scalar(t)
		_, still := s.(value.Raw)
		return s, !still
	case int64:
		return int(t), true
	case int32:
		return int(t), true
	case uint64:
		if t <= math.MaxInt {
			return int(t), true
		}
		return float64(t), true
	case float32:
		return float64(t), true
	case json.Number:
		return v, false
	}
	return v, false
}

func twoNumbers(op string, a, b any) error {
	for _, v := range []any{a, b} {
		if _, ok := v.(json.Number); ok {
			return ErrOverflow
		}
	}
	return fmt.Errorf("%s needs two numbers, not %s and %s", op, value.Describe(a), value.Describe(b))
}

func float(v any) (float64, bool) {
	switch t := v.(type) {
	case int:
		return float64(t), true
	case float64:
		return t, true
	}
	p, changed := Plain(v)
	if !changed {
		return 0, false
	}
	return float(p)
}

// Finite is f, unless JSON cannot say it.
func Finite(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errInfinite
	}
	return f, nil
}

// whole gives a whole result as an integer.
func whole(f float64) (any, error) {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int(f), nil
	}
	return Finite(f)
}
