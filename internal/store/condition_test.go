package store_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

// A condition means what comparing values means, for every operator, every kind of
// value in it and every value of a document.
func TestMatcherComparesAsValuesDo(t *testing.T) {
	t.Parallel()
	texts := []string{`null`, `true`, `false`, `0`, `-0`, `-0.0`, `1`, `1.0`, `10e-1`, `1.5`, `-2.5`, `0.1`, `0.30000000000000004`, `1e300`, `1e400`,
		`9007199254740992`, `9007199254740993`, `9007199254740993.0`, `-9007199254740993`, `9223372036854775807`, `-9223372036854775808`, `9223372036854775808`,
		`""`, `"1"`, `"a"`, `"\u0061"`, `"true"`, `"\ud800"`, `"é"`, `[]`, `[1]`, `{}`, `{"a":1}`}
	values := []any{nil, true, false, int64(0), int64(1), int64(-3), int64(9007199254740992), int64(9007199254740993), int64(math.MaxInt64), int64(math.MinInt64),
		0.0, 1.0, 1.5, 0.1, 0.30000000000000004, 1e300, 9007199254740992.0, math.MaxFloat64, "", "1", "a", "true", "é", "\ufffd", "[]"}
	checked := 0
	check := func(c store.Condition, want func(v any) bool) {
		m, ok := c.Matcher()
		if !ok {
			t.Errorf("%+v is no condition", c)
		}
		for _, text := range append(texts, "") {
			doc := value.Raw(`{"b":2,"a":{"x y":` + text + `}}`)
			if text == "" {
				doc = `{"b":2}`
			}
			v := value.Get(doc, value.NewPath("a", "x y"))
			if got := m.Holds(doc); got != want(v) {
				t.Errorf("%s %v %T(%v) is %v", doc, c.Op, c.Value, c.Value, got)
			}
			checked++
		}
	}
	for _, e := range values {
		orders := map[string]func(int) bool{"<": func(n int) bool { return n < 0 }, "<=": func(n int) bool { return n <= 0 }, ">": func(n int) bool { return n > 0 }, ">=": func(n int) bool { return n >= 0 }}
		for op, meant := range orders {
			check(store.Condition{Path: "a.x y", Op: op, Value: e}, func(v any) bool { n, ok := value.Compare(v, e); return ok && meant(n) })
		}
		check(store.Condition{Path: "a.x y", Op: "==", Value: e}, func(v any) bool { return value.Equal(v, e) })
		check(store.Condition{Path: "a.x y", Op: "in", Value: []any{e}}, func(v any) bool { return value.Equal(v, e) })
	}
	for n := range len(values) {
		check(store.Condition{Path: "a.x y", Op: "in", Value: values[:n]}, func(v any) bool {
			return slices.ContainsFunc(values[:n], func(e any) bool { return value.Equal(v, e) })
		})
	}
	if checked < 5000 {
		t.Errorf("only %d comparisons", checked)
	}
}

func TestWhatIsNoCondition(t *testing.T) {
	t.Parallel()
	for _, c := range []store.Condition{
		{Path: "a", Op: "!=", Value: int64(1)}, {Path: "a", Op: "", Value: "x"}, {Path: "a", Op: "in", Value: "x"}, {Path: "a", Op: "in", Value: []any{"x", []any{}}},
		{Path: "a", Op: "==", Value: time.Time{}}, {Path: "a", Op: "<", Value: value.Raw("1")}, {Path: "a", Op: "==", Value: []any{}}, {Path: "a", Op: "==", Value: 1},
	} {
		if _, ok := c.Matcher(); ok {
			t.Errorf("%s", fmt.Sprintf("%+v", c))
		}
	}
}
