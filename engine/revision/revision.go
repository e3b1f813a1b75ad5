// Package revision is a program in use and everything that depends on it: opened
// connections, routes, limits. Whoever works with a revision pins it first, before
// it routes or checks anything by it, and keeps it to the end of its work; when the
// last pin of one that was replaced is gone, its connections are closed.
//
//	Open ──► prepared ──► Current.Use ──► pinned by work ──► replaced ──► last pin gone ──► Close
package revision

import (
	"net/http"
	"sync/atomic"

	"pipelined/engine/program"
	"pipelined/internal/pattern"
	"pipelined/triggers"
)

// Revision is one program in use. It is immutable once it is in use.
type Revision struct {
	*program.Program
	*Clients
	// ID is this revision's alone, even if its files are those of another.
	ID string
	// Routes answers HTTP requests by this revision's pipelines.
	Routes http.Handler

	limits   []limit
	handlers map[string]string // of failures, by pipeline; see Handler
	pins     atomic.Int64      // one of them is Current's
	gone     chan struct{}
}

// limit is a subscription that wants no more than so many events to wait for it.
type limit struct {
	pipeline string
	types    []string
	most     int64
}

// New prepares a revision that is pinned once. Its Routes are set by whoever makes
// them, before it is used.
func New(p *program.Program, clients *Clients) *Revision {
	r := &Revision{Program: p, Clients: clients, handlers: map[string]string{}, gone: make(chan struct{})}
	r.pins.Store(1)
	for _, q := range p.Pipelines {
		switch plan := q.Plan.(type) {
		case *triggers.Subscription:
			if plan.MaxBacklog > 0 {
				r.limits = append(r.limits, limit{q.Name, plan.Types, plan.MaxBacklog})
			}
		case *triggers.Failures:
			r.handle(q.Name, plan)
		}
	}
	return r
}

// everyone is where the handler of all pipelines that no other lists stands.
const everyone = ""

func (r *Revision) handle(name string, f *triggers.Failures) {
	if len(f.Pipelines) == 0 {
		r.handlers[everyone] = name
	}
	for _, p := range f.Pipelines {
		r.handlers[p] = name
	}
}

// Handler is the pipeline that takes the failures of the one called name: the one
// that lists it, or else the general one. It is empty if there is none; no pipeline
// handles its own failures.
func (r *Revision) Handler(name string) string {
	h, listed := r.handlers[name]
	if !listed {
		h = r.handlers[everyone]
	}
	if h == name {
		return ""
	}
	return h
}

// Limited reports whether any subscription limits how many events wait for it.
func (r *Revision) Limited() bool { return len(r.limits) > 0 }

// Limit visits the pipelines that allow no more than so many events of a type to
// wait, with how many.
func (r *Revision) Limit(eventType string, visit func(pipeline string, most int64) (more bool)) {
	for _, l := range r.limits {
		if pattern.MatchAny(l.types, eventType) && !visit(l.pipeline, l.most) {
			return
		}
	}
}

// Unpin lets go of the revision.
func (r *Revision) Unpin() {
	if r.pins.Add(-1) == 0 {
		close(r.gone)
	}
}

// Gone is closed when nothing works with the revision any more.
func (r *Revision) Gone() <-chan struct{} { return r.gone }

func (r *Revision) pin() bool {
	for {
		n := r.pins.Load()
		if n == 0 {
			return false
		}
		if r.pins.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Current is the revision in use. The zero value has none.
type Current struct{ at atomic.Pointer[Revision] }

// Load returns the revision in use without pinning it: for looking, not for work.
func (c *Current) Load() *Revision { return c.at.Load() }

// Pin returns the revision in use, kept until it is unpinned; nil if the engine has let
// go of it because it stops.
func (c *Current) Pin() *Revision {
	for {
		r := c.at.Load()
		if r.pin() {
			return r
		}
		if r == c.at.Load() {
			return nil
		}
	}
}

// Use puts next in the place of the revision in use, which it returns; nil if there
// was none. That one is to be unpinned.
func (c *Current) Use(next *Revision) (old *Revision) { return c.at.Swap(next) }
