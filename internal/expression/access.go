package expression

import (
	"fmt"
	"strconv"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/value"
)

// segment is the part of a path a property stands for, if that is known at load.
// An index from the end is not a path.
func segment(property ast.Node) (string, bool) {
	switch p := property.(type) {
	case *ast.StringNode:
		return p.Value, true
	case *ast.IntegerNode:
		return strconv.Itoa(p.Value), p.Value >= 0
	}
	return "", false
}

func (b *builder) slice(n *ast.SliceNode) term {
	of := b.term(n.Node, exact)
	from, to := constant(nil, nil), constant(nil, nil)
	if n.From != nil {
		from = b.term(n.From, computed)
		b.needs(n.From, from, "a part is taken by number", value.Number)
	}
	if n.To != nil {
		to = b.term(n.To, computed)
		b.needs(n.To, to, "a part is taken by number", value.Number)
	}
	b.needs(n.Node, of, "a part is taken of a list or a text", value.Array, value.String)
	return term{typ: of.typ, eval: func(f *Frame) (any, error) {
		v, err := of.eval(f)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, isNull(of)
		}
		x, err := from.eval(f)
		if err != nil {
			return nil, err
		}
		y, err := to.eval(f)
		if err != nil {
			return nil, err
		}
		return cut(v, x, y)
	}}
}

// cut is v[from:to]; a null bound is open, a negative one counts from the end,
// and one beyond the end is the end.
func cut(v, from, to any) (any, error) {
	opened := value.Open(v)
	var chars []rune
	s, text := opened.(string)
	list, err := value.Elements(opened)
	if text {
		chars = []rune(s)
	} else if err != nil || value.Describe(opened) != "a list" {
		return nil, fmt.Errorf("a part is taken of a list or a text, not of %s", value.Describe(v))
	}
	size := max(len(chars), len(list))
	x, err := bound(from, 0, size)
	if err != nil {
		return nil, err
	}
	y, err := bound(to, size, size)
	if err != nil {
		return nil, err
	}
	x = min(x, y)
	if text {
		return string(chars[x:y]), nil
	}
	return list[x:y:y], nil
}

func bound(v any, open, size int) (int, error) {
	if v == nil {
		return open, nil
	}
	n, ok := value.Int(v)
	if !ok {
		return 0, fmt.Errorf("a part is taken by number, not by %s", value.Describe(v))
	}
	if n < 0 {
		n += int64(size)
	}
	return int(min(max(n, 0), int64(size))), nil
}

// contains is `in`: an element of a list, a name in an object. Nothing is in null.
func contains(x, in any) (bool, error) {
	switch t := value.Open(in).(type) {
	case nil:
		return false, nil
	case map[string]any:
		name, ok := value.Scalar(x).(string)
		if !ok {
			return false, nil
		}
		_, found := t[name]
		return found, nil
	default:
		list, err := value.Elements(t)
		if err != nil {
			return false, fmt.Errorf("in needs a list or an object, not %s", value.Describe(t))
		}
		for _, e := range list {
			if equal(x, e) {
				return true, nil
			}
		}
		return false, nil
	}
}
