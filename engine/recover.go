package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/internal/fault"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// A process that dies leaves what it was at undone: deliveries are not
// acknowledged, ticks are opened and not claimed. All of it comes again. Where it
// was one of them that killed the process, it would do so for ever; so those that
// may have been running are counted when the next process starts, and not before
// each of them runs, which would cost a write an event:
//
//   - a delivery that may have been running at two crashes in a row is a suspect:
//     it runs before everything else, with nothing beside it;
//   - a suspect the process died of crashLimit times that way, or a tick that was
//     opened too often, runs no more. It fails as interrupted and goes the way
//     of every failure: on_error, on_failure, the error trigger, the dead letters.
const crashLimit = 3

const (
	runningKey  = "engine/running"  // there while the engine works
	suspectsKey = "engine/suspects" // map of subscription/delivery to suspicion
)

// suspicion is what is known of a delivery that may have been running at a crash.
type suspicion struct {
	Crashes int `json:"crashes"`         // in a row, at which it may have been running
	Alone   int `json:"alone,omitempty"` // times it ran alone and did not end
}

// recovery is what an engine does about how the process before ended.
type recovery struct {
	engine   *Engine
	underWay atomic.Bool // suspects run alone now
	known    map[string]suspicion
	list     []*broker.Delivery // to run before everything else
}

func suspectName(d *broker.Delivery) string { return d.Subscription() + "/" + d.ID() }

// begin counts what the process before died with, if it did not stop in order, and
// notes that this one works. Nothing has run yet.
func (r *recovery) begin(ctx context.Context) error {
	e := r.engine
	st := e.config.Store
	running, err := st.Meta(ctx, runningKey)
	if err != nil {
		return fmt.Errorf("read how the process before ended: %w", err)
	}
	b := &store.Batch{Meta: []store.Meta{{Key: runningKey, Value: e.config.Clock.Now().UTC().Format(time.RFC3339Nano)}}}
	scheduled := func(pipeline string) bool {
		p := e.Program().Pipeline(pipeline)
		if p == nil {
			return false
		}
		_, scheduled := p.Plan.(*triggers.Schedule)
		return scheduled
	}
	if err := e.scheduler.Stray(ctx, scheduled, b); err != nil {
		return err
	}
	if running != "" {
		e.config.Logger.Warn("the process before did not stop in order; deliveries and scheduled runs that it was at come again, requests do not: what they had done outside is undone, as far as their steps say how", "started", running)
		if err := r.suspect(ctx, b); err != nil {
			return err
		}
	}
	if _, err := st.Commit(ctx, b); err != nil {
		return fmt.Errorf("note that the engine works: %w", err)
	}
	e.config.Host.Point(fault.Recovered)
	return nil
}

// suspect counts the deliveries that may have been running.
func (r *recovery) suspect(ctx context.Context, b *store.Batch) error {
	text, err := r.engine.config.Store.Meta(ctx, suspectsKey)
	if err != nil {
		return fmt.Errorf("read what is suspected: %w", err)
	}
	before := map[string]suspicion{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			return fmt.Errorf("read what is suspected: %w", err)
		}
	}
	if _, err := r.engine.broker.Dispatch(ctx); err != nil {
		return err
	}
	r.known = map[string]suspicion{}
	for _, d := range r.engine.broker.Out() {
		s := before[suspectName(d)]
		s.Crashes++
		r.known[suspectName(d)] = s
		if s.Crashes > 1 {
			r.list = append(r.list, d)
		}
	}
	r.underWay.Store(len(r.list) > 0)
	b.Meta = append(b.Meta, r.meta())
	return nil
}

func (r *recovery) meta() store.Meta {
	if len(r.known) == 0 {
		return store.Meta{Key: suspectsKey}
	}
	text, err := json.Marshal(r.known)
	if err != nil {
		panic(err) // a map of numbers
	}
	return store.Meta{Key: suspectsKey, Value: string(text)}
}

// run runs the suspects before anything else does; what goes wrong is in the log.
func (r *recovery) run(ctx context.Context) {
	if _, err := r.alone(ctx); err != nil {
		r.engine.config.Logger.Error("what may have ended the process before could not be tried alone; it runs with the rest", "err", err)
		r.underWay.Store(false)
	}
}

// alone runs the suspects, one after the other, and returns how many there were.
func (r *recovery) alone(ctx context.Context) (int, error) {
	n := len(r.list)
	for i, d := range r.list {
		if ctx.Err() != nil {
			return n, nil
		}
		if err := r.one(ctx, d, n-i-1); err != nil {
			return n, err
		}
	}
	r.underWay.Store(false)
	if n == 0 {
		return 0, nil
	}
	r.list = nil
	if _, err := r.engine.config.Store.Commit(ctx, &store.Batch{Meta: []store.Meta{r.meta()}}); err != nil {
		return n, fmt.Errorf("note that the suspects ended: %w", err)
	}
	return n, nil
}

// one runs a suspect with nothing beside it, or has it fail if the process died of it
// too often.
func (r *recovery) one(ctx context.Context, d *broker.Delivery, waiting int) error {
	e, at := r.engine, r.known[suspectName(d)]
	if !e.broker.HandOut(d, at.Alone) {
		return nil
	}
	log := e.config.Logger.With("pipeline", d.Subscription(), "event", d.Event.ID, "type", d.Event.Type, "crashes", at.Crashes)
	if at.Alone >= crashLimit {
		d.Problem = attempt.Interrupted(fmt.Sprintf("the process died %d times while nothing else ran", at.Alone))
		log.Error("the process died of this event again and again; it fails as interrupted")
	} else {
		at.Alone++
		r.known[suspectName(d)] = at
		if _, err := e.config.Store.Commit(ctx, &store.Batch{Meta: []store.Meta{r.meta()}}); err != nil {
			d.Refused()
			return fmt.Errorf("note that a suspect runs: %w", err)
		}
		log.Warn("the process may have died of this event; it runs alone now", "waiting", waiting)
	}
	e.broker.Handle(e.work, d)
	e.consumer.Wait()
	delete(r.known, suspectName(d))
	return nil
}

// stopped notes that the engine stopped in order.
func (r *recovery) stopped() {
	b := &store.Batch{Meta: []store.Meta{{Key: runningKey}, {Key: suspectsKey}}}
	if _, err := r.engine.config.Store.Commit(context.WithoutCancel(r.engine.work), b); err != nil {
		r.engine.config.Logger.Warn("the next start will take this stop for a crash", "err", err)
	}
}
