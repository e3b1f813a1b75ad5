package broker

import "slices"

// Out returns, after a Dispatch and before Run, the deliveries that may have been
// out when the process ended: those that will be handed out first now, as many of
// each tenant as could run at a time. What waited for a retry that is due counts
// beside those of the log.
func (b *Broker) Out() []*Delivery {
	var out []*Delivery
	for _, s := range b.list() {
		s.mu.Lock()
		for _, tenant := range s.ready.turns {
			fresh, waited := 0, 0
			for _, d := range s.ready.queue[tenant].waiting() {
				n := &fresh
				if d.deferredID != "" {
					n = &waited
				}
				if *n++; *n <= s.config().Concurrency {
					out = append(out, d)
				}
			}
		}
		s.mu.Unlock()
	}
	return out
}

// HandOut takes a delivery that Out returned, for a caller that handles it itself.
// crashes is how often the process died while it alone ran.
func (b *Broker) HandOut(d *Delivery, crashes int) bool {
	s := d.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.ready.remove(d) {
		return false
	}
	d.crashes = crashes
	s.out++
	s.took(d)
	return true
}

// waiting are the deliveries of a queue, first one first.
func (q *fifo) waiting() []*Delivery { return q.items[q.head:] }

// remove takes a delivery out of the middle.
func (r *ready) remove(d *Delivery) bool {
	q := r.queue[d.tenant]
	if q == nil {
		return false
	}
	at := slices.Index(q.waiting(), d)
	if at < 0 {
		return false
	}
	q.items = slices.Delete(q.items, q.head+at, q.head+at+1)
	r.size--
	if q.len() == 0 {
		delete(r.queue, d.tenant)
		r.turns = slices.DeleteFunc(r.turns, func(name string) bool { return name == d.tenant })
	}
	return true
}
