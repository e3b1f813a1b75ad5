package step

import (
	"context"
	"errors"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
)

// Action is what a step does. Run returns the step's result, a value. It may be
// called from many goroutines with different Executions.
type Action interface {
	Run(ctx context.Context, x *execution.Execution) (any, error)
}

// Flow is a compiled list of steps.
type Flow []*Node

// Node is one compiled step.
type Node struct {
	Name string // as the author gave it, or the action's key and position
	// Identity names the step across edits of the file around it: its name, or a digest
	// of what it says and its ordinal among equal ones.
	Identity string
	Key      string // the action: "foreach", "rest", "db.query"
	At       diag.Range
	Action   Action

	named     bool
	effect    connectors.Effect // of a connector's call, as far as literals tell
	slot      int               // of the result; -1 for an unnamed step
	errorSlot int               // of steps.<name>.error; -1 unless on_error is continue

	when    expression.Condition
	timeout time.Duration
	retry   *Retry
	undo    *execution.Later // compensate; nil: none
	onError ErrorPolicy
	handler Flow
	options bool // whether any of timeout, retry, compensate, on_error is set
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

// Run runs the steps in order. A stop step ends it with execution.ErrStop, which the
// outermost caller (RunMain) turns into success.
func (f Flow) Run(ctx context.Context, x *execution.Execution) error {
	for _, n := range f {
		if err := n.run(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) run(ctx context.Context, x *execution.Execution) error {
	if ctx.Err() != nil {
		return n.problem(x, context.Cause(ctx), 1)
	}
	if !n.when.IsZero() {
		ok, err := n.holds(x, n.when)
		if err != nil {
			return n.problem(x, err, 1)
		}
		if !ok {
			x.Set(n.slot, nil)
			return nil
		}
	}
	if n.options {
		return n.guarded(ctx, x)
	}
	result, err := n.act(ctx, x)
	if err != nil {
		return n.problem(x, err, 1)
	}
	x.Set(n.slot, result)
	return nil
}

// composite is an action that is made of steps: what they did stays when the flow is
// stopped.
type composite interface{ composite() }

// act runs the action. One that is cut off because a branch beside it stopped the flow
// has not failed.
func (n *Node) act(ctx context.Context, x *execution.Execution) (result any, err error) {
	err = execution.Protect(x, n.Name, func() (err error) {
		result, err = n.Action.Run(ctx, x)
		return err
	})
	if err == nil {
		return result, nil
	}
	if _, made := n.Action.(composite); !made {
		err = cut(ctx, err)
	}
	return result, err
}

// cut is err, unless that comes of the flow having been stopped.
func cut(ctx context.Context, err error) error {
	if err != nil && execution.Stopped(ctx) {
		return execution.ErrStop
	}
	return err
}

// holds evaluates one of the step's conditions.
func (n *Node) holds(x *execution.Execution, c expression.Condition) (ok bool, err error) {
	err = execution.Protect(x, n.Name, func() (err error) {
		ok, err = c.Bool(x.Frame)
		return err
	})
	return ok, err
}

// guarded runs the action under its options.
func (n *Node) guarded(ctx context.Context, x *execution.Execution) error {
	err := n.compensable(ctx, x)
	if err == nil {
		if n.errorSlot >= 0 {
			x.Frame.Slots[n.errorSlot] = nil
		}
		return nil
	}
	if errors.Is(err, execution.ErrStop) || n.onError == FailFlow || execution.Beyond(ctx, err) {
		return err
	}
	return n.handle(ctx, x, pipelined.AsProblem(err))
}

// compensable runs the tries of a step as a deed that can be undone, if it says how.
func (n *Node) compensable(ctx context.Context, x *execution.Execution) error {
	if n.undo == nil {
		result, err := n.tries(ctx, x)
		if err == nil {
			x.Set(n.slot, result)
		}
		return err
	}
	deed, end := x.Attempt(n.undo)
	result, err := n.tries(ctx, x)
	end()
	switch {
	case err == nil:
		x.Set(n.slot, result)
	case !errors.Is(err, execution.ErrStop): // what was done before a stop stays done
		x.Fail(ctx, deed, err)
		return err
	}
	if jerr := x.Succeed(ctx, deed); jerr != nil {
		return n.problem(x, jerr, 1)
	}
	return err
}

// tries runs the action until it succeeds, may not be retried, or has used up
// its attempts. Every failed try leaves no effects.
func (n *Node) tries(ctx context.Context, x *execution.Execution) (any, error) {
	var before *pipelined.Problem // what the tries before failed of
	for try := 1; ; try++ {
		result, err := n.try(ctx, x)
		if err == nil || errors.Is(err, execution.ErrStop) || execution.Beyond(ctx, err) {
			return result, err
		}
		p := pipelined.AsProblem(n.problem(x, err, try))
		if before != nil && p.Type == pipelined.TypeStream { // an earlier try has read the stream
			p = execution.Because(p, before)
		} else {
			before = p
		}
		if n.retry == nil || try >= n.retry.Attempts || ctx.Err() != nil {
			return nil, p
		}
		again, err := n.retriable(x, p)
		if err != nil {
			return nil, execution.Because(n.problem(x, err, try), p)
		}
		if !again {
			return nil, p
		}
		if err := x.Run.Host.Sleep(ctx, n.retry.Backoff.WaitAtLeast(try, x.Run.Values.Random(), p.RetryAfter)); err != nil {
			return nil, n.interrupted(ctx, p)
		}
	}
}

// interrupted is how a step ends that waited for its next try when the work was cut
// off.
func (n *Node) interrupted(ctx context.Context, p *pipelined.Problem) error {
	if execution.Stopped(ctx) {
		return execution.ErrStop
	}
	return p
}

// try runs the action once. Where the flow can survive its failure, nothing of it is
// seen by others before it has succeeded.
func (n *Node) try(ctx context.Context, x *execution.Execution) (any, error) {
	if n.retry == nil && n.onError == FailFlow {
		return n.once(ctx, x)
	}
	mark := x.Effects.Begin()
	result, err := n.once(ctx, x)
	if err == nil || errors.Is(err, execution.ErrStop) {
		x.Effects.Keep()
	} else {
		x.Effects.Rollback(mark)
	}
	return result, err
}

// once runs one try under the step's timeout.
func (n *Node) once(ctx context.Context, x *execution.Execution) (any, error) {
	if n.timeout <= 0 {
		return n.act(ctx, x)
	}
	limit := pipelined.Problemf(pipelined.TypeTimeout, "The step ran out of time", 504,
		"the limit is %s", n.timeout).Transient()
	tctx, cancel := x.Run.Host.WithTimeout(ctx, n.timeout, limit)
	defer cancel()
	result, err := n.act(tctx, x)
	if err != nil && tctx.Err() != nil && ctx.Err() == nil && !errors.Is(err, execution.ErrStop) {
		return nil, limit.Clone()
	}
	return result, err
}

func (n *Node) retriable(x *execution.Execution, p *pipelined.Problem) (bool, error) {
	if n.retry.When.IsZero() {
		return p.Retriable, nil
	}
	restore := x.ShowError(p)
	defer restore()
	return n.holds(x, n.retry.When)
}

// handle applies the step's own on_error.
func (n *Node) handle(ctx context.Context, x *execution.Execution, p *pipelined.Problem) error {
	x.Set(n.slot, nil)
	if n.onError == Continue {
		if n.errorSlot >= 0 {
			x.Frame.Slots[n.errorSlot] = execution.ProblemValue(p)
		}
		x.Run.Logger.WarnContext(ctx, "step failed and the flow goes on",
			"pipeline", x.Pipeline(), "execution", x.Run.ID, "step", n.Name, "problem", p.Type, "detail", p.Detail)
		return nil
	}
	restore := x.ShowError(p)
	defer restore()
	err := execution.RunList(ctx, x, n.handler)
	if err == nil || execution.Signal(err) || execution.Beyond(ctx, err) {
		return err
	}
	return execution.Because(err, p)
}

// problem places an error: which pipeline, step and action it came from, at which
// try. A problem that already knows its step keeps it; a signal stays what it is.
func (n *Node) problem(x *execution.Execution, err error, try int) error {
	if err == nil || execution.Signal(err) {
		return err
	}
	p := pipelined.AsProblem(err)
	if p.Step != "" && p.Pipeline != "" {
		return p
	}
	p = p.Clone()
	if p.Pipeline == "" {
		p.Pipeline = x.Pipeline()
	}
	if p.Step == "" {
		p.Step, p.Connector, p.Attempt = n.Name, n.Key, try
	}
	return p
}
