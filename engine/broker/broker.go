package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

// Broker hands events to subscriptions. Use New; all methods are safe for
// concurrent use.
type Broker struct {
	store  store.Store
	clock  pipelined.Clock
	logger *slog.Logger

	mu      sync.Mutex
	head    int64 // every number up to it was offered to the live subscriptions
	pending map[int64]*pipelined.Event
	subs    map[string]*Subscription
	sorted  []*Subscription // by name; replaced, never changed
	byType  map[string][]*Subscription
	version int // of byType; changes whenever a subscription does

	attention map[*Subscription]bool // the next dispatch has something to do for them
	delayed   delayed

	dispatching sync.Mutex                  // one dispatch at a time
	unfolded    []store.Fold                // that CatchUp could not commit
	due         map[*Subscription]time.Time // when their next retry is; dispatch only
	wake        chan struct{}
	workers     sync.WaitGroup
	running     atomic.Pointer[running] // nil until Run: deliveries are then taken with Take
}

// delayed is when the earliest delayed event of the store is due, as far as known.
type delayed struct {
	known   bool
	due     time.Time // zero: none waits
	changes int
}

// running is the two contexts of a broker at work.
type running struct{ intake, work context.Context }

// New returns a broker that has no subscriptions and runs nothing.
func New(ctx context.Context, s store.Store, clock pipelined.Clock, logger *slog.Logger) (*Broker, error) {
	head, err := s.LastSeq(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the end of the event log: %w", err)
	}
	return &Broker{
		store: s, clock: clock, logger: logger, head: head,
		pending: map[int64]*pipelined.Event{}, subs: map[string]*Subscription{},
		attention: map[*Subscription]bool{}, due: map[*Subscription]time.Time{},
		wake: make(chan struct{}, 1),
	}, nil
}

// attend has the next dispatch, soon, look at a subscription.
func (b *Broker) attend(s *Subscription) {
	b.mu.Lock()
	b.attention[s] = true
	b.mu.Unlock()
	b.notify()
}

func (b *Broker) forgetTypes() {
	b.mu.Lock()
	b.byType = nil
	b.version++
	b.mu.Unlock()
}

// Committed tells the broker of a batch that is durable now. It is called from the
// store's writer and only takes note. Numbers may come in any order; out of order
// they cost a look into the log.
func (b *Broker) Committed(batch *store.Batch, r store.Result) {
	if len(batch.Events) == 0 && len(batch.Delayed) == 0 || b.draining() {
		return
	}
	b.mu.Lock()
	for i, ev := range batch.Events {
		if r.Seqs[i] > b.head {
			b.pending[r.Seqs[i]] = ev
		}
	}
	if len(batch.Delayed) > 0 {
		b.delayed.known = false
		b.delayed.changes++
	}
	b.mu.Unlock()
	b.notify()
}

// draining reports that intake has ended: nothing is dispatched any more, and what is
// published meanwhile is read from the log at the next start.
func (b *Broker) draining() bool {
	run := b.running.Load()
	return run != nil && run.intake.Err() != nil
}

// Head is the number up to which the log was handed to live subscriptions.
func (b *Broker) Head() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.head
}

func (b *Broker) notify() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Run dispatches and works until intake ends, then waits for the deliveries that
// are out. Executions run under work, which may outlive intake.
func (b *Broker) Run(intake, work context.Context) error {
	b.running.Store(&running{intake, work})
	for _, s := range b.list() {
		b.attend(s)
	}
	for intake.Err() == nil {
		next, err := b.Dispatch(intake)
		if err != nil && intake.Err() == nil {
			b.logger.Error("events cannot be dispatched; trying again", "err", err)
			next = b.clock.Now().Add(time.Second)
		}
		b.sleep(intake, next)
	}
	b.workers.Wait()
	return nil
}

// sleep waits until something happens or next has come.
func (b *Broker) sleep(ctx context.Context, next time.Time) {
	var timeout <-chan time.Time
	if !next.IsZero() {
		t := b.clock.NewTimer(next.Sub(b.clock.Now()))
		defer t.Stop()
		timeout = t.C()
	}
	select {
	case <-ctx.Done():
	case <-b.wake:
	case <-timeout:
	}
}

// Dispatch brings every subscription up to date: delayed events whose time has
// come enter the log, new events are queued, lagging subscriptions read on, due
// retries become ready. It returns when something will next be due; the zero
// time if nothing is.
func (b *Broker) Dispatch(ctx context.Context) (next time.Time, err error) {
	b.dispatching.Lock()
	defer b.dispatching.Unlock()
	now := b.clock.Now()
	if next, err = b.releaseDelayed(ctx, now); err != nil {
		return time.Time{}, err
	}
	if err := b.drain(ctx); err != nil {
		return time.Time{}, err
	}
	waiting := b.attended(now)
	for i, s := range waiting {
		if err := b.bring(ctx, s, now); err != nil {
			for _, s := range waiting[i:] {
				b.attend(s)
			}
			return time.Time{}, err
		}
	}
	for _, t := range b.due {
		next = earlier(next, t)
	}
	return next, nil
}

// earlier is the earlier of two times; a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// attended takes the subscriptions a dispatch has something to do for, by name, so
// that it is deterministic. What has nothing to do costs nothing, however many
// subscriptions there are.
func (b *Broker) attended(now time.Time) []*Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s, t := range b.due {
		if !t.After(now) {
			b.attention[s] = true
		}
	}
	if len(b.attention) == 0 {
		return nil
	}
	out := slices.SortedFunc(maps.Keys(b.attention), byName)
	clear(b.attention)
	return out
}

func byName(a, b *Subscription) int { return strings.Compare(a.name, b.name) }

// bring brings one subscription up to date.
func (b *Broker) bring(ctx context.Context, s *Subscription, now time.Time) error {
	if err := b.fill(ctx, s); err != nil {
		return err
	}
	if err := b.flush(ctx, s); err != nil {
		return err
	}
	if err := b.fetch(ctx, s); err != nil {
		return err
	}
	if t := s.wake(now); t.IsZero() {
		delete(b.due, s)
	} else {
		b.due[s] = t
	}
	return nil
}

// list returns the subscriptions by name.
func (b *Broker) list() []*Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sorted == nil {
		b.sorted = slices.SortedFunc(maps.Values(b.subs), byName)
	}
	return b.sorted
}

func (b *Broker) releaseDelayed(ctx context.Context, now time.Time) (next time.Time, err error) {
	for {
		next, err = b.nextDelayed(ctx)
		if err != nil || next.IsZero() || next.After(now) {
			return next, err
		}
		events, err := b.store.ReleaseDelayed(ctx, now, readBatch)
		fault.Point(fault.Released)
		if err != nil {
			return next, fmt.Errorf("release delayed events: %w", err)
		}
		b.mu.Lock()
		b.delayed.known = false
		for i := range events {
			if events[i].Seq > b.head {
				b.pending[events[i].Seq] = &events[i].Event
			}
		}
		b.mu.Unlock()
		if len(events) == 0 {
			return next, nil
		}
	}
}

// nextDelayed is when the earliest delayed event is due. The store is asked only
// after something changed.
func (b *Broker) nextDelayed(ctx context.Context) (time.Time, error) {
	b.mu.Lock()
	d := b.delayed
	b.mu.Unlock()
	if d.known {
		return d.due, nil
	}
	due, err := b.store.NextDelayed(ctx)
	if err != nil {
		return due, fmt.Errorf("read when delayed events are due: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.delayed.changes == d.changes {
		b.delayed.known, b.delayed.due = true, due
	}
	return due, nil
}

// drain offers pending events to live subscriptions, in order and without gaps.
// A gap is a number some commit has not told of yet, or never will because its
// transaction ended: the log knows.
func (b *Broker) drain(ctx context.Context) error {
	for {
		batch := b.contiguous()
		if len(batch) > 0 {
			b.offer(batch)
			continue
		}
		b.mu.Lock()
		gap, head := len(b.pending) > 0, b.head
		b.mu.Unlock()
		if !gap {
			return nil
		}
		events, err := b.store.Read(ctx, head, readBatch)
		if err != nil {
			return fmt.Errorf("read the event log: %w", err)
		}
		if len(events) == 0 {
			return nil
		}
		b.offer(events)
	}
}

// contiguous takes the pending events that follow head without a gap.
func (b *Broker) contiguous() []store.StoredEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []store.StoredEvent
	for n := b.head + 1; len(out) < readBatch; n++ {
		ev := b.pending[n]
		if ev == nil {
			break
		}
		out = append(out, store.StoredEvent{Seq: n, Event: *ev})
	}
	return out
}

// offer hands events to the live subscriptions they concern and moves head.
func (b *Broker) offer(events []store.StoredEvent) {
	touched := map[*Subscription]bool{}
	for i := range events {
		ev := &events[i]
		for _, s := range b.interested(ev.Type) {
			s.mu.Lock()
			if s.live {
				if s.queued() < queueLimit {
					s.examine(ev)
				} else {
					s.live, s.cursor = false, ev.Seq-1
				}
				touched[s] = true
			}
			s.mu.Unlock()
		}
		b.mu.Lock()
		b.head = ev.Seq
		delete(b.pending, ev.Seq)
		b.mu.Unlock()
	}
	for s := range touched {
		s.mu.Lock()
		s.pump()
		behind := !s.live || len(s.leaving) > 0
		s.mu.Unlock()
		if behind {
			b.attend(s)
		}
	}
}

// interested returns the subscriptions whose types match. Only dispatch calls it.
func (b *Broker) interested(typ string) []*Subscription {
	b.mu.Lock()
	list, ok := b.byType[typ]
	version := b.version
	b.mu.Unlock()
	if ok {
		return list
	}
	for _, s := range b.list() {
		s.mu.Lock()
		if s.config().Matches(typ) {
			list = append(list, s)
		}
		s.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.version != version {
		return list
	}
	if b.byType == nil || len(b.byType) > maxTypes {
		b.byType = map[string][]*Subscription{}
	}
	b.byType[typ] = list
	return list
}

// maxTypes bounds the memory for which subscriptions want which type.
const maxTypes = 10_000

// fill reads on for a subscription that lags, until its queue is full or it has
// caught up and is live.
func (b *Broker) fill(ctx context.Context, s *Subscription) error {
	for {
		s.mu.Lock()
		lagging, room, cursor := !s.live && !s.closed, s.queued() < queueLimit/2, s.cursor
		s.mu.Unlock()
		if !lagging || !room {
			return nil
		}
		if cursor >= b.Head() {
			s.mu.Lock()
			s.live = true // dispatch is the only one that moves head
			s.mu.Unlock()
			return nil
		}
		events, err := b.store.Read(ctx, cursor, readBatch)
		if err != nil {
			return fmt.Errorf("read the event log for %s: %w", s.name, err)
		}
		head := b.Head()
		s.mu.Lock()
		for i := range events {
			if events[i].Seq > head {
				break // offered when head gets there
			}
			s.examine(&events[i])
			s.cursor = events[i].Seq
		}
		if len(events) == 0 || events[0].Seq > head {
			s.cursor = head
		}
		s.pump()
		s.mu.Unlock()
		if err := b.flush(ctx, s); err != nil {
			return err
		}
	}
}

// Backlog is how many events wait for a subscription, or may: of the part of the log
// it has not looked at yet, every number counts.
func (b *Broker) Backlog(name string) int64 {
	b.mu.Lock()
	s := b.subs[name]
	b.mu.Unlock()
	if s == nil {
		return 0
	}
	st := s.Status()
	return int64(st.Ready) + int64(st.Running) + int64(st.Waiting) + int64(st.Aside) + st.Lag
}

// Take returns a ready delivery for a caller that runs it itself, subscription by
// subscription in the order of their names; nil if none is ready.
func (b *Broker) Take() *Delivery {
	for _, s := range b.list() {
		if d := s.takeOne(); d != nil {
			return d
		}
	}
	return nil
}

// Handle runs a delivery taken with Take.
func (b *Broker) Handle(ctx context.Context, d *Delivery) { d.sub.config().Handle(ctx, d) }

// CatchUp folds, for every live subscription, the numbers at the end of the log that
// do not concern it, so that retention is not held up by a subscription nothing is
// published for. What cannot be committed is part of the next one.
func (b *Broker) CatchUp(ctx context.Context) error {
	b.dispatching.Lock()
	defer b.dispatching.Unlock()
	b.unfolded = append(b.unfolded, b.behind()...)
	if len(b.unfolded) == 0 {
		return nil
	}
	_, err := b.store.Commit(ctx, &store.Batch{Folds: b.unfolded})
	if err == nil {
		b.unfolded = nil
	}
	if !errors.Is(err, store.ErrTaken) {
		return err
	}
	for i, f := range b.unfolded { // one of them is somebody else's now, or gone
		_, err := b.store.Commit(ctx, &store.Batch{Folds: []store.Fold{f}})
		if err != nil && !errors.Is(err, store.ErrTaken) {
			b.unfolded = b.unfolded[i:]
			return err
		}
	}
	b.unfolded = nil
	return nil
}

// behind takes the numbers that live subscriptions looked at and did not fold.
func (b *Broker) behind() (folds []store.Fold) {
	head := b.Head()
	for _, s := range b.list() {
		s.mu.Lock()
		if s.live && s.folded < head {
			folds = append(folds, store.Fold{Subscription: s.name, Epoch: s.epoch, From: s.folded + 1, To: head})
			s.folded = head
		}
		s.mu.Unlock()
	}
	return folds
}

// Status tells how every subscription stands, by name.
func (b *Broker) Status() []Status {
	var out []Status
	for _, s := range b.list() {
		out = append(out, s.Status())
	}
	return out
}
