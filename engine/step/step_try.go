package step

import (
	"context"
	"errors"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

type tryParams struct {
	Try     Block `yaml:"try" required:"" doc:"Steps that may fail; if they do, what they published and wrote is dropped."`
	Catch   Block `yaml:"catch" doc:"Runs when they failed, with error in scope; the flow then goes on."`
	Finally Block `yaml:"finally" doc:"Runs in every case."`
}

func tryControl() *Control {
	return define("try", "Runs steps whose failure the flow can survive.", "", `
- try:
    - fail: { type: demo/broken, title: Broken }
  catch:
    - log: { level: warn, message: "${{ error.title }}" }
  finally:
    - log: { message: done }
`, func(b *Compiler, c *field.Context, _ *Node, p *tryParams) Action {
		if p.Catch.node == nil && p.Finally.node == nil {
			c.Report(CodeBadSwitch, diag.Error, p.Try.node, "try has neither catch nor finally",
				"It would change nothing.", "add `catch:` with a list of steps")
			return nil
		}
		t := &try{hasCatch: p.Catch.node != nil}
		t.body = b.block(c, p.Try, c.Symbols)
		t.catch = b.block(c, p.Catch, WithError(c.Symbols))
		t.finally = b.block(c, p.Finally, c.Symbols)
		return t
	})
}

type try struct {
	body, catch, finally Flow
	hasCatch             bool
}

func (*try) composite() {}

func (t *try) Run(ctx context.Context, x *execution.Execution) (any, error) {
	err := t.tried(ctx, x)
	if len(t.finally) == 0 {
		return nil, err
	}
	// finally runs even when the context has ended, or a timeout would skip the
	// very clean-up it is there for.
	ferr := execution.RunList(context.WithoutCancel(ctx), x, t.finally)
	switch {
	case ferr == nil || execution.Beyond(ctx, err):
		return nil, err
	case err == nil || errors.Is(err, execution.ErrStop) || execution.Signal(ferr):
		return nil, ferr
	}
	return nil, execution.Because(ferr, pipelined.AsProblem(err))
}

// tried runs the body and, if it fails, catch.
func (t *try) tried(ctx context.Context, x *execution.Execution) error {
	mark := x.Effects.Begin()
	err := t.body.Run(ctx, x)
	if err == nil || errors.Is(err, execution.ErrStop) {
		x.Effects.Keep()
		return err
	}
	x.Effects.Rollback(mark)
	if execution.Beyond(ctx, err) || !t.hasCatch {
		return err
	}
	return t.caught(ctx, x, pipelined.AsProblem(err))
}

// caught runs catch with p in scope; a failure of catch keeps p as its cause.
func (t *try) caught(ctx context.Context, x *execution.Execution, p *pipelined.Problem) error {
	restore := x.ShowError(p)
	defer restore()
	err := execution.RunList(ctx, x, t.catch)
	if err == nil || execution.Signal(err) {
		return err
	}
	return execution.Because(err, p)
}
