// Package consumer runs pipelines for the events of the log: it tells the broker what
// each pipeline of a revision subscribes to, and turns each delivery into an attempt.
//
// What is put off, dropped because of its age, or already done never holds a worker.
package consumer

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/pattern"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// Consumer turns deliveries into attempts. Its fields are set before the first one.
type Consumer struct {
	Runner  *attempt.Runner
	Current *revision.Current
	// Redrive is the name of the subscription that starts again what no event started.
	Redrive string

	busy working
}

// Subscriptions are what the pipelines of a revision want of the broker.
func (c *Consumer) Subscriptions(rev *revision.Revision) []broker.Config {
	out := []broker.Config{{
		Name: c.Redrive, Concurrency: 4, From: -1,
		Matches: func(typ string) bool { return typ == attempt.RedriveType },
		Handle:  c.redrive,
	}}
	for _, p := range rev.Pipelines {
		if cfg, ok := c.subscription(rev, p); ok {
			out = append(out, cfg)
		}
	}
	return out
}

// subscription is what a pipeline wants of the broker, if it takes events.
func (c *Consumer) subscription(rev *revision.Revision, p *program.Pipeline) (broker.Config, bool) {
	cfg := broker.Config{Name: p.Name, Concurrency: 1, From: -1}
	switch plan := p.Plan.(type) {
	case *triggers.Subscription:
		c.events(&cfg, rev, p, plan)
		cfg.Matches = func(typ string) bool { return pattern.MatchAny(plan.Types, typ) }
	case *triggers.Source:
		c.events(&cfg, rev, p, &plan.Subscription)
		cfg.Matches, cfg.Owed = inlets(p), true
	case *triggers.Failures:
		cfg.Concurrency = 4
		cfg.Matches = func(typ string) bool { return typ == attempt.FailedType }
		cfg.Where = func(ev *store.StoredEvent) (bool, error) { return rev.Handler(ev.Key) == p.Name, nil }
	case *triggers.Route:
		if !plan.Accepted {
			return cfg, false
		}
		cfg.Concurrency = 16
		cfg.Matches = inlets(p)
	default:
		return cfg, false
	}
	cfg.Handle = func(ctx context.Context, d *broker.Delivery) { c.deliver(ctx, p.Name, d) }
	return cfg, true
}

// inlets takes what the trigger of a pipeline brought it from outside.
func inlets(p *program.Pipeline) func(typ string) bool {
	types := p.Inlets()
	return func(typ string) bool { return slices.Contains(types, typ) }
}

// deliver runs the attempt of one delivery. It returns when its batch is handed to the
// store; the next delivery need not wait for the disk.
func (c *Consumer) deliver(ctx context.Context, name string, d *broker.Delivery) {
	rev := c.Current.Pin()
	if rev == nil {
		d.Abandon()
		return
	}
	p := rev.Pipeline(name)
	if p == nil {
		rev.Unpin()
		d.Abandon()
		return
	}
	if c.Runner.Store.Health() != nil { // running it would be for nothing, and its calls to others would be made again
		rev.Unpin()
		d.Refused()
		return
	}
	c.busy.add()
	done := func(e attempt.Ending) {
		e.Rest.Then(func() { c.finish(p.Name, d, e) })
		rev.Unpin()
		c.busy.done()
	}
	if why := c.tooOld(ctx, p, d); why != "" {
		c.drop(ctx, rev.Collection, p, d, why, done)
		return
	}
	c.Runner.Start(ctx, c.attempt(rev, p, d), done)
}

// finish tells the broker how a delivery ended.
func (c *Consumer) finish(pipeline string, d *broker.Delivery, e attempt.Ending) {
	switch {
	case e.Outcome != nil && e.Aborted:
		d.Abandon()
	case e.Err == nil:
		d.Committed()
	case errors.Is(e.Err, store.ErrTaken):
		c.Runner.Logger.Warn("what came of an event is dropped, because the event is done with", "pipeline", pipeline, "event", d.Event.ID, "err", e.Err)
		d.Taken()
	default:
		c.Runner.Logger.Error("the outcome of an event could not be committed; it will be delivered again",
			"pipeline", pipeline, "event", d.Event.ID, "err", e.Err)
		d.Refused()
	}
}

// attempt is what a delivery starts.
func (c *Consumer) attempt(rev *revision.Revision, p *program.Pipeline, d *broker.Delivery) *attempt.Attempt {
	a := &attempt.Attempt{
		Revision: rev, Pipeline: p, Trigger: p.TriggerKind, Event: &d.Event, Crashes: d.Crashes(), Problem: d.Problem,
		Input: value.Raw(d.Event.Data), Number: max(d.Event.Attempt, 1) + d.Attempt - 1, Deliveries: d.Attempt,
		Cause: &delivery{Delivery: d, consumer: c, pipeline: p},
	}
	switch p.Plan.(type) {
	case *triggers.Route:
		request := value.Get(a.Input, requestPath)
		a.Request = func() any { return request }
		a.Input = value.Exact(a.Input, inputPath)
	case *triggers.Source:
		if why := undecoded(&d.Event); why != nil && a.Problem == nil {
			a.Problem = why
		}
	}
	a.Key = eventKey(p.Name, &d.Event)
	if p.Resumable {
		a.Progress = "progress/" + a.Key
	}
	return a
}

var (
	requestPath = value.NewPath("request")
	inputPath   = value.NewPath("input")
)

// eventKey names an event on its way through a pipeline.
func eventKey(pipeline string, ev *store.StoredEvent) string {
	return "event/" + pipeline + "/" + strconv.FormatInt(ev.Seq, 10)
}

// delivery is the cause of an attempt.
type delivery struct {
	*broker.Delivery
	consumer *Consumer
	pipeline *program.Pipeline
}

// Settle acknowledges the event, and notes for skip_stale that it was processed.
func (d *delivery) Settle(o *attempt.Outcome, b *store.Batch) {
	d.Delivery.Settle(b)
	d.consumer.failed(d.pipeline, &d.Event, o, b)
	if o.Problem == nil {
		d.consumer.remember(d.pipeline, &d.Event, b)
	}
}

// PutOff has the event delivered again at due.
func (d *delivery) PutOff(b *store.Batch, due time.Time, p *pipelined.Problem) bool {
	d.Postpone(b, due, problemText(p))
	return true
}

// Wait waits until every delivery that was handed to the store has ended.
func (c *Consumer) Wait() { c.busy.wait() }

// working counts deliveries whose fate is not known yet.
type working struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to 0; nil while it is
}

func (w *working) add() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n++; w.n == 1 {
		w.idle = make(chan struct{})
	}
}

func (w *working) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n--; w.n == 0 {
		close(w.idle)
	}
}

func (w *working) wait() {
	w.mu.Lock()
	n, idle := w.n, w.idle
	w.mu.Unlock()
	if n > 0 {
		<-idle
	}
}
