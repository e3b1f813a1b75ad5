package expression

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"pipelined"
	"pipelined/internal/value"
)

// Source is the expression as written.
func (p *Program) Source() string { return p.source }

// Paths are the dotted static paths the expression reads: "input.lines".
func (p *Program) Paths() []string { return p.paths }

// Uses reports whether the expression reads a name or anything below it.
func (p *Program) Uses(root string) bool { return p.roots[root] }

// Constant returns the value of an expression that reads nothing and is a literal.
func (p *Program) Constant() (any, bool) { return p.constant, p.fixed }

// Eval evaluates the expression. Errors are problems of type expression/failed
// that name the expression and never tell what is in a payload.
func (p *Program) Eval(f *Frame) (any, error) {
	switch {
	case p.fixed:
		return p.constant, nil
	case p.single:
		v, err := p.reads[0].value(f)
		if err != nil {
			return nil, p.problem(err)
		}
		return v, nil
	}
	f.cost = 0
	m := machines.Get().(*vm.VM)
	v, err := m.Run(p.code, f)
	machines.Put(m)
	if err != nil {
		return nil, p.problem(err)
	}
	if n, ok := v.(float64); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
		return nil, p.problem(errors.New("the result is not a number"))
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
	reason := err.Error()
	var f *file.Error
	if errors.As(err, &f) {
		reason = f.Message
	}
	reason = strings.NewReplacer("<nil>", "null", "interface {}", "a value", "map[string]interface {}", "an object",
		"[]interface {}", "a list", "interface conversion: a value is ", "this is ").Replace(reason)
	return pipelined.Problemf(pipelined.TypeExpression, "An expression cannot be evaluated", 500, "%s: %s%s", p.source, reason, p.nulls(reason))
}

// nulls names what an expression read, where the failure is about a null.
func (p *Program) nulls(reason string) string {
	if !strings.Contains(reason, "null") || len(p.paths) == 0 {
		return ""
	}
	return " (it reads " + strings.Join(p.paths, ", ") + ")"
}

// value performs a read.
func (r *read) value(f *Frame) (any, error) {
	v := f.Slots[r.slot]
	if v == Unset {
		if r.lenient {
			return nil, nil
		}
		return nil, fmt.Errorf("%s is not set yet at this point", r.name)
	}
	v = value.Exact(v, r.path)
	if r.output {
		return v, nil
	}
	return value.Open(v), nil
}

var errCost = errors.New("the expression takes too long: it looks at too many elements")

// spend counts the cost of an evaluation; closures over nested lists are where it
// adds up.
func (f *Frame) spend() error {
	if f.cost++; f.cost > maxCost {
		return errCost
	}
	return nil
}

// bind gives the machine the internal functions of this program.
func (p *Program) bind(c *conf.Config) {
	add := func(name string, fn func(args ...any) (any, error)) {
		c.Functions[name] = &builtin.Function{Name: name, Func: fn}
	}
	predicate := func(name string, fn func(args ...any) (any, error)) {
		c.Functions[name] = &builtin.Function{Name: name, Func: fn, Types: boolFunction}
	}
	add(fnRead, func(args ...any) (any, error) {
		f := args[0].(*Frame)
		if err := f.spend(); err != nil {
			return nil, err
		}
		return p.reads[args[1].(int)].value(f)
	})
	add(fnField, func(args ...any) (any, error) {
		v := value.Exact(args[0], p.fields[args[1].(int)])
		if mode(args[2].(int)) == output {
			return v, nil
		}
		return value.Open(v), nil
	})
	add(fnAt, at)
	add(fnOpen, func(args ...any) (any, error) { return value.Open(args[0]), nil })
	add(fnEach, scalars)
	add(fnObject, object)
	add("$keys", ofMembers(func(k string, _ any) any { return k }))
	add("$values", ofMembers(func(_ string, v any) any { return v }))
	add("$toPairs", ofMembers(func(k string, v any) any { return []any{k, v} }))
	add(fnAdd, addition)
	add(fnSub, subtraction)
	add(fnMul, multiplication)
	add(fnDiv, division)
	add(fnMod, modulo)
	add("$now", func(args ...any) (any, error) { return args[0].(*Frame).Host.Now(), nil })
	predicate(fnEqual, func(args ...any) (any, error) { return value.Equal(args[0], args[1]), nil })
	predicate(fnIn, contains)
}
