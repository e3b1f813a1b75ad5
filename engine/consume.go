package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/engine/step"
	"pipelined/internal/expression"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
	"pipelined/triggers"
)

// subscribe gives the broker the subscriptions of next and takes away those that
// only old had.
func (e *Engine) subscribe(ctx context.Context, next, old *loaded) error {
	wanted := map[string]bool{}
	failed := make([]error, len(next.Pipelines))
	var all sync.WaitGroup
	for i, p := range next.Pipelines {
		cfg, ok := e.subscription(next, p)
		if !ok {
			continue
		}
		wanted[cfg.Name] = true
		// Together, because the store makes durable together what comes together.
		all.Go(func() { failed[i] = e.broker.Subscribe(ctx, cfg) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if old != nil {
		for _, p := range old.Pipelines {
			if _, ok := e.subscription(old, p); ok && !wanted[p.Name] {
				e.broker.Unsubscribe(p.Name)
			}
		}
	}
	return e.forgetSubscriptions(ctx, wanted)
}

// forgetSubscriptions removes from the store what no pipeline subscribes to any
// more and is owed nothing; one that is owed events is kept and named.
func (e *Engine) forgetSubscriptions(ctx context.Context, wanted map[string]bool) error {
	list, err := e.store.Subscriptions(ctx)
	if err != nil {
		return err
	}
	last, err := e.store.LastSeq(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if wanted[s.Name] {
			continue
		}
		waiting, err := e.store.Deferred(ctx, s.Name)
		if err != nil {
			return err
		}
		aside, err := e.store.ParkedGroups(ctx, s.Name)
		if err != nil {
			return err
		}
		if s.Floor >= last && len(waiting) == 0 && len(aside) == 0 {
			if err := e.store.Unsubscribe(ctx, s.Name); err != nil {
				return err
			}
			continue
		}
		e.logger.Warn("no pipeline takes this subscription's events any more; they are kept until one of that name does",
			"subscription", s.Name, "from", s.Floor+1, "to", last, "waiting", len(waiting), "groups_set_aside", len(aside))
	}
	return nil
}

// subscription is what a pipeline wants of the broker, if it takes events.
func (e *Engine) subscription(l *loaded, p *program.Pipeline) (broker.Config, bool) {
	cfg := broker.Config{Name: p.Name, Concurrency: 1, From: -1}
	switch plan := p.Plan.(type) {
	case *triggers.Subscription:
		e.eventSubscription(&cfg, l, p, plan)
	case *triggers.Failures:
		cfg.Concurrency = 4
		cfg.Matches = func(typ string) bool { return typ == FailedType }
		cfg.Where = func(ev *store.StoredEvent) (bool, error) { return takes(l.Program, plan, p.Name, ev.Key), nil }
	case *triggers.Route:
		if !plan.Accepted {
			return cfg, false
		}
		cfg.Concurrency = 16
		cfg.Matches = func(typ string) bool { return typ == requestPrefix+p.Name }
	default:
		return cfg, false
	}
	name := p.Name
	cfg.Handle = func(ctx context.Context, d *broker.Delivery) { e.deliver(ctx, name, d) }
	return cfg, true
}

func (e *Engine) eventSubscription(cfg *broker.Config, l *loaded, p *program.Pipeline, plan *triggers.Subscription) {
	cfg.Matches = func(typ string) bool { return program.Matches(plan.Types, typ) }
	cfg.Concurrency = max(plan.Concurrency, 1)
	cfg.Skip = plan.WhileWaiting == "skip"
	if plan.From == "beginning" {
		cfg.From = 0
	}
	if plan.Where != nil {
		cfg.Where = func(ev *store.StoredEvent) (bool, error) { return plan.Where.Bool(e.triggerFrame(l, ev)) }
		cfg.Filtered = func(*store.StoredEvent) { e.counters.filtered(p.Name) }
	}
	text := func(of *expression.Program) func(*store.StoredEvent) (string, error) {
		if of == nil {
			return nil
		}
		return func(ev *store.StoredEvent) (string, error) {
			v, err := of.Eval(e.triggerFrame(l, ev))
			if err != nil {
				return "", err
			}
			return value.Text(v)
		}
	}
	cfg.OrderKey, cfg.Tenant = text(plan.OrderBy), text(plan.FairBy)
}

// triggerFrame is what the trigger's own expressions see.
func (e *Engine) triggerFrame(l *loaded, ev *store.StoredEvent) *expression.Frame {
	slots := make([]any, step.BaseSlots)
	slots[step.SlotInput] = value.Raw(ev.Data)
	slots[step.SlotEvent] = EventValue(ev, max(ev.Attempt, 1), 0)
	slots[step.SlotGlobals], slots[step.SlotEnv] = l.Globals, l.Env
	return &expression.Frame{Slots: slots, Host: e.host}
}

// deliver runs the execution of one delivery and hands its outcome to the store.
// It returns when the batch is submitted; the next delivery need not wait for
// the disk.
func (e *Engine) deliver(ctx context.Context, name string, d *broker.Delivery) {
	l := e.pin()
	p := l.Pipeline(name)
	if p == nil {
		l.pinned.Done()
		d.Abandon()
		return
	}
	if e.store.Health() != nil { // running it would be for nothing, and its calls to others would be made again
		l.pinned.Done()
		d.Refused()
		return
	}
	e.unsettled.add()
	e.attempt(ctx, l, p, d, 1)
}

// attempt is one run of a delivery; a conflict runs it again.
func (e *Engine) attempt(ctx context.Context, l *loaded, p *program.Pipeline, d *broker.Delivery, try int) {
	finish := func() { l.pinned.Done(); e.unsettled.done() }
	s := e.startOf(p, d)
	if why := e.dropped(ctx, p, d); why != "" {
		b := &store.Batch{}
		d.Settle(b)
		e.counters.expired(p.Name)
		e.logger.Warn("an event is dropped because it "+why, "pipeline", p.Name, "file", p.File,
			"event", d.Event.ID, "type", d.Event.Type, "time", d.Event.Time)
		e.store.Submit(b, func(r store.Result, err error) { defer finish(); settleDelivery(d, r, err) })
		return
	}
	if try > freeTries {
		e.contend(ctx, l, s, d, finish)
		return
	}
	o := e.execute(ctx, l, s)
	if o.aborted {
		d.Abandon()
		finish()
		return
	}
	if o.stale != nil {
		e.counters.rerun(s)
		e.attempt(ctx, l, p, d, try+1)
		return
	}
	e.store.Submit(o.batch, func(r store.Result, err error) {
		if errors.Is(err, store.ErrConflict) {
			e.counters.rerun(s)
			go e.attempt(ctx, l, p, d, try+1)
			return
		}
		defer finish()
		if err == nil {
			e.committed(o.batch, r)
			e.counters.ended(s, o)
		} else {
			e.logger.Error("the outcome of an event could not be committed; it will be delivered again",
				"pipeline", p.Name, "event", d.Event.ID, "err", err)
		}
		settleDelivery(d, r, err)
	})
}

// contend runs a delivery that conflicted again and again to its end, waiting for
// each commit.
func (e *Engine) contend(ctx context.Context, l *loaded, s *start, d *broker.Delivery, finish func()) {
	defer finish()
	for n := freeTries + 1; ; n++ {
		o, r, err := e.tryDelivery(ctx, l, s)
		switch {
		case o.aborted:
			d.Abandon()
			return
		case err == nil:
			e.counters.ended(s, o)
			d.Committed(r)
			return
		case !errors.Is(err, store.ErrConflict) || n >= maxReruns:
			e.logger.Error("the outcome of an event could not be committed; it will be delivered again",
				"pipeline", s.pipeline.Name, "event", d.Event.ID, "err", err)
			d.Refused()
			return
		}
		e.counters.rerun(s)
	}
}

// tryDelivery is one run and its commit, one at a time.
func (e *Engine) tryDelivery(ctx context.Context, l *loaded, s *start) (*outcome, store.Result, error) {
	e.contended.Lock()
	defer e.contended.Unlock()
	o := e.execute(ctx, l, s)
	if o.aborted {
		return o, store.Result{}, nil
	}
	if o.stale != nil {
		return o, store.Result{}, fmt.Errorf("%w: %s", store.ErrConflict, o.stale.Detail)
	}
	r, err := e.Commit(ctx, o.batch)
	return o, r, err
}

func settleDelivery(d *broker.Delivery, r store.Result, err error) {
	if err != nil {
		d.Refused()
		return
	}
	d.Committed(r)
}

// dropped applies max_age and skip_stale; it says why, or nothing.
func (e *Engine) dropped(ctx context.Context, p *program.Pipeline, d *broker.Delivery) string {
	sub, ok := p.Plan.(*triggers.Subscription)
	if !ok {
		return ""
	}
	if sub.MaxAge > 0 && e.clock.Now().Sub(d.Event.Time) > sub.MaxAge {
		return "was older than max_age"
	}
	if !sub.SkipStale {
		return ""
	}
	doc, err := e.store.Get(ctx, newestCollection, newestID(p.Name, d.Event.Key))
	if err != nil || doc == nil {
		return "" // running it is the safe side
	}
	if newest, ok := value.Get(value.Raw(doc.Body), newestPath).(string); ok && d.Event.Time.UTC().Format(objectstore.TimeFormat) < newest {
		return "was older than one of the same key that was processed before (skip_stale)"
	}
	return ""
}

// newestCollection keeps, for skip_stale, the time of the newest processed event of
// each key, for as long as an older one may still come. Authors cannot name it.
const (
	newestCollection = "_newest"
	newestKept       = 30 * 24 * time.Hour
)

var newestPath = value.NewPath("time")

func newestID(pipeline, key string) string { return pipeline + "/" + key }

// remember notes, for skip_stale, that an event of its key was processed.
func (e *Engine) remember(s *start, o *outcome) {
	sub, ok := s.pipeline.Plan.(*triggers.Subscription)
	if ok && sub.SkipStale && s.event != nil {
		o.batch.Documents = append(o.batch.Documents, store.Write{
			Kind: store.Put, Collection: newestCollection, ID: newestID(s.pipeline.Name, s.event.Key),
			Document: `{"time":` + string(value.Quote(s.event.Time.UTC().Format(objectstore.TimeFormat))) + `}`, Expires: e.clock.Now().Add(newestKept)})
	}
}

// startOf is the start of an execution for a delivery.
func (e *Engine) startOf(p *program.Pipeline, d *broker.Delivery) *start {
	s := &start{
		pipeline: p, trigger: p.TriggerKind, event: &d.Event, delivery: d, problem: d.Problem,
		input: value.Raw(d.Event.Data), attempt: max(d.Event.Attempt, 1) + d.Attempt - 1,
	}
	if p.TriggerKind == "http" {
		s.request = value.Get(s.input, requestPath)
		s.input = value.Exact(s.input, inputPath)
	}
	if p.Resumable {
		s.resume = "progress/event/" + p.Name + "/" + strconv.FormatInt(d.Event.Seq, 10)
	}
	return s
}

var (
	requestPath = value.NewPath("request")
	inputPath   = value.NewPath("input")
)
