package expression

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/diag"
	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

// method compiles a call on a value.
func (b *builder) method(n *ast.CallNode, callee *ast.MemberNode) term {
	property, ok := callee.Property.(*ast.StringNode)
	if !ok {
		b.failAt(n.Location(), &Error{Code: CodeUnknownFunc, Summary: "only functions can be called", Fix: "see docs/reference/functions.md"})
		return constant(nil, nil)
	}
	name := property.Value
	m, known := function.Methods[name]
	if !known {
		b.failAt(callee.Location(), unknownMethod(name))
		return constant(nil, nil)
	}
	if len(n.Arguments) != m.Args {
		b.failAt(callee.Location(), &Error{Code: CodeArguments, Summary: name + " takes other arguments", Fix: fmt.Sprintf("give it %d", m.Args)})
		return constant(nil, nil)
	}
	on := b.term(callee.Node, computed)
	args := make([]term, len(n.Arguments))
	for i, a := range n.Arguments {
		args[i] = b.term(a, computed)
	}
	return term{eval: methodOn(m, name, on, args)}
}

func methodOn(m function.Method, name string, on term, args []term) func(f *Frame) (any, error) {
	return func(f *Frame) (any, error) {
		v, err := on.eval(f)
		if err != nil {
			return nil, err
		}
		values := make([]any, len(args))
		for i := range args {
			if values[i], err = args[i].eval(f); err != nil {
				return nil, err
			}
		}
		switch t := v.(type) {
		case time.Time:
			if m.Time != nil {
				return m.Time(t, values)
			}
		case time.Duration:
			if m.Duration != nil {
				return m.Duration(t), nil
			}
		case nil:
			return nil, isNull(on)
		}
		return nil, fmt.Errorf("%s has no %s(): times and durations have; date(…) reads a time from text", value.Describe(v), name)
	}
}

func unknownMethod(name string) *Error {
	known := slices.Sorted(maps.Keys(function.Methods))
	fix := "functions take a value as their argument: f(v); see docs/reference/functions.md"
	near := diag.Suggest(name, known)
	if near != "" {
		fix = "did you mean ." + near + "()?"
	}
	if function.Named(name) != nil {
		fix, near = "write "+function.Named(name).Signature, ""
	}
	return &Error{Code: CodeUnknownFunc, Summary: "there is no ." + name + "()", Fix: fix, wrong: name, instead: near}
}
