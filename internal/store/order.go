package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"strconv"

	"pipelined/internal/value"
)

// CompareValues orders values of any kinds, as Query.OrderBy says: null, numbers with false as 0 and true as
// 1, texts with lists and objects as their JSON.
func CompareValues(a, b any) int {
	x, y := sortable(a), sortable(b)
	if c := cmp.Compare(kind(x), kind(y)); c != 0 {
		return c
	}
	c, _ := value.Compare(x, y) // of the same kind; two nulls are equal
	return c
}

// kind is the place of what is sortable among its kinds.
func kind(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case string:
		return 2
	}
	return 1
}

// sortable is null, a number or a text.
func sortable(v any) any {
	switch t := v.(type) {
	case bool:
		if t {
			return 1
		}
		return 0
	case json.Number: // a whole number of many digits
		f, _ := strconv.ParseFloat(string(t), 64)
		if math.IsInf(f, 0) {
			return math.Copysign(math.MaxFloat64, f)
		}
		return f
	case value.Raw:
		if t != "" && (t[0] == '{' || t[0] == '[') {
			var out bytes.Buffer
			if err := json.Compact(&out, []byte(t)); err != nil {
				return string(t)
			}
			return out.String()
		}
		return sortable(value.Scalar(t))
	}
	return v
}
