package execution

import (
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/objectstore"
)

// Effects is what an execution wants to happen, in order. A branch reads what its
// parent has, and joins it when it succeeds.
type Effects struct {
	run    *Run
	parent *Effects
	docs   *objectstore.Session

	events  []*pipelined.Event
	delayed []store.DelayedEvent
}

// Mark is a point to roll back to.
type Mark struct {
	events, delayed int
	docs            objectstore.Mark
}

// Mark remembers where the effects are.
func (e *Effects) Mark() Mark {
	m := Mark{events: len(e.events), delayed: len(e.delayed)}
	if e.docs != nil {
		m.docs = e.docs.Mark()
	}
	return m
}

// Rollback drops what came after m.
func (e *Effects) Rollback(m Mark) {
	e.events = e.events[:m.events]
	e.delayed = e.delayed[:m.delayed]
	if e.docs != nil {
		e.docs.Rollback(m.docs)
	}
}

// Publish appends an event.
func (e *Effects) Publish(ev *pipelined.Event, due time.Time) {
	if due.IsZero() {
		e.events = append(e.events, ev)
		return
	}
	e.delayed = append(e.delayed, store.DelayedEvent{Event: ev, Due: due})
}

// Documents is the execution's view of the object store.
func (e *Effects) Documents() *objectstore.Session {
	if e.docs == nil {
		if e.parent != nil {
			e.docs = e.parent.Documents().Child()
		} else {
			e.docs = objectstore.NewSession(e.run.Store, e.run.Values.NewID, e.run.Clock.Now).Declare(e.run.Unique)
		}
	}
	return e.docs
}

// branch returns effects on top of these. The parent must not change until all
// branches have ended; then those that succeeded are joined, in order.
func (e *Effects) branch() *Effects {
	e.Documents()
	return &Effects{run: e.run, parent: e}
}

// Join adds what a branch did to its parent.
func (e *Effects) Join() {
	p := e.parent
	p.events = append(p.events, e.events...)
	p.delayed = append(p.delayed, e.delayed...)
	if e.docs != nil {
		p.Documents().Join(e.docs)
	}
}

// Fill moves the effects into b and empties them.
func (e *Effects) Fill(b *store.Batch) {
	b.Events = append(b.Events, e.events...)
	b.Delayed = append(b.Delayed, e.delayed...)
	if e.docs != nil {
		b.Documents = append(b.Documents, e.docs.Writes()...)
	}
	e.Drop()
}

// Drop forgets every effect.
func (e *Effects) Drop() {
	e.events, e.delayed = nil, nil
	if e.docs != nil {
		e.docs.Reset()
	}
}
