package expression

import (
	"fmt"
	"regexp"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/diag"
	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

func (b *builder) callee(n *ast.CallNode) term {
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		return b.call(n, callee.Value, n.Arguments)
	case *ast.MemberNode:
		return b.method(n, callee)
	}
	b.failAt(n.Location(), &Error{Code: CodeUnknownFunc, Summary: "only functions can be called", Fix: "see docs/reference/functions.md"})
	return constant(nil, nil)
}

// call compiles a call of a function.
func (b *builder) call(n ast.Node, name string, arguments []ast.Node) term {
	fn := function.Named(name)
	if fn == nil || fn.Loop() {
		b.failAt(nameAt(n.Location(), name), unknownFunction(name))
		return constant(nil, nil)
	}
	if !fn.Takes(len(arguments)) {
		b.failAt(nameAt(n.Location(), name), &Error{Code: CodeArguments, Summary: name + " takes other arguments", Fix: "write " + fn.Signature})
		return constant(nil, nil)
	}
	args := make([]term, len(arguments))
	for i, a := range arguments {
		args[i] = b.argument(fn, i, a)
	}
	t := term{typ: resultOf(fn, args), eval: evaluator(fn, args)}
	if !fn.Pure() {
		return t
	}
	return folded(t, args...)
}

// argument compiles one argument and holds it to its parameter. A pattern that is
// known is compiled now.
func (b *builder) argument(fn *function.Function, i int, n ast.Node) term {
	p := fn.Param(i)
	w := exact
	if p.Kind == value.String || p.Kind == value.Number {
		w = computed
	}
	t := b.term(n, w)
	if null := kindOf(t.typ) == value.Null && (p.Optional || fn.Nulls()); p.Kind != value.Any && !null {
		b.needs(n, t, fmt.Sprintf("%s needs %s", fn.Name, p.Kind), p.Kind)
	}
	if s, ok := t.value.(string); ok && t.fixed && p.Name == "pattern" {
		re, err := function.Pattern(s)
		if err != nil {
			b.fail(n, &Error{Code: CodeSyntax, Summary: err.Error(), Fix: "patterns are RE2: see https://github.com/google/re2/wiki/Syntax"})
		}
		return constant(re, typeString)
	}
	return t
}

func unknownFunction(name string) *Error {
	fix := "see docs/reference/functions.md"
	near := diag.Suggest(name, function.Names())
	if near != "" {
		fix = "did you mean " + near + "()?"
	}
	if ours := renamed[name]; ours != "" {
		fix, near = "write "+ours, ""
	}
	return &Error{Code: CodeUnknownFunc, Summary: "there is no function " + name, Fix: fix, wrong: name, instead: near}
}

// renamed are functions of expr that have one name here.
var renamed = map[string]string{"toBase64": "base64Encode(v)", "fromBase64": "base64Decode(s)", "timezone": "the name of the zone itself, such as \"Europe/Berlin\"",
	"splitAfter": "split(s, by)"}

// evaluator calls the function with its arguments in the form it wants.
func evaluator(f *function.Function, args []term) func(*Frame) (any, error) {
	return func(frame *Frame) (any, error) {
		values := make([]any, len(args))
		cost := 1
		for i := range args {
			v, err := args[i].eval(frame)
			if err == nil {
				v, err = accept(f, i, v, args[i])
			}
			if err != nil {
				return nil, err
			}
			values[i] = v
			cost += weight(v)
		}
		if err := frame.spend(cost); err != nil {
			return nil, err
		}
		v, err := f.Call(frame.Host, values)
		if err != nil {
			return nil, err
		}
		return v, frame.grow(size(v))
	}
}

// accept holds a value to its parameter.
func accept(f *function.Function, i int, v any, t term) (any, error) {
	p := f.Param(i)
	if v == nil {
		if p.Kind == value.Any || p.Optional || f.Nulls() && (p.Kind == value.Array || p.Kind == value.Object) {
			return nil, nil
		}
		return nil, isNull(t)
	}
	switch p.Kind {
	case value.String:
		switch v.(type) {
		case string, *regexp.Regexp:
			return v, nil
		}
		v = value.Scalar(v)
		if s, ok := v.(string); ok {
			return s, nil
		}
		return nil, fmt.Errorf("argument %d of %s is %s, not a text; write string(…) around it", i+1, f.Name, value.Describe(v))
	case value.Number:
		switch v.(type) {
		case int, float64:
			return v, nil
		}
		if n, changed := function.Plain(v); changed {
			return accept(f, i, n, t)
		}
		if value.Describe(v) == "a number" {
			return nil, function.ErrOverflow
		}
		return nil, fmt.Errorf("argument %d of %s is %s, not a number", i+1, f.Name, value.Describe(v))
	case value.Array:
		return listOf(v, f.Name, t)
	case value.Object:
		if value.Describe(v) != "an object" {
			return nil, fmt.Errorf("argument %d of %s is %s, not an object", i+1, f.Name, value.Describe(v))
		}
	}
	return v, nil
}

// resultOf is what a function gives, as far as its arguments do not decide.
func resultOf(fn *function.Function, args []term) *Type {
	switch fn.Name {
	case "sort", "reverse", "take", "uniq", "pop", "removeAt":
		return args[0].typ
	case "first", "last":
		if kindOf(args[0].typ) == value.Array {
			return args[0].typ.Elem
		}
	}
	return typeOf[fn.Result()]
}
