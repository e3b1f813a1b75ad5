package execution

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"pipelined"
)

// RunMain runs the steps of the pipeline that was triggered; stop counts as
// success.
func RunMain(ctx context.Context, x *Execution, flow Flow) error {
	return ended(Protect(x, "", func() error { return flow.Run(ctx, x) }))
}

// ended is how a list of steps ended of which stop is the good end.
func ended(err error) error {
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// RunList runs the steps of catch, finally or a step's on_error; stop ends them and no
// more.
func RunList(ctx context.Context, x *Execution, flow Flow) error { return ended(flow.Run(ctx, x)) }

// RunHandler runs on_error steps with p in scope as `error`; stop ends them well.
func RunHandler(ctx context.Context, x *Execution, flow Flow, p *pipelined.Problem) error {
	restore := x.ShowError(p)
	defer restore()
	x.failed = p
	defer func() { x.failed = nil }()
	return RunMain(ctx, x, flow)
}

// RunCalled runs a called pipeline with its own on_error.
func RunCalled(ctx context.Context, x *Execution) error {
	if x.callee.OnError == nil {
		return RunList(ctx, x, x.callee.Flow)
	}
	mark := x.Effects.Begin()
	err := RunList(ctx, x, x.callee.Flow)
	if err == nil {
		x.Effects.Keep()
		return nil
	}
	x.Effects.Rollback(mark)
	if Beyond(ctx, err) {
		return err
	}
	p := pipelined.AsProblem(err)
	restore := x.ShowError(p)
	defer restore()
	herr := RunList(ctx, x, x.callee.OnError)
	if herr == nil || Beyond(ctx, herr) {
		return herr
	}
	return Because(herr, p)
}

// Because is an error that happened while another was being handled: the first one
// is kept as the cause of the last.
func Because(err error, first *pipelined.Problem) *pipelined.Problem {
	p := pipelined.AsProblem(err).Clone()
	last := p
	for last.Cause != nil {
		last.Cause = last.Cause.Clone()
		last = last.Cause
	}
	if last != first && !sameProblem(last, first) {
		last.Cause = first
	}
	return p
}

func sameProblem(a, b *pipelined.Problem) bool {
	return a.Type == b.Type && a.Step == b.Step && a.Pipeline == b.Pipeline && a.Detail == b.Detail
}

type compensation struct {
	step string
	flow Flow
	x    *Execution
}

// Compensable notes that a step succeeded which flow undoes. The steps see the
// values as they are now.
func (x *Execution) Compensable(step string, flow Flow) {
	frozen := *x
	frozen.Frame = x.Frame.Fork()
	x.Run.mu.Lock()
	defer x.Run.mu.Unlock()
	x.Run.compensations = append(x.Run.compensations, compensation{step, flow, &frozen})
}

// Compensate undoes the steps that succeeded before the flow failed, last first.
// A compensation that fails does not keep the others from running; what failed is
// returned for the record.
func (x *Execution) Compensate(ctx context.Context, p *pipelined.Problem) []*pipelined.Problem {
	x.Run.mu.Lock()
	list := x.Run.compensations
	x.Run.compensations = nil
	x.Run.mu.Unlock()
	var failed []*pipelined.Problem
	for i := len(list) - 1; i >= 0; i-- {
		c := list[i]
		c.x.Effects = x.Effects
		mark := x.Effects.Mark()
		if err := RunHandler(ctx, c.x, c.flow, p); err != nil {
			x.Effects.Rollback(mark)
			q := pipelined.AsProblem(err)
			x.Run.Logger.ErrorContext(ctx, "a compensation failed", "pipeline", x.Run.Pipeline,
				"execution", x.Run.ID, "step", c.step, "problem", q.Type, "detail", q.Detail)
			failed = append(failed, q)
		}
	}
	return failed
}

// Protect calls f and turns a panic into a problem with its trace in the log; step
// is the step that f is of, where there is one. It is the one place where panics are
// recovered: what a step does is called through it, and what starts a goroutine wraps
// that in it.
func Protect(x *Execution, step string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			x.Run.Logger.Error("a step panicked", "pipeline", x.Pipeline(), "execution", x.Run.ID, "step", step,
				"panic", fmt.Sprint(r), "trace", string(debug.Stack()))
			err = pipelined.Problemf(pipelined.TypeInternal, "A step panicked", 500, "%v", r)
		}
	}()
	return f()
}
