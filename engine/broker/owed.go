package broker

import (
	"maps"
	"slices"

	"pipelined/internal/store"
)

// Owed is which events of the log a subscription is not done with.
type Owed struct {
	through int64   // up to here seqs says all
	seqs    []int64 // ascending
	done    []store.Range
}

// Owed tells what the subscription of a pipeline is not done with: what is in the log
// and was not looked at, what is ready, runs, waits for a retry or is set aside. Its
// Config.Owed must have been set since before any of it was handed out. What nobody
// subscribes to is owed for ever.
func (b *Broker) Owed(name string) Owed {
	s := b.find(name)
	if s == nil {
		return Owed{}
	}
	head := b.Head()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := Owed{through: s.cursor, seqs: slices.Collect(maps.Keys(s.given)), done: slices.Clone(s.done)}
	if s.live {
		o.through = head
	}
	for _, a := range s.aside {
		o.through = min(o.through, a.loaded)
	}
	add := func(list []*Delivery) {
		for _, d := range list {
			o.seqs = append(o.seqs, d.Event.Seq)
		}
	}
	for _, q := range s.ready.queue {
		add(q.waiting())
	}
	for _, q := range s.keys {
		add(q.waiting())
	}
	for _, w := range s.wait {
		add([]*Delivery{w.d})
	}
	slices.Sort(o.seqs)
	return o
}

// Any reports whether anything from one number to another is owed.
func (o Owed) Any(from, to int64) bool {
	at, _ := slices.BinarySearch(o.seqs, from)
	if at < len(o.seqs) && o.seqs[at] <= to {
		return true
	}
	for from = max(from, o.through+1); from <= to; { // what the process before was done with, and this one did not come to
		at := slices.IndexFunc(o.done, func(r store.Range) bool { return r.From <= from && from <= r.To })
		if at < 0 {
			return true
		}
		from = o.done[at].To + 1
	}
	return false
}

// back notes that a delivery was given back, whatever came of it. The caller holds mu.
func (s *Subscription) back(d *Delivery) {
	s.out--
	delete(s.given, d.Event.Seq)
}
