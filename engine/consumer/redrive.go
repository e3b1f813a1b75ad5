package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/engine/revision"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// redrive starts again what a record of the dead letters holds: a request whose caller
// is gone, a tick that is claimed already. What comes of it is noted in the record.
func (c *Consumer) redrive(ctx context.Context, d *broker.Delivery) {
	rev := c.Current.Pin()
	if rev == nil {
		d.Abandon()
		return
	}
	if c.Runner.Store.Health() != nil { // as in deliver
		rev.Unpin()
		d.Refused()
		return
	}
	c.busy.add()
	done := func(e attempt.Ending) {
		e.Rest.Then(func() { c.finish(d.Event.Key, d, e) })
		rev.Unpin()
		c.busy.done()
	}
	a, err := c.again(ctx, rev, d)
	if errors.Is(err, store.ErrUnavailable) {
		done(attempt.Ending{Err: err})
		return
	}
	if err != nil {
		c.Runner.Logger.Error("a dead letter cannot be started again", "pipeline", d.Event.Key, "event", d.Event.ID, "err", err)
		b := &store.Batch{}
		d.Settle(b)
		left, err := c.Runner.Orphan(ctx, "redrive/"+d.Event.ID, attempt.Interrupted(err.Error()), b)
		if err != nil {
			done(attempt.Ending{Err: err})
			return
		}
		c.Runner.Store.Submit(b, func(res store.Result, err error) {
			if err == nil {
				c.Runner.HandOver(left)
			}
			done(attempt.Ending{Result: res, Err: err})
		})
		return
	}
	c.Runner.Start(ctx, a, done)
}

// again is the attempt that a record holds. Where it cannot be read now the error is
// store.ErrUnavailable; any other says that there is none to start.
func (c *Consumer) again(ctx context.Context, rev *revision.Revision, d *broker.Delivery) (*attempt.Attempt, error) {
	p := rev.Pipeline(d.Event.Key)
	if p == nil {
		return nil, fmt.Errorf("there is no pipeline called %s any more", d.Event.Key)
	}
	id, _ := value.Get(value.Raw(d.Event.Data), recordPath).(string)
	docs := objectstore.NewSession(c.Runner.Store, rev.Collection, c.Runner.Values.NewID, c.Runner.Clock.Now)
	doc, ok, err := docs.Get(ctx, attempt.DeadLetters, id)
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w: %w", id, store.ErrUnavailable, err)
	}
	if !ok {
		return nil, fmt.Errorf("record %s is gone", id)
	}
	rec, _, err := objectstore.ParseErrorRecord(doc)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", id, err)
	}
	if len(rec.Left) > 0 {
		l, err := attempt.ReadLeft("", string(rec.Left))
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", id, err)
		}
		a := attempt.LeftAttempt(rev, l, redriven{d})
		if a == nil {
			return nil, fmt.Errorf("there is no pipeline called %s any more", l.Pipeline)
		}
		a.Input = scalarOrRaw(rec.Input)
		if _, err := l.Values.Set("input", a.Input); err != nil { // a person may have changed it
			return nil, fmt.Errorf("record %s: %w", id, err)
		}
		a.Record, a.Number, a.Key = id, rec.Attempts+1, "redrive/"+d.Event.ID
		return a, nil
	}
	a := &attempt.Attempt{
		Revision: rev, Pipeline: p, Cause: redriven{d}, Trigger: rec.Trigger, Number: rec.Attempts + 1,
		Record: id, Input: scalarOrRaw(rec.Input), Key: "redrive/" + d.Event.ID,
	}
	if len(rec.Request) > 0 {
		a.Request = func() any { return value.Raw(rec.Request) }
	}
	if !rec.Scheduled.IsZero() {
		a.Tick = &attempt.Tick{Scheduled: rec.Scheduled, Previous: rec.Previous}
	}
	return a, nil
}

var recordPath = value.NewPath("record")

// scalarOrRaw is a recorded input as a value: a text is a text again.
func scalarOrRaw(input []byte) any {
	if strings.TrimSpace(string(input)) == "null" {
		return nil
	}
	return value.Scalar(value.Raw(input))
}

// redriven is the cause of an attempt that a person asked for.
type redriven struct{ *broker.Delivery }

// Settle acknowledges the event that carried the wish.
func (r redriven) Settle(_ *attempt.Outcome, b *store.Batch) { r.Delivery.Settle(b) }

// PutOff never: a failure is noted in the record.
func (redriven) PutOff(*store.Batch, time.Time, *pipelined.Problem) bool { return false }
