package objectstore

import (
	"strings"

	"pipelined/internal/expression"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// where is a condition on its way through many documents. The comparisons that the
// whole condition depends on are made first, in the store for what is stored and
// here for every document, so that a document is left out for the same reasons
// wherever it is and whatever the store can do: a comparison of different kinds of
// values does not hold. Then the whole condition is evaluated.
type where struct {
	Where
	frame       *expression.Frame
	comparisons []comparison
}

// comparison is a part of a condition.
type comparison struct {
	store.Condition
	matcher store.Matcher
}

func newWhere(w Where) *where {
	out := &where{Where: w}
	if w.Program == nil {
		return out
	}
	out.frame = w.Frame.Fork()
	for _, p := range expression.Pushdown(w.Program, "doc") {
		v, err := p.Value.Eval(out.frame)
		if err != nil {
			continue // evaluating the whole condition will tell
		}
		if c, ok := newComparison(p.Path, p.Op, v); ok {
			out.comparisons = append(out.comparisons, c)
		}
	}
	return out
}

// newComparison makes a comparison with values a store knows; ok is false for
// others.
func newComparison(path, op string, v any) (c comparison, ok bool) {
	c.Condition = store.Condition{Path: path, Op: op}
	if op == "in" {
		list, err := value.Elements(v)
		if err != nil {
			return c, false
		}
		stored := make([]any, len(list))
		for i, e := range list {
			if stored[i], ok = scalarOf(value.Scalar(e)); !ok {
				return c, false
			}
		}
		c.Value = stored
	} else if c.Value, ok = scalarOf(value.Scalar(v)); !ok {
		return c, false
	}
	c.matcher, ok = c.Matcher()
	return c, ok
}

// scalarOf returns a value as stores take it. Texts of times need not sort as times
// do, so these are no values for a store.
func scalarOf(v any) (any, bool) {
	switch t := v.(type) {
	case nil, bool, string, float64, int64:
		return t, true
	case int:
		return int64(t), true
	}
	return nil, false
}

// holds tells whether a document, with its _ fields, is meant.
func (w *where) holds(doc value.Raw) (bool, error) {
	if w.Program == nil {
		return true, nil
	}
	for i := range w.comparisons {
		if !w.comparisons[i].matcher.Holds(doc) {
			return false, nil
		}
	}
	w.frame.Slots[w.Slot] = doc
	return w.Program.Bool(w.frame)
}

// pushed is what the store may use.
func (w *where) pushed() []store.Condition {
	out := make([]store.Condition, len(w.comparisons))
	for i := range w.comparisons {
		out[i] = w.comparisons[i].Condition
	}
	return out
}

func pathOf(path string) value.Path { return value.NewPath(strings.Split(path, ".")...) }
