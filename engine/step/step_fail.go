package step

import (
	"context"
	"fmt"
	"strings"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

type failParams struct {
	Fail failValue `yaml:"fail" required:"" doc:"The error to end the flow with."`
}

type failValue struct {
	Type      field.Text `yaml:"type" required:"" doc:"Stable name, such as order/rejected."`
	Title     field.Text `yaml:"title" doc:"Short, the same for every failure of this type; default is the type."`
	Status    field.JSON `yaml:"status" doc:"HTTP status that fits; default 500."`
	Detail    field.Text `yaml:"detail" doc:"This very failure, for a person."`
	Retriable field.JSON `yaml:"retriable" doc:"Whether the same input may succeed later; default false."`
}

func failControl() *Control {
	return define("fail", "Ends the flow with an error of the author's own; with when it is a guard.", "", `
- when: input.total < 0
  fail: { type: order/negative, title: Negative total, status: 422, detail: "order ${{ input.id }}" }
`, func(_ *Compiler, c *field.Context, _ *Node, p *failParams) Action {
		if typ, ok := p.Fail.Type.Literal(); ok && reserved(typ) {
			c.Report(CodeFailType, diag.Error, c.Pos("fail"), fmt.Sprintf("%q is a type of the runtime's own", typ),
				"Who reads the error would take it for one of the runtime.", "name what went wrong in your own words, such as order/rejected")
			return nil
		}
		return &fail{p.Fail}
	})
}

type fail struct{ failValue }

func (*fail) ends() {}

func (f *fail) Run(_ context.Context, x *execution.Execution) (any, error) {
	typ, err := f.Type.Eval(x.Frame)
	if err != nil {
		return nil, err
	}
	title := typ
	if !f.Title.IsZero() {
		if title, err = f.Title.Eval(x.Frame); err != nil {
			return nil, err
		}
	}
	detail, err := f.Detail.Eval(x.Frame)
	if err != nil {
		return nil, err
	}
	if reserved(typ) {
		return nil, pipelined.Problemf(pipelined.TypeFail, "Not a type for fail", 500,
			"%q: types that begin with engine/ are the runtime's own", typ)
	}
	status, err := statusOf(x, "fail", f.Status)
	if err != nil {
		return nil, err
	}
	p := pipelined.NewProblem(typ, title, status, detail)
	if !f.Retriable.IsZero() {
		v, err := f.Retriable.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		p.Retriable = v == true
	}
	p.Own, p.Rejected = true, status < 500
	return nil, p
}

// reserved reports whether a problem type belongs to the runtime.
func reserved(typ string) bool { return strings.HasPrefix(typ, "engine/") }

// statusOf is the status of an author's own error; 500 where none is written.
func statusOf(x *execution.Execution, key string, status field.JSON) (int, error) {
	if status.IsZero() {
		return 500, nil
	}
	v, err := status.Eval(x.Frame)
	if err != nil {
		return 0, err
	}
	s, ok := value.Int(v)
	if !ok || s < 400 || s > 599 {
		return 0, pipelined.Problemf(pipelined.TypeExpression, key+".status is not 400 to 599", 500, "it is %s", value.Describe(v))
	}
	return int(s), nil
}
