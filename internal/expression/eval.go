package expression

import (
	"fmt"

	"pipelined"
	"pipelined/internal/value"
)

// Source is the expression as written.
func (p *Program) Source() string { return p.source }

// Constant returns the value of an expression that depends on nothing.
func (p *Program) Constant() (any, bool) { return p.root.value, p.root.fixed }

// Type is what is known of the expression's value at load; nil if nothing is.
func (p *Program) Type() *Type { return p.root.typ }

// Eval evaluates the expression. Errors are problems of type expression/failed
// that name the expression and never tell what is in a payload.
func (p *Program) Eval(f *Frame) (any, error) {
	if p.root.fixed {
		return p.root.value, nil
	}
	f.cost, f.memory = 0, 0
	if len(f.locals) < p.locals {
		f.locals = make([]local, p.locals)
	}
	v, err := p.root.eval(f)
	if err != nil {
		return nil, p.problem(err)
	}
	return v, nil
}

// Bool evaluates a condition.
func (p *Program) Bool(f *Frame) (bool, error) {
	v, err := p.Eval(f)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, p.problem(fmt.Errorf("it gives %s, not true or false", value.Describe(v)))
	}
	return b, nil
}

// AppendJSON evaluates the expression and appends the result as JSON.
func (p *Program) AppendJSON(dst []byte, f *Frame) ([]byte, error) {
	v, err := p.Eval(f)
	if err != nil {
		return dst, err
	}
	out, err := value.Append(dst, v)
	if err != nil {
		return dst, p.problem(err)
	}
	return out, nil
}

func (p *Program) problem(err error) error {
	return pipelined.Problemf(pipelined.TypeExpression, "An expression cannot be evaluated", 500, "%s: %s", p.source, err)
}
