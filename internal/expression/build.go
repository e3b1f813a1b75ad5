package expression

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

// term is a compiled part of an expression: expr's syntax tree turned into
// functions over a Frame. A term gives a value exactly as it came, a document or
// a number nobody computes on included (I9); whoever computes on it opens it.
type term struct {
	eval  func(f *Frame) (any, error)
	typ   *Type  // nil: not known
	name  string // how messages call it; empty where it has no name
	fixed bool   // it always gives value
	value any
}

// want says what a term is for.
type want int

const (
	exact    want = 0
	computed want = 1 << iota // only its Go value counts: the text of a number may be lost
	lenient                   // left of ??: what is not set yet is null
)

// builder turns one syntax tree into a Program. The first mistake stays.
type builder struct {
	program *Program
	syms    *Symbols
	src     string
	err     *Error

	variables  []variable  // let, innermost last
	predicates []predicate // innermost last
	nodes      int         // built so far: what a turn of a loop costs
	next       int         // the next free local
}

type variable struct {
	name string
	slot int
	typ  *Type
}

// predicate is what #, #index and #acc mean inside the argument of a loop.
type predicate struct {
	slot    int
	element *Type
	acc     int // local of #acc; -1 if there is none
}

func (b *builder) local() int {
	b.next++
	b.program.locals = max(b.program.locals, b.next)
	return b.next - 1
}

func (b *builder) fail(n ast.Node, e *Error) { b.failAt(extent(n), e) }

func (b *builder) failAt(l file.Location, e *Error) {
	if b.err != nil {
		return
	}
	e.Offset, e.Length = span(b.src, l)
	e.Length = max(e.Length, 1)
	e.Edit = renaming(b.src, e)
	if e.Consequence == "" {
		e.Consequence = "The expression cannot be evaluated."
	}
	b.err = e
}

// renaming writes one name in place of another, if that stands in the span of the error
// once.
func renaming(src string, e *Error) *Edit {
	if e.instead == "" || e.Offset+e.Length > len(src) {
		return nil
	}
	text, at := src[e.Offset:e.Offset+e.Length], -1
	for i := 0; i+len(e.wrong) <= len(text); i++ {
		if !strings.HasPrefix(text[i:], e.wrong) || i > 0 && nameByte(text[i-1]) || i+len(e.wrong) < len(text) && nameByte(text[i+len(e.wrong)]) {
			continue
		}
		if at >= 0 {
			return nil
		}
		at = i
	}
	if at < 0 {
		return nil
	}
	return &Edit{Offset: e.Offset + at, Length: len(e.wrong), NewText: e.instead}
}

func nameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// mistake reports a value of the wrong type.
func (b *builder) mistake(n ast.Node, summary, fix string) {
	b.fail(n, &Error{Code: CodeType, Summary: summary, Fix: fix})
}

// extent is where a node is with everything below it: expr places an operator at
// its sign and a member at its name.
func extent(n ast.Node) file.Location {
	at := extents{n.Location()}
	ast.Walk(&n, &at)
	return at.Location
}

type extents struct{ file.Location }

func (e *extents) Visit(ref *ast.Node) {
	at := (*ref).Location()
	if at.To == 0 { // made by the parser, such as if … else
		return
	}
	if e.To == 0 {
		e.Location = at
	}
	e.From, e.To = min(e.From, at.From), max(e.To, at.To)
}

func (b *builder) term(n ast.Node, w want) term {
	if b.err != nil {
		return constant(nil, nil)
	}
	b.nodes++
	switch t := n.(type) {
	case *ast.NilNode:
		return constant(nil, typeNull)
	case *ast.BoolNode:
		return constant(t.Value, typeBool)
	case *ast.IntegerNode:
		return constant(t.Value, typeInteger)
	case *ast.FloatNode:
		return constant(t.Value, typeNumber)
	case *ast.StringNode:
		return constant(t.Value, typeString)
	case *ast.BytesNode:
		return constant(t.Value, nil)
	case *ast.IdentifierNode:
		return b.identifier(t, w)
	case *ast.PointerNode:
		return b.pointer(t)
	case *ast.ChainNode:
		return b.term(t.Node, w)
	case *ast.MemberNode:
		return b.member(t, w)
	case *ast.SliceNode:
		return b.slice(t)
	case *ast.UnaryNode:
		return b.unary(t)
	case *ast.BinaryNode:
		return b.binary(t, w)
	case *ast.ConditionalNode:
		return b.conditional(t, w)
	case *ast.ArrayNode:
		return b.list(t)
	case *ast.MapNode:
		return b.object(t)
	case *ast.VariableDeclaratorNode:
		return b.let(t, w)
	case *ast.SequenceNode:
		return b.sequence(t, w)
	case *ast.BuiltinNode:
		if build := loopOf(t.Name); build != nil {
			return build(b, t)
		}
		return b.call(n, t.Name, t.Arguments)
	case *ast.CallNode:
		return b.callee(t)
	}
	b.fail(n, &Error{Code: CodeSyntax, Summary: "this is not possible here", Fix: "see docs/language.md, Expressions"})
	return constant(nil, nil)
}

func constant(v any, t *Type) term {
	return term{eval: func(*Frame) (any, error) { return v, nil }, typ: t, fixed: true, value: v}
}

// folded evaluates now what does not depend on anything. An error waits until it
// is evaluated: a branch that is never taken may divide by zero.
func folded(t term, parts ...term) term {
	for _, p := range parts {
		if !p.fixed {
			return t
		}
	}
	v, err := t.eval(&Frame{})
	if err != nil {
		return t
	}
	switch s := v.(type) {
	case string:
		if len(s) > maxSource {
			return t
		}
	case nil, bool, int, float64:
	default:
		return t
	}
	return constant(v, t.typ)
}

func (b *builder) identifier(n *ast.IdentifierNode, w want) term {
	if v := b.variable(n.Value); v != nil {
		return localTerm(v.slot, v.typ, v.name)
	}
	return b.read(n, n.Value, nil, w)
}

func (b *builder) variable(name string) *variable {
	for i := len(b.variables) - 1; i >= 0; i-- {
		if b.variables[i].name == name {
			return &b.variables[i]
		}
	}
	return nil
}

func localTerm(slot int, t *Type, name string) term {
	return term{eval: func(f *Frame) (any, error) { return f.locals[slot].value, nil }, typ: t, name: name}
}

func (b *builder) pointer(n *ast.PointerNode) term {
	if len(b.predicates) > 0 {
		p := b.predicates[len(b.predicates)-1]
		switch {
		case n.Name == "":
			return localTerm(p.slot, p.element, "#")
		case n.Name == "index":
			return term{eval: func(f *Frame) (any, error) { return f.locals[p.slot].index, nil }, typ: typeInteger, name: "#index"}
		case n.Name == "acc" && p.acc >= 0:
			return localTerm(p.acc, nil, "#acc")
		}
	}
	b.failAt(n.Location(), &Error{Code: CodeUnknownName, Summary: "there is no #" + n.Name + " here",
		Fix: "# is the element and #index its number in a predicate; #acc is what reduce has so far"})
	return constant(nil, nil)
}

// member is a look into a value: as one read if it begins with a name.
func (b *builder) member(n *ast.MemberNode, w want) term {
	base, segments := chain(n)
	if id, ok := base.(*ast.IdentifierNode); ok && b.variable(id.Value) == nil {
		return b.read(n, id.Value, segments, w)
	}
	if len(segments) == 0 {
		return b.lookup(n, w)
	}
	from := b.term(base, w&lenient)
	name := strings.TrimPrefix(from.name+"."+strings.Join(segments, "."), "#")
	typ, err := fieldOf(from.typ, from.name, segments)
	if err != nil {
		b.fail(n, err)
	}
	path, get := value.NewPath(segments...), value.Exact
	if w&computed != 0 {
		get = value.Get
	}
	return term{typ: typ, name: name, eval: func(f *Frame) (any, error) {
		v, err := from.eval(f)
		if err != nil {
			return nil, err
		}
		return get(v, path), nil
	}}
}

// lookup is a look with a key that is only known later.
func (b *builder) lookup(n *ast.MemberNode, w want) term {
	from, key := b.term(n.Node, w&lenient), b.term(n.Property, computed)
	var typ *Type
	switch kindOf(from.typ) {
	case value.Array:
		b.needs(n.Property, key, "a list is looked into by number", value.Number)
		typ = from.typ.Elem
	case value.Object:
		b.needs(n.Property, key, "an object is looked into by name", value.String)
	}
	return term{typ: typ, name: from.name, eval: func(f *Frame) (any, error) {
		v, err := from.eval(f)
		if err != nil {
			return nil, err
		}
		k, err := key.eval(f)
		if err != nil {
			return nil, err
		}
		return function.At(v, k)
	}}
}

// chain takes the longest static path off the end of n: a.b[0].c is a and b, 0, c.
func chain(n ast.Node) (base ast.Node, segments []string) {
	for {
		if c, ok := n.(*ast.ChainNode); ok {
			n = c.Node
			continue
		}
		m, ok := n.(*ast.MemberNode)
		if !ok {
			break
		}
		s, static := segment(m.Property)
		if !static {
			break
		}
		segments = append(segments, s)
		n = m.Node
	}
	slices.Reverse(segments)
	return n, segments
}

func (b *builder) conditional(n *ast.ConditionalNode, w want) term {
	cond := b.condition(n.Cond, "the condition")
	yes, no := b.term(n.Exp1, w), b.term(n.Exp2, w)
	return term{typ: either(yes.typ, no.typ), eval: func(f *Frame) (any, error) {
		holds, err := cond(f)
		if err != nil {
			return nil, err
		}
		if holds {
			return yes.eval(f)
		}
		return no.eval(f)
	}}
}

func (b *builder) list(n *ast.ArrayNode) term {
	elements := make([]term, len(n.Nodes))
	var elem *Type
	for i, e := range n.Nodes {
		elements[i] = b.term(e, exact)
		if i == 0 {
			elem = elements[i].typ
		}
		elem = either(elem, elements[i].typ)
	}
	return term{typ: &Type{Kind: value.Array, Elem: elem}, eval: func(f *Frame) (any, error) {
		out := make([]any, len(elements))
		for i := range elements {
			v, err := elements[i].eval(f)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, f.grow(len(out) * elementSize)
	}}
}

func (b *builder) object(n *ast.MapNode) term {
	keys, values := make([]term, len(n.Pairs)), make([]term, len(n.Pairs))
	typ := &Type{Kind: value.Object, Fields: map[string]*Type{}}
	for i, p := range n.Pairs {
		pair := p.(*ast.PairNode)
		keys[i], values[i] = b.term(pair.Key, computed), b.term(pair.Value, exact)
		if name, ok := keys[i].value.(string); ok && keys[i].fixed {
			if _, twice := typ.Fields[name]; twice {
				b.fail(pair.Key, &Error{Code: CodeTwice, Summary: name + " may stand there once", Consequence: "Only one of the values would count.", Fix: "remove one, or give it another name"})
			}
			typ.Fields[name] = values[i].typ
		} else {
			typ.Open = true
		}
	}
	return term{typ: typ, eval: func(f *Frame) (any, error) {
		out := make(map[string]any, len(keys))
		for i := range keys {
			k, err := keys[i].eval(f)
			if err != nil {
				return nil, err
			}
			name, err := value.Text(k)
			if err != nil {
				return nil, err
			}
			if out[name], err = values[i].eval(f); err != nil {
				return nil, err
			}
		}
		return out, f.grow(len(out) * memberSize)
	}}
}

func (b *builder) let(n *ast.VariableDeclaratorNode, w want) term {
	switch {
	case b.variable(n.Name) != nil:
		b.failAt(n.Location(), &Error{Code: CodeSyntax, Summary: n.Name + " is declared twice", Fix: "give one of them another name"})
	case b.syms.Lookup(n.Name) != nil:
		b.failAt(n.Location(), &Error{Code: CodeSyntax, Summary: n.Name + " already means something here", Fix: "give the variable another name"})
	case function.Named(n.Name) != nil:
		b.failAt(n.Location(), &Error{Code: CodeSyntax, Summary: n.Name + " is a function", Fix: "give the variable another name"})
	}
	v := b.term(n.Value, exact)
	slot := b.local()
	b.variables = append(b.variables, variable{n.Name, slot, v.typ})
	body := b.term(n.Expr, w)
	b.variables = b.variables[:len(b.variables)-1]
	b.next--
	return term{typ: body.typ, eval: func(f *Frame) (any, error) {
		x, err := v.eval(f)
		if err != nil {
			return nil, err
		}
		f.locals[slot].value = x
		return body.eval(f)
	}}
}

func (b *builder) sequence(n *ast.SequenceNode, w want) term {
	parts := make([]term, len(n.Nodes))
	for i, e := range n.Nodes {
		parts[i] = b.term(e, w)
	}
	last := parts[len(parts)-1]
	return term{typ: last.typ, eval: func(f *Frame) (v any, err error) {
		for i := range parts {
			if v, err = parts[i].eval(f); err != nil {
				return nil, err
			}
		}
		return v, nil
	}}
}

// span turns a location in characters into bytes.
func span(src string, l file.Location) (offset, length int) {
	from, to, n := len(src), len(src), 0
	for i := range src {
		if n == l.From {
			from = i
		}
		if n == l.To {
			to = i
			break
		}
		n++
	}
	return from, max(to-from, 0)
}

// nameAt is the place of a name of so many characters that begins where l does.
func nameAt(l file.Location, name string) file.Location {
	l.To = l.From + utf8.RuneCountInString(name)
	return l
}
