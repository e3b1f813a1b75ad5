package expression

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

// loop is a list and what is worked out for each of its elements.
type loop struct {
	name   string
	list   term
	body   term
	slot   int
	weight int // what one turn costs
}

// loop compiles the list and the predicate of a function such as filter. Without a
// predicate the elements themselves are taken. at is where the predicate stands,
// or the list.
func (b *builder) loop(n *ast.BuiltinNode) (l *loop, at ast.Node) {
	at = n.Arguments[0]
	l = &loop{name: n.Name, list: b.term(at, exact), weight: 1}
	b.needs(n.Arguments[0], l.list, n.Name+" needs a list", value.Array)
	var element *Type
	if kindOf(l.list.typ) == value.Array {
		element = l.list.typ.Elem
	}
	l.slot = b.local()
	l.body = localTerm(l.slot, element, "an element")
	if len(n.Arguments) > 1 {
		p, ok := n.Arguments[1].(*ast.PredicateNode)
		if !ok {
			return l, at
		}
		at = p.Node
		l.body, l.weight = b.predicate(p.Node, predicate{l.slot, element, -1}, predicates[n.Name])
	}
	b.next--
	return l, at
}

// predicates are the functions whose predicate is computed on.
var predicates = map[string]want{"all": computed, "any": computed, "none": computed, "one": computed, "filter": computed, "find": computed,
	"findLast": computed, "findIndex": computed, "findLastIndex": computed, "count": computed, "sum": computed, "sortBy": computed, "groupBy": computed}

// predicate compiles the body of a loop and counts what a turn of it costs.
func (b *builder) predicate(n ast.Node, p predicate, w want) (term, int) {
	before := b.nodes
	b.predicates = append(b.predicates, p)
	body := b.term(n, w)
	b.predicates = b.predicates[:len(b.predicates)-1]
	return body, b.nodes - before
}

// elements evaluates the list and pays for all turns ahead, which bounds loops in
// loops before they run.
func (l *loop) elements(f *Frame) ([]any, error) {
	v, err := l.list.eval(f)
	if err != nil {
		return nil, err
	}
	list, err := listOf(v, l.name, l.list)
	if err != nil {
		return nil, err
	}
	return list, f.spend(1 + len(list)*l.weight)
}

// listOf is a value as a list, or the error that says why it is none.
func listOf(v any, name string, t term) ([]any, error) {
	if list, ok := v.([]any); ok {
		return list, nil
	}
	kind := value.Describe(v)
	switch kind {
	case "null":
		return nil, isNull(t)
	case "a list":
		return value.Elements(v)
	case "an object":
		return nil, fmt.Errorf("%s needs a list, not an object: toPairs(…) makes a list of one", name)
	}
	list, err := value.Elements(v)
	if err != nil {
		return nil, fmt.Errorf("%s needs a list, not %s", name, kind)
	}
	return list, nil
}

// turn works the body out for one element.
func (l *loop) turn(f *Frame, i int, element any) (any, error) {
	f.locals[l.slot] = local{element, i}
	return l.body.eval(f)
}

// holds is turn for a body that gives true or false.
func (l *loop) holds(f *Frame, i int, element any) (bool, error) {
	v, err := l.turn(f, i, element)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("the predicate of %s gives %s, not true or false", l.name, value.Describe(v))
	}
	return b, nil
}

// loopOf is what compiles a function that looks at the elements of a list one by
// one; nil for other functions.
func loopOf(name string) func(b *builder, n *ast.BuiltinNode) term {
	switch name {
	case "all":
		return (*builder).all
	case "any":
		return (*builder).any
	case "none":
		return (*builder).none
	case "one":
		return (*builder).one
	case "count":
		return (*builder).count
	case "filter":
		return (*builder).filter
	case "map":
		return (*builder).mapped
	case "sum":
		return (*builder).sum
	case "find", "findLast", "findIndex", "findLastIndex":
		return (*builder).find
	case "groupBy":
		return (*builder).groupBy
	case "sortBy":
		return (*builder).sortBy
	case "reduce":
		return (*builder).reduce
	}
	return nil
}

// conditionLoop is a loop whose body must give true or false.
func (b *builder) conditionLoop(n *ast.BuiltinNode) *loop {
	l, at := b.loop(n)
	b.needs(at, l.body, "the predicate of "+l.name+" needs true or false", value.Bool)
	return l
}

// until visits elements until one gives stop, and reports whether one did.
func (b *builder) until(n *ast.BuiltinNode, stop bool, found bool) term {
	l := b.conditionLoop(n)
	return term{typ: typeBool, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		for i, e := range list {
			holds, err := l.holds(f, i, e)
			if err != nil {
				return nil, err
			}
			if holds == stop {
				return found, nil
			}
		}
		return !found, nil
	}}
}

func (b *builder) all(n *ast.BuiltinNode) term  { return b.until(n, false, false) }
func (b *builder) any(n *ast.BuiltinNode) term  { return b.until(n, true, true) }
func (b *builder) none(n *ast.BuiltinNode) term { return b.until(n, true, false) }

// counted visits all elements and counts those that hold.
func (b *builder) counted(n *ast.BuiltinNode, t *Type, give func(count int) any) term {
	l := b.conditionLoop(n)
	return term{typ: t, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		count := 0
		for i, e := range list {
			holds, err := l.holds(f, i, e)
			if err != nil {
				return nil, err
			}
			if holds {
				count++
			}
		}
		return give(count), nil
	}}
}

func (b *builder) one(n *ast.BuiltinNode) term {
	return b.counted(n, typeBool, func(count int) any { return count == 1 })
}

func (b *builder) count(n *ast.BuiltinNode) term {
	return b.counted(n, typeInteger, func(count int) any { return count })
}

func (b *builder) filter(n *ast.BuiltinNode) term {
	l := b.conditionLoop(n)
	return term{typ: l.list.typ, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		out := make([]any, 0, min(len(list), 8))
		for i, e := range list {
			holds, err := l.holds(f, i, e)
			if err != nil {
				return nil, err
			}
			if holds {
				out = append(out, e)
			}
		}
		return out, f.grow(len(out) * elementSize)
	}}
}

func (b *builder) mapped(n *ast.BuiltinNode) term {
	l, _ := b.loop(n)
	return term{typ: &Type{Kind: value.Array, Elem: l.body.typ}, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		if err := f.grow(len(list) * elementSize); err != nil {
			return nil, err
		}
		out := make([]any, len(list))
		for i, e := range list {
			if out[i], err = l.turn(f, i, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	}}
}

func (b *builder) sum(n *ast.BuiltinNode) term {
	l, at := b.loop(n)
	b.needs(at, l.body, "sum adds numbers", value.Number, value.Array)
	typ := typeNumber
	if kindOf(l.body.typ) == value.Integer {
		typ = typeInteger
	}
	return term{typ: typ, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		var s total
		for i, e := range list {
			v, err := l.turn(f, i, e)
			if err == nil {
				err = s.add(v, l.body)
			}
			if err != nil {
				return nil, err
			}
		}
		return s.value()
	}}
}

// total adds numbers up, as whole numbers for as long as they are.
type total struct {
	whole   int
	decimal float64
	decided bool // decimal counts
}

func (s *total) add(v any, t term) error {
	switch n := v.(type) {
	case int:
		if s.decided {
			s.decimal += float64(n)
			return nil
		}
		z := s.whole + n
		if (z > s.whole) != (n > 0) && n != 0 {
			return function.ErrOverflow
		}
		s.whole = z
		return nil
	case float64:
		if !s.decided {
			s.decided, s.decimal = true, float64(s.whole)
		}
		s.decimal += n
		return nil
	case nil:
		return isNull(t)
	}
	if p, changed := function.Plain(v); changed {
		return s.add(p, t)
	}
	return fmt.Errorf("%s is %s, not a number", called(t, "what sum adds"), value.Describe(v))
}

func (s *total) value() (any, error) {
	if s.decided {
		return function.Finite(s.decimal)
	}
	return s.whole, nil
}

func (b *builder) find(n *ast.BuiltinNode) term {
	l := b.conditionLoop(n)
	backwards, index := strings.Contains(n.Name, "Last"), strings.HasSuffix(n.Name, "Index")
	var typ *Type
	if kindOf(l.list.typ) == value.Array && !index {
		typ = l.list.typ.Elem
	}
	return term{typ: typ, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		for k := range list {
			i := k
			if backwards {
				i = len(list) - 1 - k
			}
			holds, err := l.holds(f, i, list[i])
			switch {
			case err != nil:
				return nil, err
			case holds && index:
				return i, nil
			case holds:
				return list[i], nil
			}
		}
		return nil, nil
	}}
}

func (b *builder) groupBy(n *ast.BuiltinNode) term {
	l, _ := b.loop(n)
	return term{typ: &Type{Kind: value.Object, Open: true}, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		groups := map[string][]any{}
		for i, e := range list {
			k, err := l.turn(f, i, e)
			if err != nil {
				return nil, err
			}
			name, err := value.Text(k)
			if err != nil {
				return nil, err
			}
			groups[name] = append(groups[name], e)
		}
		out := make(map[string]any, len(groups))
		for name, group := range groups {
			out[name] = group
		}
		return out, f.grow(len(list)*elementSize + len(out)*memberSize)
	}}
}

// sortBy sorts by what the predicate gives; elements that are equal stay in order.
func (b *builder) sortBy(n *ast.BuiltinNode) term {
	l, _ := b.loop(n)
	order := constant(nil, nil)
	if len(n.Arguments) > 2 {
		order = b.term(n.Arguments[2], computed)
		b.needs(n.Arguments[2], order, "the order is a text", value.String)
	}
	return term{typ: l.list.typ, eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		keys := make([]any, len(list))
		for i, e := range list {
			if keys[i], err = l.turn(f, i, e); err != nil {
				return nil, err
			}
		}
		by, err := order.eval(f)
		if err != nil {
			return nil, err
		}
		sorted, err := function.Sorted(list, keys, by)
		if err != nil {
			return nil, err
		}
		return sorted, f.grow(len(sorted) * 2 * elementSize)
	}}
}

// reduce folds a list; without a start it begins with the first element.
func (b *builder) reduce(n *ast.BuiltinNode) term {
	l := &loop{name: n.Name, list: b.term(n.Arguments[0], exact)}
	b.needs(n.Arguments[0], l.list, "reduce needs a list", value.Array)
	var element *Type
	if kindOf(l.list.typ) == value.Array {
		element = l.list.typ.Elem
	}
	var start *term
	if len(n.Arguments) > 2 {
		t := b.term(n.Arguments[2], exact)
		start = &t
	}
	l.slot = b.local()
	acc := b.local()
	if p, ok := n.Arguments[1].(*ast.PredicateNode); ok {
		l.body, l.weight = b.predicate(p.Node, predicate{l.slot, element, acc}, exact)
	}
	b.next -= 2
	return term{eval: func(f *Frame) (any, error) {
		list, err := l.elements(f)
		if err != nil {
			return nil, err
		}
		first := 0
		var sum any
		switch {
		case start != nil:
			if sum, err = start.eval(f); err != nil {
				return nil, err
			}
		case len(list) == 0:
			return nil, errors.New("reduce of an empty list needs a start: reduce(list, predicate, start)")
		default:
			sum, first = list[0], 1
		}
		for i := first; i < len(list); i++ {
			f.locals[acc].value = sum
			if sum, err = l.turn(f, i, list[i]); err != nil {
				return nil, err
			}
		}
		return sum, nil
	}}
}
