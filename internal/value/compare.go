package value

import (
	"cmp"
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

// Equal compares deeply: 1 equals 1.0, large integers exactly, objects whatever
// the order of their members.
func Equal(a, b any) bool {
	a, b = Open(a), Open(b)
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, e := range x {
			f, ok := y[k]
			if !ok || !Equal(e, f) {
				return false
			}
		}
		return true
	case []any:
		y, ok := listOf(b)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case nil:
		return b == nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	}
	if list, ok := listOf(a); ok {
		return Equal(list, b)
	}
	c, ok := Compare(a, b)
	return ok && c == 0
}

func listOf(v any) ([]any, bool) {
	switch t := v.(type) {
	case []any:
		return t, true
	case []int, []string, []float64, []map[string]any:
		list, err := Elements(t)
		return list, err == nil
	}
	return nil, false
}

// Compare orders two numbers, two texts or two times; ok is false for anything
// else.
func Compare(a, b any) (order int, ok bool) {
	a, b = Scalar(a), Scalar(b)
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	case time.Duration:
		y, ok := b.(time.Duration)
		return cmp.Compare(x, y), ok
	case int:
		if y, ok := b.(int); ok {
			return cmp.Compare(x, y), true
		}
		if y, ok := b.(float64); ok && isExact(x) {
			return cmp.Compare(float64(x), y), true
		}
	case float64:
		if y, ok := b.(float64); ok {
			return cmp.Compare(x, y), true
		}
		if y, ok := b.(int); ok && isExact(y) {
			return cmp.Compare(x, float64(y)), true
		}
	}
	if !isNumber(a) || !isNumber(b) {
		return 0, false
	}
	if a == b { // also the same text of a number that is too large to be worked out
		return 0, true
	}
	x, xok := rational(a)
	y, yok := rational(b)
	if !xok || !yok {
		return 0, false
	}
	return x.Cmp(y), true
}

// isExact reports whether a whole number is a float64 too, and its neighbours are.
func isExact(n int) bool { return n > -1<<53 && n < 1<<53 }

func isNumber(v any) bool {
	switch v.(type) {
	case int, int64, int32, uint64, float64, json.Number:
		return true
	}
	return false
}

// rational is the exact number of any kind of Go number.
func rational(v any) (*big.Rat, bool) {
	r := new(big.Rat)
	switch t := v.(type) {
	case int:
		return r.SetInt64(int64(t)), true
	case int64:
		return r.SetInt64(t), true
	case int32:
		return r.SetInt64(int64(t)), true
	case uint64:
		return r.SetUint64(t), true
	case float64:
		// The decimal it is written as, not the nearest binary fraction: what is
		// equal to its text must be equal to it.
		var buf [32]byte
		text, err := appendFloat(buf[:0], t)
		if err != nil {
			return nil, false
		}
		return r.SetString(string(text))
	case json.Number:
		// 1e999999999 must not become a number of a billion digits.
		if i := strings.IndexAny(string(t), "eE"); len(t) > MaxNumber || i >= 0 && len(t)-i > len("e+9999") {
			return nil, false
		}
		return r.SetString(string(t))
	}
	return nil, false
}
