package broker

import (
	"sync"
	"sync/atomic"

	"pipelined"
	"pipelined/internal/store"
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
	given   map[int64]bool   // numbers of those, where Config.Owed says so
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

// wrong is why one of the subscription's own expressions fails on an event that comes
// again; nil if none does.
func (s *Subscription) wrong(ev *store.StoredEvent) (err error) {
	c := s.config()
	if c.Where != nil {
		_, err = c.Where(ev)
	}
	if c.OrderKey != nil && err == nil {
		_, err = c.OrderKey(ev)
	}
	if c.Tenant != nil && err == nil {
		_, err = c.Tenant(ev)
	}
	return err
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
