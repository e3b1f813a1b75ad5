package broker

import (
	"container/heap"
	"log/slog"
	"time"

	"pipelined/internal/store"
)

func (s *Subscription) committed(d *Delivery) {
	s.mu.Lock()
	s.back(d)
	if d.postponed != nil {
		again := &Delivery{Event: d.Event, Attempt: d.Attempt + 1, sub: s, key: d.key, tenant: d.tenant, group: d.group}
		again.Problem = s.wrong(&again.Event)
		again.deferredID = d.postponed.ID
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
	s.back(d)
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
	s.back(d)
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
		d.Problem = s.wrong(&d.Event)
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

// waiting is a delivery that comes again at its time.
type waiting struct {
	due   time.Time
	d     *Delivery
	holds bool // its key is closed meanwhile
	n     int  // order of arrival, for equal times
}

// waitHeap orders waiting deliveries by time.
type waitHeap []*waiting

func (h waitHeap) Len() int { return len(h) }
func (h waitHeap) Less(i, j int) bool {
	if c := h[i].due.Compare(h[j].due); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}
func (h waitHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *waitHeap) Push(x any)   { *h = append(*h, x.(*waiting)) }
func (h *waitHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return w
}
