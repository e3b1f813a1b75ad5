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
		return runCallee(ctx, x)
	}
	mark := x.Effects.Begin()
	err := runCallee(ctx, x)
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

// runCallee runs the steps of a called pipeline, and has its after_commit follow if they
// end well.
func runCallee(ctx context.Context, x *Execution) error {
	if err := RunList(ctx, x, x.callee.Flow); err != nil {
		return err
	}
	return x.Defer(x.callee)
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
