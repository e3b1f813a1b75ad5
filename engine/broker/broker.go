package broker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// Broker hands events to subscriptions. Use New; all methods are safe for
// concurrent use.
type Broker struct {
	store  store.Log
	clock  pipelined.Clock
	newID  func() string // of deliveries that wait
	logger *slog.Logger

	mu      sync.Mutex
	head    int64 // every number up to it was offered to the live subscriptions
	pending map[int64]*pipelined.Event
	others  bool // another process has appended events
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

// running is the two contexts of a broker at work.
type running struct{ intake, work context.Context }

// New returns a broker that has no subscriptions and runs nothing.
func New(ctx context.Context, s store.Log, clock pipelined.Clock, newID func() string, logger *slog.Logger) (*Broker, error) {
	head, err := s.LastSeq(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the end of the event log: %w", err)
	}
	return &Broker{
		store: s, clock: clock, newID: newID, logger: logger, head: head,
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
		if err == nil {
			b.sleep(intake, next)
			continue
		}
		if intake.Err() == nil {
			b.logger.Error("events cannot be dispatched; trying again", "err", err)
		}
		_ = pipelined.Sleep(intake, b.clock, time.Second) // whatever happens meanwhile: it would be tried, and told, without end
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
	case <-b.store.Watch(b.Head()):
		b.mu.Lock()
		b.others = true
		b.mu.Unlock()
	case <-timeout:
	}
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

func byName(a, b *Subscription) int { return strings.Compare(a.name, b.name) }

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
