// Package scheduler runs pipelines at their moments. A tick is claimed before it runs, and
// the claim is proven in the commit of its execution, so it runs once, whatever happens;
// ticks missed while the process was
// down, or asleep, are treated as the trigger's missed says, and those that the process
// died in start again.
//
//	due ─► missed? ─► overlap? ─► claimed ─► attempt ─► proven in its commit
//	                     │ queue                                       │ not committed
//	                     └──────► waits its turn                       └──► again, until it is
package scheduler

import (
	"context"
	"sync"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/revision"
)

const (
	// maxMissed bounds how many ticks of a pipeline wait in memory to be made up for with
	// missed: all; the rest is worked out when there is room.
	maxMissed = 10_000
	// late is how far behind a tick may be and still count as on time.
	late = 5 * time.Second
	// maxSleep bounds how long the scheduler trusts its timer, so that a clock that was
	// set is noticed.
	maxSleep = 30 * time.Second
)

// Scheduler fires ticks. Use New; it is safe for concurrent use.
type Scheduler struct {
	runner  *attempt.Runner
	current *revision.Current
	wake    chan struct{}

	mu    sync.Mutex
	jobs  map[string]*job
	ready []tick          // that waited for what the one before left to be done
	gone  map[string]*job // that have no schedule any more, and a tick that still runs
	group sync.WaitGroup
}

// New returns a scheduler without schedules.
func New(r *attempt.Runner, c *revision.Current) *Scheduler {
	return &Scheduler{runner: r, current: c, wake: make(chan struct{}, 1), jobs: map[string]*job{}, gone: map[string]*job{}}
}

// Run fires ticks until intake ends, and waits for those under way. They run under
// work, which may outlive intake.
func (s *Scheduler) Run(intake, work context.Context) error {
	for intake.Err() == nil {
		ticks, next := s.due(s.runner.Clock.Now())
		s.opens(intake, ticks)
		for _, t := range ticks {
			s.group.Go(func() { s.fire(intake, work, t) })
		}
		s.sleep(intake, next)
	}
	s.group.Wait()
	return nil
}

// RunDue fires what is due on the caller's goroutine, and returns how many that were.
func (s *Scheduler) RunDue(ctx, work context.Context) (int, error) {
	ticks, _ := s.due(s.runner.Clock.Now())
	s.opens(ctx, ticks)
	for _, t := range ticks {
		s.fire(ctx, work, t)
	}
	return len(ticks), ctx.Err()
}

func (s *Scheduler) sleep(ctx context.Context, next time.Time) {
	wait := maxSleep
	if !next.IsZero() {
		wait = min(wait, next.Sub(s.runner.Clock.Now()))
	}
	t := s.runner.Clock.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-t.C():
	}
}

func (s *Scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fire runs a tick, and the ones queued behind it. Where it still has something to do after
// its commit, they are ready when that has ended.
func (s *Scheduler) fire(intake, work context.Context, t tick) {
	for {
		rest := s.once(intake, work, t)
		if intake.Err() != nil {
			return
		}
		if rest != nil {
			rest.Then(func() { s.follow(t.job) })
			return
		}
		next, ok := s.ended(t.job)
		if !ok {
			return
		}
		t = next
	}
}

// follow has the tick that waits for a job's next turn run soon.
func (s *Scheduler) follow(j *job) {
	next, ok := s.ended(j)
	if !ok {
		return
	}
	s.mu.Lock()
	s.ready = append(s.ready, next)
	s.mu.Unlock()
	s.poke()
}

// once runs one tick; one that could not be committed is tried again until it is, or the
// runtime stops.
func (s *Scheduler) once(intake, work context.Context, t tick) *attempt.Rest {
	for wait := time.Second; ; wait = min(wait*2, 10*time.Second) {
		again := s.try(intake, work, &t)
		if !again || pipelined.Sleep(intake, s.runner.Clock, wait) != nil {
			return t.rest
		}
	}
}
