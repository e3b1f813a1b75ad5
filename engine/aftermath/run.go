package aftermath

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/revision"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

const (
	// abreast is how many rows are worked on at a time.
	abreast = 32
	// crashLimit is how often a row is begun and not ended before the process is taken to
	// die of it.
	crashLimit = 5
	// maxSleep bounds how long the timer is trusted, so that a clock that was set is
	// noticed.
	maxSleep = 30 * time.Second
)

// Run does what is due until intake ends, and waits for what is under way. It runs under
// work, which may outlive intake.
func (a *Aftermath) Run(intake, work context.Context) error {
	var group sync.WaitGroup
	places := make(chan struct{}, abreast)
	for intake.Err() == nil {
		a.sagas(work)
		due, next := a.take(a.runner.Clock.Now(), abreast-len(places))
		for _, it := range due {
			places <- struct{}{}
			group.Go(func() {
				defer a.poke()
				defer func() { <-places }()
				a.one(work, it)
			})
		}
		if len(places) == abreast {
			next = time.Time{} // whatever ends makes room, and wakes
		}
		a.sleep(intake, next)
	}
	a.stop()
	group.Wait()
	return nil
}

// First does once, before anything else runs, what the process before left and is due: what
// comes after it is to wait for it.
func (a *Aftermath) First(intake, work context.Context) {
	begun := map[string]bool{}
	for intake.Err() == nil {
		due, _ := a.take(a.runner.Clock.Now(), abreast)
		var group sync.WaitGroup
		more := false
		for _, it := range due {
			if begun[it.left.Row] {
				a.release(it)
				continue
			}
			begun[it.left.Row], more = true, true
			group.Go(func() { a.one(work, it) })
		}
		group.Wait()
		if !more {
			return
		}
	}
}

func (a *Aftermath) release(it *item) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, it.left.Group)
}

// RunDue does what is due on the caller's goroutine, and returns how many rows that were.
func (a *Aftermath) RunDue(ctx, work context.Context) (int, error) {
	n := 0
	for ctx.Err() == nil {
		a.sagas(work)
		due, _ := a.take(a.runner.Clock.Now(), 1)
		if len(due) == 0 {
			return n, nil
		}
		a.one(work, due[0])
		n++
	}
	return n, ctx.Err()
}

func (a *Aftermath) sleep(ctx context.Context, next time.Time) {
	if next.IsZero() { // nothing is due by itself
		select {
		case <-ctx.Done():
		case <-a.wake:
		}
		return
	}
	t := a.runner.Clock.NewTimer(min(maxSleep, next.Sub(a.runner.Clock.Now())))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-a.wake:
	case <-t.C():
	}
}

// one does a row once.
func (a *Aftermath) one(work context.Context, it *item) {
	rev := a.current.Pin()
	if rev == nil { // the engine stops
		a.settle(it, nil, time.Second)
		return
	}
	defer rev.Unpin()
	if a.runner.Store.Health() != nil {
		a.settle(it, nil, it.retryAfter())
		return
	}
	c := &cause{left: it.left}
	at := attempt.LeftAttempt(rev, it.left, c)
	if at == nil {
		a.lost(work, rev, it)
		return
	}
	if it.old {
		if again := a.claim(work, it, c, at); again {
			return
		}
	}
	end := a.runner.Run(work, at)
	switch {
	case end.Aborted:
		a.settle(it, nil, time.Second)
	case errors.Is(end.Err, store.ErrTaken):
		a.settle(it, nil, 0)
	case end.Err != nil:
		a.runner.Logger.Error("what came of something left to be done could not be committed; it is done again",
			"pipeline", it.left.Pipeline, "trigger", it.left.Trigger, "execution", it.left.Of.Execution, "err", end.Err)
		a.settle(it, nil, it.retryAfter())
	case end.Status == attempt.StatusRetrying:
		a.putOff(it, c.next, end.Problem)
	default:
		a.settle(it, nil, 0)
	}
}

// claim counts that a row of the process before is begun. It reports that it cannot be now.
func (a *Aftermath) claim(ctx context.Context, it *item, c *cause, at *attempt.Attempt) (again bool) {
	got, err := a.runner.Store.Claim(ctx, []store.Claim{{Kind: store.AfterClaim, Key: it.left.Row}})
	if err == nil {
		err = got[0].Err
	}
	switch {
	case errors.Is(err, store.ErrTaken):
		a.settle(it, nil, 0)
		return true
	case err != nil:
		a.runner.Logger.Error("something left to be done could not be claimed; trying again", "pipeline", it.left.Pipeline, "err", err)
		a.settle(it, nil, it.retryAfter())
		return true
	}
	c.claim = &got[0].Claim
	if n := got[0].Attempts - 1; n >= crashLimit {
		at.Problem = attempt.Interrupted(fmt.Sprintf("the process died %d times while it ran", n))
	}
	return false
}

// putOff notes that a row is tried again later.
func (a *Aftermath) putOff(it *item, next *attempt.Left, p *pipelined.Problem) {
	a.runner.Host.Point(fault.PutOff)
	a.runner.Logger.Warn("what an execution left to be done failed; it is tried again", "pipeline", next.Pipeline, "trigger", next.Trigger,
		"execution", next.Of.Execution, "undoes", next.Name, "tries", next.Tries, "due", next.Due, "problem", p.Type, "detail", p.Error())
	it.old = false
	a.settle(it, next, 0)
}

// lost makes an error record of a row whose pipeline is gone.
func (a *Aftermath) lost(ctx context.Context, rev *revision.Revision, it *item) {
	if err := a.runner.Lost(ctx, rev, it.left); err != nil && !errors.Is(err, store.ErrTaken) {
		a.runner.Logger.Error("a record could not be made of what was left to be done; trying again", "pipeline", it.left.Pipeline, "err", err)
		a.settle(it, nil, it.retryAfter())
		return
	}
	a.settle(it, nil, 0)
}

// cause is a row as what started an attempt.
type cause struct {
	left  *attempt.Left
	claim *store.Claim  // of a row of the process before
	next  *attempt.Left // as it was put off
}

// Settle removes the row.
func (c *cause) Settle(_ *attempt.Outcome, b *store.Batch) {
	c.left.Forget(b)
	c.drop(b)
}

// PutOff has it done again at due.
func (c *cause) PutOff(b *store.Batch, due time.Time, p *pipelined.Problem) bool {
	next := *c.left
	next.Tries, next.Due, next.Last = c.left.Tries+1, due, p.Error()
	if err := next.Keep(b); err != nil {
		return false
	}
	c.next = &next
	c.drop(b)
	return true
}

func (c *cause) drop(b *store.Batch) {
	if c.claim != nil {
		b.Drop = append(b.Drop, *c.claim)
	}
}
