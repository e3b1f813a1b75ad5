package step

import (
	"context"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

type assertParams struct {
	Assert  expression.Condition `yaml:"assert" required:"" doc:"Bare expression that must be true."`
	Message field.Text           `yaml:"message" doc:"What to say when it is not."`
	Status  field.JSON           `yaml:"status" doc:"HTTP status that fits, 400 to 599; default 500. With 4xx the request is at fault: it is rejected, and no failure."`
}

func assertControl() *Control {
	return define("assert", "Fails the flow unless a condition holds.", "", `
- assert: input.total >= 0
  message: a total cannot be negative
`, func(_ *Compiler, _ *field.Context, _ *Node, p *assertParams) Action {
		return &assert{p.Assert, p.Message, p.Status}
	})
}

type assert struct {
	condition expression.Condition
	message   field.Text
	status    field.JSON
}

func (a *assert) Run(_ context.Context, x *execution.Execution) (any, error) {
	ok, err := a.condition.Bool(x.Frame)
	if err != nil || ok {
		return nil, err
	}
	detail := a.condition.Source() + " is false"
	if !a.message.IsZero() {
		if detail, err = a.message.Eval(x.Frame); err != nil {
			return nil, err
		}
	}
	status, err := statusOf(x, "assert", a.status)
	if err != nil {
		return nil, err
	}
	p := pipelined.NewProblem(pipelined.TypeAssert, "An assertion does not hold", status, detail)
	p.Own, p.Rejected = !a.message.IsZero(), status < 500
	return nil, p
}
