package source

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"
	"time"

	"pipelined"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// A source that ended is begun again after a wait of leastWait, doubled each time up to
// mostWait; one that read for steady begins with leastWait again.
const (
	leastWait = time.Second
	mostWait  = time.Minute
	steady    = 5 * time.Minute
)

// reader is one source of one pipeline.
type reader struct {
	sources  *Sources
	pipeline *program.Pipeline
	plan     *triggers.Source
	rev      *revision.Revision // pinned where the source has a connection
	before   *reader            // that this one replaces
	done     chan struct{}      // closed when it has ended; only under Run

	mu     sync.Mutex
	stops  context.CancelFunc
	counts Status

	turns *turns // only under RunDue
}

// Status is how a source stands.
type Status struct {
	Pipeline string `json:"pipeline"`
	Trigger  string `json:"trigger"`
	Reads    string `json:"reads"`
	// Reading is false while the source waits to be begun again, or has ended because
	// another reads what it read.
	Reading  bool   `json:"reading"`
	Events   int64  `json:"events"`          // delivered since the start
	Failed   int64  `json:"failed"`          // of them, those that could not be decoded
	Restarts int64  `json:"restarts"`        // since the start
	Error    string `json:"error,omitempty"` // why it was begun again the last time
}

// same reports whether a pipeline's source reads the same in the same way.
func (r *reader) same(p *program.Pipeline) bool {
	return r.pipeline.TriggerKind == p.TriggerKind && r.pipeline.Fingerprint == p.Fingerprint && r.plan.Connection == "" && p.Connection == nil
}

// name is under what its cursors are.
func (r *reader) name() string { return r.pipeline.TriggerKind + "." + r.pipeline.Name }

func (r *reader) stop(cancel context.CancelFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = cancel
}

func (r *reader) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stops != nil {
		r.stops()
	}
}

// after waits until the reader in whose place this one is has ended.
func (r *reader) after() {
	if r.before != nil {
		<-r.before.done
		r.before = nil
	}
}

// release lets go of the revision.
func (r *reader) release() {
	if r.rev != nil {
		r.rev.Unpin()
	}
}

func (r *reader) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.counts
	st.Pipeline, st.Trigger, st.Reads = r.pipeline.Name, r.pipeline.TriggerKind, r.plan.Reads
	return st
}

func (r *reader) note(f func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.counts)
}

// wait sleeps on behalf of a source.
type wait func(ctx context.Context, d time.Duration) error

func (r *reader) sleep(ctx context.Context, d time.Duration) error {
	return pipelined.Sleep(ctx, r.sources.Runner.Clock, d)
}

// live reads until ctx ends, or another reads the same.
func (r *reader) live(ctx context.Context, wait wait) {
	log := r.sources.Runner.Logger.With("pipeline", r.pipeline.Name, "source", r.plan.Reads)
	clock := r.sources.Runner.Clock
	for again := leastWait; ctx.Err() == nil; again = min(2*again, mostWait) {
		began := clock.Now()
		r.note(func(s *Status) { s.Reading = true })
		err := r.read(ctx, wait)
		if err == nil {
			err = errors.New("it ended by itself")
		}
		r.note(func(s *Status) { s.Reading = false })
		if ctx.Err() != nil {
			return
		}
		r.note(func(s *Status) { s.Error = err.Error() })
		if errors.Is(err, store.ErrTaken) {
			log.Error("a source ends, because another process reads it now; it begins again when this one starts", "err", err)
			return
		}
		if clock.Now().Sub(began) >= steady {
			again = leastWait
		}
		log.Error("a source ended; it begins again where it was", "wait", again.String(), "err", err)
		if wait(ctx, again) != nil {
			return
		}
		r.note(func(s *Status) { s.Restarts++ })
	}
}

// read reads until something ends it. A panic is an error.
func (r *reader) read(ctx context.Context, wait wait) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	s := newSession(ctx, r, wait)
	return r.plan.Start(ctx, s.env(), s.deliver)
}

// turns is a source that reads turn by turn: from one wait to the next.
type turns struct {
	next func() (time.Duration, bool)
	stop func()
	due  time.Time
	over bool
}

// turn has the source read up to its next wait if the one before is over, and returns
// how many events that delivered.
func (r *reader) turn(ctx context.Context) int64 {
	if !r.plan.Polls {
		return 0
	}
	if r.turns == nil {
		r.turns = r.take(ctx)
	}
	t, now := r.turns, r.sources.Runner.Clock.Now()
	if t.over || t.due.After(now) {
		return 0
	}
	before := r.status().Events
	d, more := t.next()
	t.due, t.over = r.sources.Runner.Clock.Now().Add(d), !more
	return r.status().Events - before
}

// take begins to read turn by turn.
func (r *reader) take(ctx context.Context) *turns {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.stop(cancel)
	t := &turns{}
	t.next, t.stop = iter.Pull(func(yield func(time.Duration) bool) {
		r.live(ctx, func(ctx context.Context, d time.Duration) error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if !yield(d) {
				cancel()
				return context.Canceled
			}
			return context.Cause(ctx)
		})
	})
	return t
}

// leave lets a reader that took turns run to its end.
func (r *reader) leave() {
	if r.turns == nil {
		return
	}
	r.cancel()
	r.turns.stop()
	r.turns = nil
}
