package expression

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/diag"
	"pipelined/internal/value"
)

// method is what can be called on a time or on a duration: now().Year().
type method struct {
	args     int
	time     func(t time.Time, args []any) (any, error)
	duration func(d time.Duration) any
}

var methods = map[string]method{
	"Year":         {time: part0(time.Time.Year)},
	"Month":        {time: part0(func(t time.Time) int { return int(t.Month()) })},
	"Day":          {time: part0(time.Time.Day)},
	"Hour":         {time: part0(time.Time.Hour)},
	"Minute":       {time: part0(time.Time.Minute)},
	"Second":       {time: part0(time.Time.Second)},
	"Weekday":      {time: part0(func(t time.Time) int { return int(t.Weekday()) })},
	"YearDay":      {time: part0(time.Time.YearDay)},
	"Unix":         {time: part0(func(t time.Time) int { return int(t.Unix()) })},
	"UTC":          {time: func(t time.Time, _ []any) (any, error) { return t.UTC(), nil }},
	"In":           {args: 1, time: inZone},
	"Format":       {args: 1, time: formatted},
	"Add":          {args: 1, time: func(t time.Time, args []any) (any, error) { return notNull("Add", add, t, args[0]) }},
	"Sub":          {args: 1, time: func(t time.Time, args []any) (any, error) { return notNull("Sub", subtract, t, args[0]) }},
	"Before":       {args: 1, time: ordered(func(c int) bool { return c < 0 })},
	"After":        {args: 1, time: ordered(func(c int) bool { return c > 0 })},
	"Equal":        {args: 1, time: ordered(func(c int) bool { return c == 0 })},
	"UnixMilli":    {time: part0(func(t time.Time) int { return int(t.UnixMilli()) })},
	"Hours":        {duration: func(d time.Duration) any { return d.Hours() }},
	"Minutes":      {duration: func(d time.Duration) any { return d.Minutes() }},
	"Seconds":      {duration: func(d time.Duration) any { return d.Seconds() }},
	"Milliseconds": {duration: func(d time.Duration) any { return int(d.Milliseconds()) }},
	"String":       {time: func(t time.Time, _ []any) (any, error) { return value.FormatTime(t), nil }, duration: func(d time.Duration) any { return d.String() }},
}

func part0(f func(t time.Time) int) func(time.Time, []any) (any, error) {
	return func(t time.Time, _ []any) (any, error) { return f(t), nil }
}

func inZone(t time.Time, args []any) (any, error) {
	loc, err := zoneArg(args, 0)
	if err != nil {
		return nil, err
	}
	return t.In(loc), nil
}

func formatted(t time.Time, args []any) (any, error) {
	layout, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	return t.Format(layout), nil
}

func notNull(name string, compute func(a, b any) (any, error), t time.Time, v any) (any, error) {
	if v == nil {
		return nil, fmt.Errorf("the argument of %s is null", name)
	}
	return compute(t, v)
}

func ordered(holds func(c int) bool) func(time.Time, []any) (any, error) {
	return func(t time.Time, args []any) (any, error) {
		o, err := timeArg(args, 0)
		if err != nil {
			return nil, err
		}
		return holds(t.Compare(o)), nil
	}
}

// method compiles a call on a value.
func (b *builder) method(n *ast.CallNode, callee *ast.MemberNode) term {
	property, ok := callee.Property.(*ast.StringNode)
	if !ok {
		b.failAt(n.Location(), &Error{Code: CodeUnknownFunc, Summary: "only functions can be called", Fix: "see docs/reference/functions.md"})
		return constant(nil, nil)
	}
	name := property.Value
	m, known := methods[name]
	if !known {
		b.failAt(callee.Location(), unknownMethod(name))
		return constant(nil, nil)
	}
	if len(n.Arguments) != m.args {
		b.failAt(callee.Location(), &Error{Code: CodeArguments, Summary: name + " takes other arguments", Fix: fmt.Sprintf("give it %d", m.args)})
		return constant(nil, nil)
	}
	on := b.term(callee.Node, computed)
	args := make([]term, len(n.Arguments))
	for i, a := range n.Arguments {
		args[i] = b.term(a, computed)
	}
	return term{eval: m.evaluator(name, on, args)}
}

func (m method) evaluator(name string, on term, args []term) func(f *Frame) (any, error) {
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
			if m.time != nil {
				return m.time(t, values)
			}
		case time.Duration:
			if m.duration != nil {
				return m.duration(t), nil
			}
		case nil:
			return nil, isNull(on)
		}
		return nil, fmt.Errorf("%s has no %s(): times and durations have; date(…) reads a time from text", value.Describe(v), name)
	}
}

func unknownMethod(name string) *Error {
	known := slices.Sorted(maps.Keys(methods))
	fix := "functions take a value as their argument: f(v); see docs/reference/functions.md"
	if s := diag.Suggest(name, known); s != "" {
		fix = "did you mean ." + s + "()?"
	}
	if functionByName(name) != nil {
		fix = "write " + functionByName(name).Signature
	}
	return &Error{Code: CodeUnknownFunc, Summary: "there is no ." + name + "()", Fix: fix}
}
