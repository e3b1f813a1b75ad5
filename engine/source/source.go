// Package source reads what comes from outside: it runs the sources of a revision,
// turns what they deliver into events of the type pipelined.<trigger>.<pipeline>, and
// commits those together with where each source has read to. The pipeline's own
// subscription does the rest.
//
//	outside ─read─► triggers.Source ─deliver─► session ─┬─ one commit: events · cursor
//	   ▲                  │                             └─► the log ─► consumer
//	   └── acknowledge ◄──┘ when deliver has returned, or the events have ended
//
// A reader is one source for as long as it is the same: it ends and begins again at its
// cursors whenever Start returns, after a wait that doubles. It knows nothing of the
// trigger it belongs to; every reader has a name, trigger.pipeline, under which its
// cursors are.
//
// Invariants: what deliver returned nil for is durable. Whoever lost a partition to
// another commits nothing for it any more (store.ErrTaken), and ends. Of one pipeline
// never two readers run.
package source

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// Sources are the readers of the revision in use. Its fields are set before the first
// Use; it is safe for concurrent use.
type Sources struct {
	Runner  *attempt.Runner
	Current *revision.Current
	Broker  *broker.Broker
	Log     store.Log
	Dir     string // the project folder

	mu      sync.Mutex
	readers map[string]*reader // by pipeline
	intake  context.Context    // of Run; nil before it
	ended   bool
	group   sync.WaitGroup
}

// Use has the sources of the revision in use read, and no others. One whose trigger is
// written as before goes on undisturbed, unless it has a connection: that may be
// another now, so it begins again at its cursors, like one that was changed. Readers
// that are replaced end before those in their place begin; Use does not wait for them.
func (s *Sources) Use() {
	rev := s.Current.Pin()
	if rev == nil {
		return
	}
	defer rev.Unpin()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.readers
	s.readers = map[string]*reader{}
	for _, p := range rev.Pipelines {
		plan, ok := p.Plan.(*triggers.Source)
		if !ok || s.ended {
			continue
		}
		old := before[p.Name]
		if old != nil && old.same(p) {
			s.readers[p.Name] = old
			continue
		}
		s.readers[p.Name] = s.begin(p, plan, old)
	}
	for name, old := range before {
		if s.readers[name] != old {
			s.retire(old)
		}
	}
}

// begin makes a reader, in the place of an old one, which may be nil. The caller holds mu.
func (s *Sources) begin(p *program.Pipeline, plan *triggers.Source, old *reader) *reader {
	r := &reader{sources: s, pipeline: p, plan: plan, done: make(chan struct{})}
	if plan.Connection != "" {
		r.rev = s.Current.Pin()
	}
	if s.intake != nil {
		r.before = old
		s.start(r)
	}
	return r
}

// retire ends a reader that nobody wants any more. The caller holds mu.
func (s *Sources) retire(r *reader) {
	r.cancel()
	if s.intake == nil {
		r.leave()
		r.release()
	}
}

// start has a reader read on a goroutine of its own. The caller holds mu.
func (s *Sources) start(r *reader) {
	ctx, cancel := context.WithCancel(s.intake)
	r.stop(cancel)
	s.group.Go(func() {
		defer close(r.done)
		defer r.release()
		r.after()
		r.live(ctx, r.sleep)
	})
}

// Run reads until intake ends, and waits until every reader has ended.
func (s *Sources) Run(intake context.Context) error {
	s.mu.Lock()
	s.intake = intake
	for _, r := range s.sorted() {
		r.leave()
		s.start(r)
	}
	s.mu.Unlock()
	<-intake.Done()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.group.Wait()
	return nil
}

// RunDue has every source whose wait is over take one turn, on the caller's goroutine:
// from where it waited to where it waits again. It returns how many events were
// delivered. Sources that do not poll take no turns. Do not use it beside Run.
func (s *Sources) RunDue(ctx context.Context) (delivered int64) {
	s.mu.Lock()
	list := s.sorted()
	s.mu.Unlock()
	for _, r := range list {
		delivered += r.turn(ctx)
	}
	return delivered
}

// Close ends what RunDue began.
func (s *Sources) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.intake != nil {
		return // Run has ended them
	}
	for _, r := range s.readers {
		s.retire(r)
	}
	s.readers = nil
}

// Status tells how every source stands, by pipeline.
func (s *Sources) Status() (out []Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.sorted() {
		out = append(out, r.status())
	}
	return out
}

// sorted are the readers by pipeline. The caller holds mu.
func (s *Sources) sorted() []*reader {
	return slices.SortedFunc(maps.Values(s.readers), func(a, b *reader) int { return strings.Compare(a.pipeline.Name, b.pipeline.Name) })
}
