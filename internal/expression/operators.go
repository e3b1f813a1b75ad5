package expression

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

// isNull is the error of computing on what is not there; it names what is null.
func isNull(t term) error {
	return fmt.Errorf("%s is null", called(t, "a value it computes on"))
}

func (b *builder) unary(n *ast.UnaryNode) term {
	x := b.term(n.Node, computed)
	if n.Operator == "not" || n.Operator == "!" {
		holds := b.boolean(n.Node, x, "not")
		return folded(term{typ: typeBool, eval: func(f *Frame) (any, error) {
			v, err := holds(f)
			return !v, err
		}}, x)
	}
	b.needs(n.Node, x, n.Operator+" needs a number", value.Number)
	minus := n.Operator == "-"
	return folded(term{typ: x.typ, eval: func(f *Frame) (any, error) {
		v, err := x.eval(f)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, isNull(x)
		}
		if minus {
			return function.Subtract(0, v)
		}
		return function.Add(0, v)
	}}, x)
}

func (b *builder) binary(n *ast.BinaryNode, w want) term {
	switch n.Operator {
	case "??":
		return b.coalesce(n, w)
	case "and", "&&", "or", "||":
		return b.logic(n)
	case "==", "!=":
		return b.equality(n)
	case "<", "<=", ">", ">=":
		return b.comparison(n)
	case "in":
		return b.membership(n)
	case "matches":
		return b.matches(n)
	case "contains", "startsWith", "endsWith":
		return b.text(n)
	case "..":
		return b.numbers(n)
	}
	return b.arithmetic(n)
}

func (b *builder) coalesce(n *ast.BinaryNode, w want) term {
	// The last alternative is held to what the whole is held to.
	left, right := b.term(n.Left, w|lenient), b.term(n.Right, w)
	return term{typ: either(left.typ, right.typ), eval: func(f *Frame) (any, error) {
		if v, err := left.eval(f); v != nil || err != nil {
			return v, err
		}
		return right.eval(f)
	}}
}

// condition is a term that must give true or false.
func (b *builder) condition(n ast.Node, what string) func(f *Frame) (bool, error) {
	return b.boolean(n, b.term(n, computed), what)
}

func (b *builder) boolean(n ast.Node, t term, what string) func(f *Frame) (bool, error) {
	b.needs(n, t, what+" needs true or false", value.Bool)
	return func(f *Frame) (bool, error) {
		v, err := t.eval(f)
		if err != nil {
			return false, err
		}
		holds, ok := v.(bool)
		if !ok {
			return false, fmt.Errorf("%s is %s, not true or false", called(t, what), value.Describe(v))
		}
		return holds, nil
	}
}

func (b *builder) logic(n *ast.BinaryNode) term {
	x, y := b.term(n.Left, computed), b.term(n.Right, computed)
	left, right := b.boolean(n.Left, x, n.Operator), b.boolean(n.Right, y, n.Operator)
	or := n.Operator == "or" || n.Operator == "||"
	return folded(term{typ: typeBool, eval: func(f *Frame) (any, error) {
		v, err := left(f)
		if err != nil {
			return nil, err
		}
		if v == or {
			return or, nil
		}
		v, err = right(f)
		return v, err
	}}, x, y)
}

// both evaluates two sides.
func both(x, y term) func(f *Frame) (any, any, error) {
	left, right := x.eval, y.eval // and not the terms, which are large
	return func(f *Frame) (any, any, error) {
		a, err := left(f)
		if err != nil {
			return nil, nil, err
		}
		b, err := right(f)
		return a, b, err
	}
}

func (b *builder) equality(n *ast.BinaryNode) term {
	x, y := b.term(n.Left, computed), b.term(n.Right, computed)
	if k, o := kindOf(x.typ), kindOf(y.typ); k != value.Null && o != value.Null && k != value.Any && o != value.Any && !same(k, o) {
		b.mistake(n, fmt.Sprintf("%s and %s are never equal", k.String(), o.String()), "compare values of the same type")
	}
	sides, want := both(x, y), n.Operator == "=="
	return folded(term{typ: typeBool, eval: func(f *Frame) (any, error) {
		l, r, err := sides(f)
		if err != nil {
			return nil, err
		}
		return equal(l, r) == want, nil
	}}, x, y)
}

// equal is value.Equal with the common cases first.
func equal(a, b any) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		if y, ok := b.(string); ok {
			return x == y
		}
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case int:
		if y, ok := b.(int); ok {
			return x == y
		}
	}
	if b == nil {
		return false
	}
	return value.Equal(a, b)
}

func (b *builder) comparison(n *ast.BinaryNode) term {
	x, y := b.term(n.Left, computed), b.term(n.Right, computed)
	b.needs(n.Left, x, n.Operator+" compares two numbers, texts or times", value.Number, value.String)
	b.needs(n.Right, y, n.Operator+" compares two numbers, texts or times", value.Number, value.String)
	if k, o := kindOf(x.typ), kindOf(y.typ); k != value.Any && o != value.Any && !same(k, o) {
		b.mistake(n, fmt.Sprintf("%s and %s cannot be compared with %s", k.String(), o.String(), n.Operator), remedy(value.String, []value.Kind{value.Number}, "…"))
	}
	sides, op := both(x, y), n.Operator
	holds := orders[op]
	return folded(term{typ: typeBool, eval: func(f *Frame) (any, error) {
		l, r, err := sides(f)
		switch {
		case err != nil:
			return nil, err
		case l == nil:
			return nil, isNull(x)
		case r == nil:
			return nil, isNull(y)
		}
		c, ok := value.Compare(l, r)
		if !ok {
			return nil, fmt.Errorf("%s and %s cannot be compared with %s", value.Describe(l), value.Describe(r), op)
		}
		return holds(c), nil
	}}, x, y)
}

var orders = map[string]func(c int) bool{
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
}

func (b *builder) membership(n *ast.BinaryNode) term {
	x, y := b.term(n.Left, computed), b.term(n.Right, exact)
	switch k := kindOf(y.typ); {
	case k == value.String:
		b.mistake(n.Right, "in needs a list or an object; this is a text", "write  text contains part")
	case k == value.Array && isScalar(kindOf(x.typ)) && isScalar(kindOf(y.typ.Elem)) && !same(kindOf(x.typ), y.typ.Elem.Kind):
		b.mistake(n, fmt.Sprintf("%s is never in a list of which each element is %s", x.typ.Kind.String(), y.typ.Elem.Kind.String()), "compare values of the same type")
	default:
		b.needs(n.Right, y, "in needs a list or an object", value.Array, value.Object)
	}
	if a, ok := n.Right.(*ast.ArrayNode); ok {
		y = b.known(a, y)
	}
	sides := both(x, y)
	return term{typ: typeBool, eval: func(f *Frame) (any, error) {
		l, r, err := sides(f)
		if err != nil {
			return nil, err
		}
		found, err := contains(l, r)
		if err == nil {
			err = f.spend(weight(r))
		}
		return found, err
	}}
}

// known makes a list of literals once instead of every time.
func (b *builder) known(n *ast.ArrayNode, t term) term {
	for _, e := range n.Nodes {
		switch e.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		default:
			return t
		}
	}
	list, err := t.eval(&Frame{})
	if err != nil {
		return t
	}
	return constant(list, t.typ)
}

// text is an operator on two texts. A null has no parts.
func (b *builder) text(n *ast.BinaryNode) term {
	holds := map[string]func(s, part string) bool{"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix}[n.Operator]
	return b.textual(n, func(s, part string) (bool, error) { return holds(s, part), nil })
}

func (b *builder) matches(n *ast.BinaryNode) term {
	if p, ok := n.Right.(*ast.StringNode); ok {
		re, err := function.Pattern(p.Value)
		if err != nil {
			b.fail(n.Right, &Error{Code: CodeSyntax, Summary: err.Error(), Fix: "patterns are RE2: see https://github.com/google/re2/wiki/Syntax"})
			return constant(nil, nil)
		}
		return b.textual(n, func(s, _ string) (bool, error) { return re.MatchString(s), nil })
	}
	return b.textual(n, func(s, p string) (bool, error) {
		re, err := function.Pattern(p)
		if err != nil {
			return false, function.ErrPattern
		}
		return re.MatchString(s), nil
	})
}

func (b *builder) textual(n *ast.BinaryNode, holds func(s, part string) (bool, error)) term {
	x, y := b.term(n.Left, computed), b.term(n.Right, computed)
	b.needs(n.Left, x, n.Operator+" needs two texts", value.String)
	b.needs(n.Right, y, n.Operator+" needs two texts", value.String)
	sides, op := both(x, y), n.Operator
	return folded(term{typ: typeBool, eval: func(f *Frame) (any, error) {
		l, r, err := sides(f)
		if err != nil || l == nil || r == nil {
			return false, err
		}
		s, ok1 := l.(string)
		part, ok2 := r.(string)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%s needs two texts, not %s and %s", op, value.Describe(l), value.Describe(r))
		}
		if err := f.spend(weight(l)); err != nil {
			return nil, err
		}
		return holds(s, part)
	}}, x, y)
}

// maxRange bounds a..b.
const maxRange = 1_000_000

// numbers is from..to.
func (b *builder) numbers(n *ast.BinaryNode) term {
	x, y := b.term(n.Left, computed), b.term(n.Right, computed)
	b.needs(n.Left, x, ".. needs two whole numbers", value.Integer)
	b.needs(n.Right, y, ".. needs two whole numbers", value.Integer)
	sides := both(x, y)
	return term{typ: &Type{Kind: value.Array, Elem: typeInteger}, eval: func(f *Frame) (any, error) {
		l, r, err := sides(f)
		if err != nil {
			return nil, err
		}
		from, ok1 := value.Int(l)
		to, ok2 := value.Int(r)
		switch {
		case !ok1 || !ok2:
			return nil, fmt.Errorf(".. needs two whole numbers, not %s and %s", value.Describe(l), value.Describe(r))
		case to < from:
			return []any{}, nil
		case uint64(to)-uint64(from) >= maxRange:
			return nil, fmt.Errorf("a range of more than %d numbers", maxRange)
		}
		out := make([]any, to-from+1)
		if err := f.grow(len(out) * elementSize); err != nil {
			return nil, err
		}
		for i := range out {
			out[i] = int(from) + i
		}
		return out, nil
	}}
}

func (b *builder) arithmetic(n *ast.BinaryNode) term {
	compute := function.Operators[n.Operator]
	if compute == nil {
		b.failAt(n.Location(), &Error{Code: CodeSyntax, Summary: "there is no operator " + n.Operator, Fix: "see docs/language.md, Expressions"})
		return constant(nil, nil)
	}
	x, y := b.term(n.Left, computed), b.term(n.Right, computed)
	t := term{typ: b.arithmeticType(n, x, y), eval: func(f *Frame) (any, error) {
		l, err := x.eval(f)
		if err != nil {
			return nil, err
		}
		r, err := y.eval(f)
		switch {
		case err != nil:
			return nil, err
		case l == nil:
			return nil, isNull(x)
		case r == nil:
			return nil, isNull(y)
		}
		return compute(l, r)
	}}
	if n.Operator == "+" {
		t.eval = charged(t.eval)
	}
	return folded(t, x, y)
}

// charged counts the text an operator makes.
func charged(eval func(f *Frame) (any, error)) func(f *Frame) (any, error) {
	return func(f *Frame) (any, error) {
		v, err := eval(f)
		if s, ok := v.(string); ok {
			err = f.grow(len(s))
		}
		return v, err
	}
}

// arithmeticType is the type of the result; only + does something with texts. What
// times and durations give is not known here.
func (b *builder) arithmeticType(n *ast.BinaryNode, x, y term) *Type {
	k, o := kindOf(x.typ), kindOf(y.typ)
	kinds, needs := []value.Kind{value.Number}, n.Operator+" needs two numbers"
	if n.Operator == "+" {
		kinds, needs = []value.Kind{value.Number, value.String}, "+ needs two numbers or two texts"
	}
	b.needs(n.Left, x, needs, kinds...)
	b.needs(n.Right, y, needs, kinds...)
	switch {
	case k == value.String && isNumber(o) || isNumber(k) && o == value.String:
		at, t := n.Left, x
		if k == value.String {
			at, t = n.Right, y
		}
		b.mistake(at, "+ needs two numbers or two texts; "+called(t, "this")+" is a number and the other side is a text", remedy(value.Number, []value.Kind{value.String}, called(t, "…")))
	case k == value.String && o == value.String:
		return typeString
	case k == value.Integer && o == value.Integer && n.Operator != "/" && n.Operator != "**" && n.Operator != "^":
		return typeInteger
	case isNumber(k) && isNumber(o):
		return typeNumber
	}
	return nil
}
