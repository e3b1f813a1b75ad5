package step

import (
	"context"
	"time"

	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

type delayParams struct {
	Delay field.JSON `yaml:"delay" required:"" doc:"A short duration; the execution waits. For a long one, publish with delay."`
}

// longDelay is where lint begins to suggest a delayed event.
const longDelay = time.Minute

func delayControl() *Control {
	return define("delay", "Waits a short time.", "", `
- delay: 250ms
`, func(_ *Compiler, c *field.Context, _ *Node, p *delayParams) Action {
		if v, ok := p.Delay.Constant(); ok {
			d, err := durationOf(v)
			if err != nil {
				c.Report(CodeLongDelay, diag.Error, c.Pos("delay"), "delay takes a duration", "The step would fail.", "write 250ms, 5s or 15m")
				return nil
			}
			if d > longDelay {
				c.Report(CodeLongDelay, diag.Warning, c.Pos("delay"), "this delay is long for a step",
					"The execution holds its place all that time, and a restart begins it again.",
					"publish an event with `delay:` and go on in the pipeline that takes it")
			}
		}
		return &delay{p.Delay}
	})
}

type delay struct{ duration field.JSON }

func (s *delay) Run(ctx context.Context, x *execution.Execution) (any, error) {
	v, err := s.duration.Eval(x.Frame)
	if err != nil {
		return nil, err
	}
	d, err := durationOf(v)
	if err != nil {
		return nil, err
	}
	return nil, x.Run.Host.Sleep(ctx, d)
}
