package expression

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"pipelined/internal/diag"
	"pipelined/internal/value"
)

// mode is what happens to a value at a place in an expression.
type mode int

const (
	compute mode = iota // something computes on it: documents are opened one level
	output              // it leaves as it came, or is looked into by path: documents stay raw
)

// Internal functions; their names cannot be written by authors.
const (
	fnRead   = "$read"  // (frame, index of a read)
	fnField  = "$field" // (value, index of a path, mode)
	fnAt     = "$at"    // (value, key, mode)
	fnOpen   = "$open"
	fnEach   = "$scalars" // opens the elements of a list
	fnObject = "$object"  // an object as the rest of the language knows it
	fnEqual  = "$equal"
	fnIn     = "$in"
	fnAdd    = "$add"
	fnSub    = "$sub"
	fnMul    = "$mul"
	fnDiv    = "$div"
	fnMod    = "$mod"
	frameID  = "$env"
)

// rewriter turns names into reads of slots, and takes over every look into a
// value, so that documents are decoded no further than an expression asks.
type rewriter struct {
	program *Program
	syms    *Symbols
	src     string
	lets    []string
	err     *Error
}

func (r *rewriter) fail(n ast.Node, e *Error) { r.failAt(n.Location(), e) }

func (r *rewriter) failAt(l file.Location, e *Error) {
	if r.err == nil {
		e.Offset, e.Length = span(r.src, l)
		if e.Length == 0 {
			e.Length = 1
		}
		if e.Consequence == "" {
			e.Consequence = "The expression cannot be evaluated."
		}
		r.err = e
	}
}

// call makes a call of an internal function at the place of n.
func call(n ast.Node, name string, args ...ast.Node) ast.Node {
	c := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
	c.SetLocation(n.Location())
	c.Callee.SetLocation(n.Location())
	return c
}

func integer(i int) ast.Node { return &ast.IntegerNode{Value: i} }

func (r *rewriter) node(ref *ast.Node, m mode) {
	if r.err != nil || *ref == nil {
		return
	}
	switch n := (*ref).(type) {
	case *ast.IdentifierNode:
		r.identifier(ref, n, m, false)
	case *ast.MemberNode:
		r.member(ref, n, m, false)
	case *ast.ChainNode:
		*ref = n.Node
		r.node(ref, m)
	case *ast.PointerNode:
		if m == compute && n.Name != "index" {
			*ref = call(n, fnOpen, n)
		}
	case *ast.UnaryNode:
		r.node(&n.Node, compute)
	case *ast.BinaryNode:
		r.binary(ref, n, m)
	case *ast.ConditionalNode:
		r.node(&n.Cond, compute)
		r.node(&n.Exp1, m)
		r.node(&n.Exp2, m)
	case *ast.ArrayNode:
		for i := range n.Nodes {
			r.node(&n.Nodes[i], m)
		}
	case *ast.MapNode:
		for _, p := range n.Pairs {
			pair := p.(*ast.PairNode)
			r.node(&pair.Key, compute)
			r.node(&pair.Value, m)
		}
	case *ast.SliceNode:
		r.node(&n.Node, compute)
		r.node(&n.From, compute)
		r.node(&n.To, compute)
	case *ast.PredicateNode:
		r.node(&n.Node, m)
	case *ast.VariableDeclaratorNode:
		r.node(&n.Value, output)
		r.lets = append(r.lets, n.Name)
		r.node(&n.Expr, m)
		r.lets = r.lets[:len(r.lets)-1]
	case *ast.SequenceNode:
		for i := range n.Nodes {
			r.node(&n.Nodes[i], m)
		}
	case *ast.BuiltinNode:
		r.builtin(ref, n, m)
	case *ast.CallNode:
		r.call(ref, n)
	}
}

func (r *rewriter) identifier(ref *ast.Node, n *ast.IdentifierNode, m mode, lenient bool) {
	if slices.Contains(r.lets, n.Value) {
		if m == compute {
			*ref = call(n, fnOpen, n)
		}
		return
	}
	r.read(ref, n, n.Value, nil, m, lenient)
}

// member rewrites a chain of member accesses: as one read if it begins with a
// name, as a look into a value if not.
func (r *rewriter) member(ref *ast.Node, n *ast.MemberNode, m mode, lenient bool) {
	base, segments := chain(n)
	if id, ok := base.(*ast.IdentifierNode); ok && !slices.Contains(r.lets, id.Value) {
		r.read(ref, n, id.Value, segments, m, lenient)
		return
	}
	if len(segments) > 0 {
		i := len(r.program.fields)
		r.program.fields = append(r.program.fields, value.NewPath(segments...))
		r.node(&base, output)
		*ref = call(n, fnField, base, integer(i), integer(int(m)))
		return
	}
	r.node(&n.Node, output)
	r.node(&n.Property, compute)
	*ref = call(n, fnAt, n.Node, n.Property, integer(int(m)))
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
		switch p := m.Property.(type) {
		case *ast.StringNode:
			segments = append(segments, p.Value)
		case *ast.IntegerNode:
			if p.Value < 0 {
				slices.Reverse(segments)
				return n, segments
			}
			segments = append(segments, strconv.Itoa(p.Value))
		default:
			slices.Reverse(segments)
			return n, segments
		}
		n = m.Node
	}
	slices.Reverse(segments)
	return n, segments
}

// read resolves a name and the members below it to a slot and a path.
func (r *rewriter) read(ref *ast.Node, n ast.Node, root string, segments []string, m mode, lenient bool) {
	at := n.Location() // of a member chain only its end
	if base, _ := chain(n); base != nil {
		at.From = min(at.From, base.Location().From)
	}
	sym := r.syms.Lookup(root)
	if sym == nil {
		at.To = at.From + utf8.RuneCountInString(root)
		r.failAt(at, unknown(root, r.syms))
		return
	}
	sym.Used = true
	name, rest := root, segments
	for {
		if sym.Hidden != "" {
			r.failAt(at, &Error{Code: CodeHidden, Summary: name + " cannot be used here: " + sym.Hidden, Fix: "see docs/language.md, Scope"})
			return
		}
		if len(rest) == 0 {
			break
		}
		next := sym.Members[rest[0]]
		if next == nil && sym.Closed {
			r.failAt(at, unknownMember(name, rest[0], sym))
			return
		}
		if next == nil {
			break
		}
		name += "." + rest[0]
		sym, rest = next, rest[1:]
		sym.Used = true
	}
	if sym.Slot < 0 {
		r.failAt(at, &Error{Code: CodeUnknownStep, Summary: name + " is not a value itself", Fix: "name one of its members: " + strings.Join(members(sym), ", ")})
		return
	}
	if err := environment(sym, name, rest, lenient); err != nil {
		r.failAt(at, err)
		return
	}
	if err := fieldError(sym.Type, name, rest); err != nil {
		r.failAt(at, err)
		return
	}
	full := strings.Join(append([]string{root}, segments...), ".")
	p := r.program
	p.roots[root] = true
	if !slices.Contains(p.paths, full) {
		p.paths = append(p.paths, full)
	}
	p.reads = append(p.reads, read{slot: sym.Slot, path: value.NewPath(rest...), name: full, root: root,
		rest: strings.Join(rest, "."), lenient: lenient, output: m == output})
	*ref = call(n, fnRead, &ast.IdentifierNode{Value: frameID}, integer(len(p.reads)-1))
}

func unknown(name string, syms *Symbols) *Error {
	fix := "the names are: " + strings.Join(slices.Sorted(slices.Values(syms.Names())), ", ")
	if s := diag.Suggest(name, syms.Names()); s != "" {
		fix = "did you mean " + s + "?"
	}
	return &Error{Code: CodeUnknownName, Summary: "there is no " + name + " here", Fix: fix}
}

func members(sym *Symbol) []string {
	var names []string
	for n, m := range sym.Members {
		if m.Hidden == "" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func unknownMember(name, member string, sym *Symbol) *Error {
	known := members(sym)
	fix := name + " has no members yet at this point"
	if len(known) > 0 {
		fix = name + " has: " + strings.Join(known, ", ")
	}
	if s := diag.Suggest(member, known); s != "" {
		fix = "did you mean " + name + "." + s + "?"
	}
	return &Error{Code: CodeUnknownStep, Summary: fmt.Sprintf("there is no %s.%s", name, member), Fix: fix}
}

// environment reports a variable that is not set and has no default.
func environment(sym *Symbol, name string, rest []string, lenient bool) *Error {
	if sym.Environment == nil || len(rest) == 0 || lenient || sym.Environment(rest[0]) {
		return nil
	}
	return &Error{Code: CodeEnvironment, Summary: fmt.Sprintf("%s.%s is not set", name, rest[0]),
		Consequence: "There would be no value.", Fix: fmt.Sprintf("set %s in the environment, or give a default: %s.%s ?? \"…\"", rest[0], name, rest[0])}
}

// fieldError reports a field that a schema does not have.
func fieldError(t *Type, name string, rest []string) *Error {
	for _, s := range rest {
		if t == nil {
			return nil
		}
		switch t.Kind {
		case Array:
			if _, err := strconv.Atoi(s); err != nil {
				return &Error{Code: CodeUnknownField, Summary: fmt.Sprintf("%s is a list, it has no field %s", name, s),
					Fix: fmt.Sprintf("take one element, %s[0].%s, or all of them, map(%s, .%s)", name, s, name, s)}
			}
			t = t.Elem
		case Object:
			f, ok := t.Fields[s]
			if !ok && !t.Open {
				var known []string
				for k := range t.Fields {
					known = append(known, k)
				}
				slices.Sort(known)
				fix := name + " has: " + strings.Join(known, ", ")
				if near := diag.Suggest(s, known); near != "" {
					fix = "did you mean " + name + "." + near + "?"
				}
				where := ""
				if t.Origin != "" {
					where = " (" + t.Origin + ")"
				}
				return &Error{Code: CodeUnknownField, Summary: fmt.Sprintf("%s has no field %s%s", name, s, where),
					Consequence: "It would always be null.", Fix: fix}
			}
			t = f
		case String, Integer, Number, Bool:
			return &Error{Code: CodeUnknownField, Summary: fmt.Sprintf("%s is %s, it has no field %s", name, scalarNames[t.Kind], s),
				Consequence: "It would always be null.", Fix: "remove ." + s}
		default:
			return nil
		}
		name += "." + s
	}
	return nil
}

var scalarNames = map[Kind]string{Bool: "true or false", Integer: "a number", Number: "a number", String: "a text"}

// arithmetic that must not overflow, divide by zero or meet a null silently.
var arithmetic = map[string]string{"+": fnAdd, "-": fnSub, "*": fnMul, "/": fnDiv, "%": fnMod}

func (r *rewriter) binary(ref *ast.Node, n *ast.BinaryNode, m mode) {
	switch n.Operator {
	case "??":
		r.lenient(&n.Left, m)
		r.node(&n.Right, m)
		return
	case "==", "!=":
		r.equality(ref, n)
		return
	case "in", "not in":
		r.node(&n.Left, compute)
		r.node(&n.Right, compute)
		if !literalList(n.Right) {
			*ref = negated(n, call(n, fnIn, n.Left, n.Right), n.Operator == "not in")
		}
		return
	}
	r.node(&n.Left, compute)
	r.node(&n.Right, compute)
	if fn := arithmetic[n.Operator]; fn != "" {
		*ref = call(n, fn, n.Left, n.Right)
	}
}

// lenient rewrites the left side of ??, where a missing value is what is asked for.
func (r *rewriter) lenient(ref *ast.Node, m mode) {
	n := *ref
	if c, ok := n.(*ast.ChainNode); ok {
		n = c.Node
	}
	switch t := n.(type) {
	case *ast.IdentifierNode:
		r.identifier(ref, t, m, true)
	case *ast.MemberNode:
		r.member(ref, t, m, true)
	default:
		r.node(ref, m)
	}
}

func negated(n ast.Node, c ast.Node, not bool) ast.Node {
	if !not {
		return c
	}
	u := &ast.UnaryNode{Operator: "not", Node: c}
	u.SetLocation(n.Location())
	return u
}

// equality compares deeply, unless one side is a literal scalar.
func (r *rewriter) equality(ref *ast.Node, n *ast.BinaryNode) {
	m := compute
	if isNil(n.Left) || isNil(n.Right) {
		m = output
	}
	r.node(&n.Left, m)
	r.node(&n.Right, m)
	if literalScalar(n.Left) || literalScalar(n.Right) {
		return
	}
	*ref = negated(n, call(n, fnEqual, n.Left, n.Right), n.Operator == "!=")
}

func isNil(n ast.Node) bool { _, ok := n.(*ast.NilNode); return ok }

func literalScalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return true
	}
	return false
}

func literalList(n ast.Node) bool {
	a, ok := n.(*ast.ArrayNode)
	if !ok {
		return false
	}
	for _, e := range a.Nodes {
		if !literalScalar(e) {
			return false
		}
	}
	return true
}

// elementsOf are the builtins that may give an element of their list back.
var elementsOf = map[string]bool{"find": true, "findLast": true, "first": true, "last": true, "reduce": true}

// overScalars are the builtins that compute on the elements of a list.
var overScalars = map[string]bool{"sum": true, "min": true, "max": true, "mean": true, "median": true, "sort": true, "join": true, "uniq": true}

func (r *rewriter) builtin(ref *ast.Node, n *ast.BuiltinNode, m mode) {
	switch n.Name {
	case "now":
		*ref = call(n, "$now", &ast.IdentifierNode{Value: frameID})
		return
	case "keys", "values", "toPairs":
		if len(n.Arguments) == 1 { // expr walks Go maps, whose order is random
			r.node(&n.Arguments[0], output)
			*ref = call(n, "$"+n.Name, n.Arguments[0])
			return
		}
	case "get":
		if len(n.Arguments) == 2 {
			r.node(&n.Arguments[0], output)
			r.node(&n.Arguments[1], compute)
			*ref = call(n, fnAt, n.Arguments[0], n.Arguments[1], integer(int(m)))
			return
		}
	}
	for i := range n.Arguments {
		body := compute
		if n.Name == "map" && isPredicate(n.Arguments[i]) {
			body = m
		}
		r.node(&n.Arguments[i], body)
	}
	if r.err != nil {
		return
	}
	if overScalars[n.Name] && len(n.Arguments) > 0 && !slices.ContainsFunc(n.Arguments, isPredicate) {
		n.Arguments[0] = call(n, fnEach, n.Arguments[0])
	}
	if n.Name == "groupBy" || n.Name == "fromPairs" {
		*ref = call(n, fnObject, n)
		return
	}
	if m == compute && elementsOf[n.Name] {
		*ref = call(n, fnOpen, n)
	}
}

func isPredicate(n ast.Node) bool { _, ok := n.(*ast.PredicateNode); return ok }

func (r *rewriter) call(ref *ast.Node, n *ast.CallNode) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		// A method, such as now().Year(): only times and durations have any.
		if mem, isMember := n.Callee.(*ast.MemberNode); isMember {
			r.node(&mem.Node, compute)
			for i := range n.Arguments {
				r.node(&n.Arguments[i], compute)
			}
			return
		}
		r.fail(n, &Error{Code: CodeUnknownFunc, Summary: "only functions can be called", Fix: "see docs/reference/functions.md"})
		return
	}
	f := functionByName(id.Value)
	if f == nil || f.call == nil {
		fix := "see docs/reference/functions.md"
		if s := diag.Suggest(id.Value, functionNames()); s != "" {
			fix = "did you mean " + s + "()?"
		}
		r.fail(n, &Error{Code: CodeUnknownFunc, Summary: "there is no function " + id.Value, Fix: fix})
		return
	}
	if len(n.Arguments) < f.least || (f.most >= 0 && len(n.Arguments) > f.most) {
		r.fail(n, &Error{Code: CodeArguments, Summary: fmt.Sprintf("%s takes other arguments", id.Value), Fix: "write " + f.Signature})
		return
	}
	m := compute
	if f.exact {
		m = output
	}
	for i := range n.Arguments {
		r.node(&n.Arguments[i], m)
	}
	if f.framed {
		n.Arguments = append([]ast.Node{&ast.IdentifierNode{Value: frameID}}, n.Arguments...)
	}
	*ref = n
}
