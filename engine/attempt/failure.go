package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/expression"
	"pipelined/internal/store"
	"pipelined/objectstore"
	"pipelined/triggers"
)

// fail decides what becomes of a run that failed, from the inside out: put off, or
// else compensated, handled by on_error, and kept.
func (t *run) fail(ctx context.Context, err error) {
	if t.beyond(ctx, err) {
		return
	}
	p := sound(pipelined.AsProblem(err))
	if p.Pipeline == "" {
		p = p.Clone()
		p.Pipeline = t.Pipeline.Name
	}
	t.o.Problem, t.o.Status = p, StatusFailed
	t.x.Effects.Drop()
	t.x.DropReply()
	if t.Left != nil {
		t.failLeft(ctx, p)
		return
	}
	if t.putOff(p) {
		return
	}
	hctx, cancel := t.limit(ctx, t.Pipeline.Timeout)
	defer cancel()
	if !t.compensate(hctx, p) || !t.onError(hctx) {
		return
	}
	if err := t.keep(ctx); err != nil { // not within the pipeline's time, which its handlers may have used up
		t.lose(ctx, err)
	}
}

// lose decides what becomes of a failure that could not be kept: where the store could
// not be read it did not happen, so that its cause comes again.
func (t *run) lose(ctx context.Context, err error) {
	switch {
	case t.beyond(ctx, err):
	case unreadable(err):
		t.o.unkept = fmt.Errorf("keep a failure: %w: %w", store.ErrUnavailable, err)
	default:
		t.Logger.Error("a failure could not be kept", "pipeline", t.Pipeline.Name, "execution", t.o.ID, "err", err)
	}
}

// unreadable reports whether the store could not be read.
func unreadable(err error) bool {
	var p *pipelined.Problem
	return errors.As(err, &p) && p.Type == pipelined.TypeUnavailable
}

// sound is a problem that can be written as JSON: data that is none, which only a
// connector with a bug adds, is left out.
func sound(p *pipelined.Problem) *pipelined.Problem {
	if _, err := json.Marshal(p); err == nil {
		return p
	}
	p = p.Clone()
	p.Data, p.Cause = nil, nil
	return p
}

// beyond notes what is no failure: the runtime drains, or what the run read has
// changed. It reports whether it was that.
func (t *run) beyond(ctx context.Context, err error) bool {
	switch {
	case execution.Stopping(ctx), errors.Is(err, pipelined.ErrStopping):
		t.o.Aborted = true
	case errors.Is(err, objectstore.ErrStale):
		t.o.stale = err
	default:
		return false
	}
	return true
}

// note adds to the record of the failure what else went wrong.
func (t *run) note(what string) {
	p := t.o.Problem.Clone()
	if p.Note != "" {
		p.Note += "; "
	}
	p.Note += what
	t.o.Problem = p
}

// onError runs the pipeline's own on_error. It reports whether the run goes on.
func (t *run) onError(ctx context.Context) bool {
	handler := t.Pipeline.Callee.OnError
	if handler == nil {
		return true
	}
	mark := t.x.Effects.Mark()
	err := execution.RunHandler(ctx, t.x, handler, t.o.Problem)
	if err == nil {
		t.o.Handled = "on_error"
		return true
	}
	if t.beyond(ctx, err) {
		return false
	}
	t.x.Effects.Rollback(mark)
	t.x.DropReply()
	t.o.Problem = execution.Because(err, t.o.Problem)
	return t.compensate(ctx, t.o.Problem) // what on_error itself did
}

// putOff has the cause come again later, if its trigger says so and attempts remain.
func (t *run) putOff(p *pipelined.Problem) bool {
	sub := triggers.Taking(t.Pipeline.Plan)
	if sub == nil || t.saga.because != nil || t.Deliveries == 0 || t.Deliveries >= sub.Retry.Attempts || !p.Retriable && sub.Retry.When == nil {
		return false
	}
	if sub.Retry.When != nil {
		again, err := t.holds(sub.Retry.When, p)
		if err != nil {
			t.note("retry.when failed: " + err.Error())
		}
		if err != nil || !again {
			return false
		}
	}
	wait := sub.Retry.Backoff.WaitAtLeast(t.Deliveries, t.Values.Random(), p.RetryAfter)
	if !t.Cause.PutOff(t.o.Batch, t.Clock.Now().Add(wait), p) {
		return false
	}
	t.o.Status = StatusRetrying
	return true
}

// holds evaluates a condition with p in scope as `error`.
func (t *run) holds(c *expression.Program, p *pipelined.Problem) (bool, error) {
	restore := t.x.ShowError(p)
	defer restore()
	return c.Bool(t.x.Frame)
}

// keep makes sure that a failure is kept: in the collection on_failure names, or in the
// dead letters, with the error trigger told.
func (t *run) keep(ctx context.Context) error {
	if f := t.Pipeline.OnFailure; f != nil && t.Event != nil {
		err := t.recordFailure(ctx, f)
		if err == nil {
			if t.o.Handled == "" {
				t.o.Handled = "on_failure"
			}
			return nil
		}
		if errors.Is(err, objectstore.ErrStale) || unreadable(err) {
			return err
		}
		t.o.Problem, t.o.Handled = execution.Because(err, t.o.Problem), ""
	}
	if t.Waiting && t.o.Problem.Rejected {
		t.o.Status = StatusRejected // the caller is told, and it is the caller's to mend
		return nil
	}
	if t.o.Handled != "" {
		return nil
	}
	return t.deadLetter(ctx)
}

// Interrupted is the problem of what the process died of again and again.
func Interrupted(detail string) *pipelined.Problem {
	return pipelined.NewProblem(pipelined.TypeInterrupted, "The execution was interrupted", 500, detail)
}
