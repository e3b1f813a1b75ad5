package broker

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// Config is what a subscription wants. Its functions are called from one
// goroutine at a time and must not call the broker.
type Config struct {
	Name        string
	Matches     func(typ string) bool
	Where       func(*store.StoredEvent) (bool, error)   // nil: every event of a matching type
	OrderKey    func(*store.StoredEvent) (string, error) // nil: no order; an empty key has none either
	Tenant      func(*store.StoredEvent) (string, error) // nil: all are one
	Concurrency int                                      // at least 1
	Skip        bool                                     // while_waiting: skip
	From        int64                                    // where a new subscription begins: 0 the beginning, -1 now
	// Handle runs one delivery. It returns when the delivery needs its place no
	// longer: the batch is submitted, not necessarily durable.
	Handle func(context.Context, *Delivery)
	// Filtered is told of every event of a matching type that where kept out.
	Filtered func(*store.StoredEvent)
}

const (
	// queueLimit is how many deliveries a subscription keeps in memory.
	queueLimit = 4096
	// readBatch is how many events are read from the log at a time.
	readBatch = 512
	// refusedWait is how long a delivery waits whose commit was refused.
	refusedWait = 250 * time.Millisecond
	// maxRefusedWait bounds the wait while commits go on being refused.
	maxRefusedWait = 10 * time.Second
)

// Subscription is one pipeline's place in the log.
type Subscription struct {
	broker *Broker
	name   string
	epoch  int64 // of the lease on its place in the log

	settings atomic.Pointer[Config] // immutable; replaced as a whole

	mu      sync.Mutex
	live    bool  // events reach it from memory
	cursor  int64 // while not live: the last number examined
	folded  int64 // numbers up to here are covered by acknowledgements handed out
	floor   int64 // at start: done up to here
	done    []store.Range
	ready   ready
	keys    map[string]*fifo // keys with a delivery out or waiting, and what queues behind it
	behind  int              // deliveries in keys
	out     int              // handed out and not yet ended
	wait    waitHeap
	arrived int
	closed  bool // unsubscribed; what is out still ends here

	load    map[string]int    // deliveries of each group that wait in memory
	aside   map[string]*aside // groups with events set aside in the store
	leaving []*Delivery       // to be set aside by the next flush

	workers  int // goroutines
	starting int // of them, those that have not taken their first delivery
}

// config is what the subscription wants now.
func (s *Subscription) config() *Config { return s.settings.Load() }

// queued is how many deliveries are in memory and not handed out.
func (s *Subscription) queued() int { return s.ready.size + s.behind }

// alreadyDone reports whether n was acknowledged before the process started.
func (s *Subscription) alreadyDone(n int64) bool {
	for len(s.done) > 0 && s.done[0].To < n {
		s.done = s.done[1:]
	}
	return n <= s.floor || (len(s.done) > 0 && n >= s.done[0].From)
}

// examine looks at one event of the log and queues it if it concerns the
// subscription. The caller holds mu.
func (s *Subscription) examine(ev *store.StoredEvent) {
	if s.alreadyDone(ev.Seq) || !s.config().Matches(ev.Type) {
		return
	}
	if to, only := ev.Headers[pipelined.ToHeader]; only && to != s.name {
		return
	}
	d := &Delivery{Event: *ev, Attempt: 1, sub: s, epoch: s.epoch}
	if s.config().Where != nil {
		ok, err := s.config().Where(ev)
		if err == nil && !ok {
			if s.config().Filtered != nil {
				s.config().Filtered(ev)
			}
			return
		}
		d.Problem = err
	}
	s.place(d)
	d.from = s.folded + 1
	s.folded = ev.Seq
	if s.full(d.group) {
		s.setAside(d)
		return
	}
	s.queue(d)
}

// place works out the delivery's key and tenant.
func (s *Subscription) place(d *Delivery) {
	var err error
	if s.config().OrderKey != nil {
		if d.key, err = s.config().OrderKey(&d.Event); err != nil && d.Problem == nil {
			d.Problem = err
		}
	}
	if s.config().Tenant != nil {
		if d.tenant, err = s.config().Tenant(&d.Event); err != nil && d.Problem == nil {
			d.Problem = err
		}
	}
	d.group = s.groupOf(d)
}

// queue makes d ready, or puts it behind its key. I5: one per key is out.
func (s *Subscription) queue(d *Delivery) {
	if d.group != "" {
		s.loads(d.group)
	}
	if d.key == "" {
		s.ready.push(d)
		return
	}
	if q, busy := s.keys[d.key]; busy {
		q.push(d)
		s.behind++
		return
	}
	s.keys[d.key] = &fifo{}
	s.ready.push(d)
}

// release opens the key of a delivery that has ended, or hands it on.
func (s *Subscription) release(key string) {
	if key == "" {
		return
	}
	q := s.keys[key]
	if q == nil {
		return
	}
	if next := q.pop(); next != nil {
		s.behind--
		s.ready.push(next)
		return
	}
	delete(s.keys, key)
}

// pump starts workers for what is ready. The caller holds mu.
func (s *Subscription) pump() {
	run := s.broker.running.Load()
	if run == nil || run.intake.Err() != nil || s.closed {
		return
	}
	for s.workers < s.config().Concurrency && s.starting < s.ready.size && !s.strict() {
		s.workers++
		s.starting++
		s.broker.workers.Go(func() { s.run(run) })
	}
}

// strict reports that nothing may be handed out now because concurrency is 1 and
// the delivery before is not committed: one at a time means that each sees what
// the one before did.
func (s *Subscription) strict() bool { return s.config().Concurrency == 1 && s.out > 0 }

// run hands deliveries to the handler until none is ready.
func (s *Subscription) run(run *running) {
	for first := true; ; first = false {
		d := s.take(run, first)
		if d == nil {
			return
		}
		s.config().Handle(run.work, d)
	}
}

// take hands out the next delivery, or ends the worker.
func (s *Subscription) take(run *running, first bool) *Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first {
		s.starting--
	}
	var d *Delivery
	if !s.closed && run.intake.Err() == nil && s.workers <= s.config().Concurrency && !s.strict() {
		d = s.ready.pop()
	}
	if d == nil {
		s.workers--
		return nil
	}
	s.out++
	s.took(d)
	return d
}

// takeOne hands out the next delivery to a caller that runs it itself.
func (s *Subscription) takeOne() *Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.strict() {
		return nil
	}
	d := s.ready.pop()
	if d != nil {
		s.out++
		s.took(d)
	}
	return d
}

func (s *Subscription) committed(d *Delivery, r store.Result) {
	s.mu.Lock()
	s.out--
	if d.postponed != nil {
		again := &Delivery{Event: d.Event, Attempt: d.Attempt + 1, sub: s, key: d.key, tenant: d.tenant, group: d.group}
		if len(r.DeferredIDs) > 0 {
			again.deferredID = r.DeferredIDs[len(r.DeferredIDs)-1]
		}
		s.later(again, d.postponed.Due, !s.config().Skip)
		if s.config().Skip {
			s.release(d.key)
		}
	} else {
		s.release(d.key)
	}
	s.pump()
	s.mu.Unlock()
	if d.postponed != nil {
		s.broker.attend(s)
	}
}

// later keeps d until due. holds says that its key stays closed.
func (s *Subscription) later(d *Delivery, due time.Time, holds bool) {
	s.arrived++
	heap.Push(&s.wait, &waiting{due: due, d: d, holds: holds && d.key != "", n: s.arrived})
}

func (s *Subscription) refused(d *Delivery) {
	s.mu.Lock()
	s.out--
	d.postponed = nil
	d.refusals++
	wait := refusedWait << min(d.refusals-1, 10)
	s.later(d, s.broker.clock.Now().Add(min(wait, maxRefusedWait)), true)
	s.pump()
	s.mu.Unlock()
	s.broker.attend(s)
}

func (s *Subscription) abandon(d *Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out--
	d.postponed = nil
	if d.group != "" {
		s.loads(d.group)
	}
	s.ready.pushFront(d)
}

// wake makes what is due ready and returns when the next one is.
func (s *Subscription) wake(now time.Time) (next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.wait) > 0 && !s.wait[0].due.After(now) {
		w := heap.Pop(&s.wait).(*waiting)
		if w.holds {
			if w.d.group != "" {
				s.loads(w.d.group)
			}
			s.ready.push(w.d)
		} else {
			s.queue(w.d)
		}
	}
	s.pump()
	if len(s.wait) == 0 {
		return time.Time{}
	}
	return s.wait[0].due
}

// restore puts the deliveries that waited when the process ended back.
func (s *Subscription) restore(rows []store.Deferred, log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		d := &Delivery{Event: r.Event, Attempt: r.Attempt, sub: s, deferredID: r.ID, key: r.OrderKey}
		if s.config().Tenant != nil {
			d.tenant, _ = s.config().Tenant(&d.Event)
		}
		d.group = s.groupOf(d)
		if !s.config().Skip && d.key != "" && s.keys[d.key] == nil {
			s.keys[d.key] = &fifo{}
			s.later(d, r.Due, true)
			continue
		}
		s.later(d, r.Due, false)
	}
	if len(rows) > 0 {
		log.Info("deliveries wait for their retry", "subscription", s.name, "waiting", len(rows))
	}
}

// Status is how a subscription stands.
type Status struct {
	Name    string `json:"name"`
	Ready   int    `json:"ready"`   // in memory, may run now or behind its key
	Running int    `json:"running"` // handed out and not yet committed
	Waiting int    `json:"waiting"` // for a retry
	Aside   int    `json:"aside"`   // in the store, because too many of their tenant or key wait already
	Lag     int64  `json:"lag"`     // numbers of the log not yet looked at
}

// Status tells how the subscription stands.
func (s *Subscription) Status() Status {
	head := s.broker.Head()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Name: s.name, Ready: s.queued(), Running: s.out, Waiting: len(s.wait)}
	if !s.live {
		st.Lag = head - s.cursor
	}
	for _, a := range s.aside {
		st.Aside += a.count
	}
	return st
}
