package step

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
)

// Action is what a step does. Run returns the step's result, a value. It may be
// called from many goroutines with different Executions.
type Action interface {
	Run(ctx context.Context, x *Execution) (any, error)
}

// Flow is a compiled list of steps.
type Flow []*Node

// Node is one compiled step.
type Node struct {
	Name   string // as the author gave it, or the action's key and position
	Key    string // the action: "foreach", "rest", "db.query"
	At     diag.Range
	Action Action

	named     bool
	slot      int // of the result; -1 for an unnamed step
	errorSlot int // of steps.<name>.error; -1 unless on_error is continue
	connector bool

	when       expression.Condition
	timeout    time.Duration
	retry      *Retry
	compensate Flow
	onError    ErrorPolicy
	handler    Flow
	options    bool // whether any of timeout, retry, compensate, on_error is set
}

// ErrorPolicy says what a step's failure does.
type ErrorPolicy int

const (
	FailFlow    ErrorPolicy = iota
	Continue                // the result is null, the flow goes on
	HandleSteps             // the handler runs instead
)

// Retry is a step's in-memory retry policy.
type Retry struct {
	Attempts int // tries in all
	Backoff  pipelined.Backoff
	When     expression.Condition
}

// errStop ends a flow successfully; it travels as an error so that every
// container unwinds.
var errStop = errors.New("stop")

// Run runs the steps in order. A stop step ends it with errStop, which the
// outermost caller (RunMain) turns into success.
func (f Flow) Run(ctx context.Context, x *Execution) error {
	for _, n := range f {
		if err := n.run(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) run(ctx context.Context, x *Execution) error {
	if ctx.Err() != nil {
		return n.problem(x, context.Cause(ctx), 0)
	}
	if !n.when.IsZero() {
		ok, err := n.when.Bool(x.Frame)
		if err != nil {
			return n.problem(x, err, 0)
		}
		if !ok {
			x.set(n.slot, nil)
			return nil
		}
	}
	if n.options {
		return n.guarded(ctx, x)
	}
	result, err := n.Action.Run(ctx, x)
	if err != nil {
		return n.problem(x, err, 0)
	}
	x.set(n.slot, result)
	return nil
}

// guarded runs the action under its options.
func (n *Node) guarded(ctx context.Context, x *Execution) error {
	result, err := n.tries(ctx, x)
	if err == nil {
		x.set(n.slot, result)
		if n.errorSlot >= 0 {
			x.Frame.Slots[n.errorSlot] = nil
		}
		if n.compensate != nil {
			x.pushCompensation(n)
		}
		return nil
	}
	if errors.Is(err, errStop) || n.onError == FailFlow || beyond(ctx, err) {
		return err
	}
	return n.handle(ctx, x, pipelined.AsProblem(err))
}

// tries runs the action until it succeeds, may not be retried, or has used up
// its attempts. Every failed try leaves no effects.
func (n *Node) tries(ctx context.Context, x *Execution) (any, error) {
	for try := 1; ; try++ {
		mark := x.Effects.Mark()
		result, err := n.once(ctx, x)
		if err == nil || errors.Is(err, errStop) {
			return result, err
		}
		x.Effects.Rollback(mark)
		if beyond(ctx, err) {
			return nil, n.problem(x, err, try)
		}
		p := pipelined.AsProblem(n.problem(x, err, try))
		if n.retry == nil || try >= n.retry.Attempts || ctx.Err() != nil {
			return nil, p
		}
		again, err := n.retriable(x, p)
		if err != nil {
			return nil, n.problem(x, err, try)
		}
		if !again {
			return nil, p
		}
		wait := n.retry.Backoff.Wait(try, x.Run.Host.Random())
		if ra := p.RetryAfter; ra > wait {
			wait = ra
			if m := n.retry.Backoff.Max; m > 0 && wait > m {
				wait = m
			}
		}
		if err := pipelined.Sleep(ctx, x.Run.Clock, wait); err != nil {
			return nil, p
		}
	}
}

// once runs one try under the step's timeout.
func (n *Node) once(ctx context.Context, x *Execution) (any, error) {
	if n.timeout <= 0 {
		return n.Action.Run(ctx, x)
	}
	limit := pipelined.Problemf(pipelined.TypeTimeout, "The step ran out of time", 504,
		"the limit is %s", n.timeout).Transient()
	tctx, cancel := context.WithTimeoutCause(ctx, n.timeout, limit)
	defer cancel()
	result, err := n.Action.Run(tctx, x)
	if err != nil && tctx.Err() != nil && ctx.Err() == nil {
		return nil, limit.Clone()
	}
	return result, err
}

func (n *Node) retriable(x *Execution, p *pipelined.Problem) (bool, error) {
	if n.retry.When.IsZero() {
		return p.Retriable, nil
	}
	restore := x.showError(p)
	defer restore()
	return n.retry.When.Bool(x.Frame)
}

// handle applies the step's own on_error.
func (n *Node) handle(ctx context.Context, x *Execution, p *pipelined.Problem) error {
	x.set(n.slot, nil)
	if n.onError == Continue {
		if n.errorSlot >= 0 {
			x.Frame.Slots[n.errorSlot] = ProblemValue(p)
		}
		x.Run.Logger.WarnContext(ctx, "step failed and the flow goes on",
			"pipeline", x.Run.Pipeline, "execution", x.Run.ID, "step", n.Name, "problem", p.Type, "detail", p.Detail)
		return nil
	}
	restore := x.showError(p)
	defer restore()
	return n.handler.Run(ctx, x)
}

// problem places an error: which pipeline, step and connector it came from. A
// problem that already knows its step keeps it.
func (n *Node) problem(x *Execution, err error, try int) error {
	if errors.Is(err, errStop) {
		return err
	}
	p := pipelined.AsProblem(err)
	if p.Step != "" && p.Pipeline != "" {
		return p
	}
	p = p.Clone()
	if p.Pipeline == "" {
		p.Pipeline = x.Run.Pipeline
	}
	if p.Step == "" {
		p.Step = n.Name
		if n.connector {
			p.Connector = n.Key
		}
		if try > 0 {
			p.Attempt = try
		}
	}
	return p
}

// beyond reports whether an error is not the flow's to handle: the runtime drains,
// or another execution changed what this one read and it has to run again.
func beyond(ctx context.Context, err error) bool {
	return stopping(ctx) || pipelined.AsProblem(err).Type == pipelined.TypeConflict
}

// stopping reports whether the work was cut off because the runtime drains;
// such an execution is not a failure and runs no handlers.
func stopping(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), pipelined.ErrStopping)
}

// Protect calls f and turns a panic into a problem with its trace in the log.
// It is the one place where panics are recovered: the engine wraps every
// execution in it, and steps that start goroutines wrap each of those.
func Protect(x *Execution, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			x.Run.Logger.Error("a step panicked", "pipeline", x.Run.Pipeline,
				"execution", x.Run.ID, "panic", fmt.Sprint(r), "trace", string(debug.Stack()))
			err = pipelined.Problemf(pipelined.TypeInternal, "A step panicked", 500, "%v", r)
		}
	}()
	return f()
}
