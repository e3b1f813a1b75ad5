package execution

import (
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/objectstore"
)

// Effects is what an execution wants to happen, in order. A branch of it sees what
// its parent has and, of documents, what its siblings write; its events join the
// parent's when all branches have ended.
type Effects struct {
	run    *Run
	parent *Effects
	group  *objectstore.Group // of a branch
	name   objectstore.Branch
	parts  int // begun and not ended

	docs    *objectstore.Session
	events  []*pipelined.Event
	delayed []store.DelayedEvent
	after   []*Deferred
}

// Mark is a point to roll back to.
type Mark struct {
	events, delayed, after int
	docs                   objectstore.Mark
	part                   bool
}

// Mark remembers where the effects are.
func (e *Effects) Mark() Mark {
	m := Mark{events: len(e.events), delayed: len(e.delayed), after: len(e.after)}
	if e.docs != nil {
		m.docs = e.docs.Mark()
	}
	return m
}

// Begin begins a part that the flow can survive: Keep or Rollback ends it, and until
// then no other branch sees what it writes.
func (e *Effects) Begin() Mark {
	m := e.Mark()
	m.part = true
	e.parts++
	if e.docs != nil {
		e.docs.Begin()
	}
	return m
}

// Keep ends a part that succeeded.
func (e *Effects) Keep() {
	e.parts--
	if e.docs != nil {
		e.docs.Keep()
	}
}

// Rollback drops what came after m, and ends the part that m began.
func (e *Effects) Rollback(m Mark) {
	e.events = e.events[:m.events]
	e.delayed = e.delayed[:m.delayed]
	e.after = e.after[:m.after]
	if m.part {
		e.parts--
	}
	if e.docs != nil {
		e.docs.Rollback(m.docs, m.part)
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
	switch {
	case e.docs != nil:
	case e.parent != nil:
		e.docs = e.group.Branch(e.name, e.parts)
	default:
		e.docs = objectstore.NewSession(e.run.Store, e.run.Collection, e.run.Values.NewID, e.run.Clock.Now)
	}
	return e.docs
}

// Fill moves the effects into b, whose moment is set, and empties them.
func (e *Effects) Fill(b *store.Batch) {
	b.Events = append(b.Events, e.events...)
	b.Delayed = append(b.Delayed, e.delayed...)
	if e.docs != nil {
		b.Documents = append(b.Documents, e.docs.Writes(b.At)...)
	}
	e.Drop()
}

// Drop forgets every effect.
func (e *Effects) Drop() {
	e.events, e.delayed, e.after = nil, nil, nil
	if e.docs != nil {
		e.docs.Reset()
	}
}
