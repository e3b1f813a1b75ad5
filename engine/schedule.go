package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// maxMissed bounds how many ticks of a pipeline wait in memory to be made up for with
// missed: all; the rest is worked out when there is room.
const maxMissed = 10_000

// scheduler runs pipelines at their moments. A tick is claimed in the commit of
// its execution, so it runs once, whatever happens; ticks missed while the
// process was down, or asleep, are treated as the trigger's missed says.
type scheduler struct {
	engine *Engine
	wake   chan struct{}

	mu    sync.Mutex
	jobs  map[string]*job
	group sync.WaitGroup
}

// job is the schedule of one pipeline.
type job struct {
	name     string
	plan     *triggers.Schedule
	next     time.Time // zero: never
	previous time.Time
	running  int
	queue    []time.Time       // with overlap: queue, in order
	open     map[time.Time]int // ticks the process before died in, and how often they were opened
	resume   []time.Time       // of them, those that have not been started again
}

func newScheduler(e *Engine) *scheduler {
	return &scheduler{engine: e, wake: make(chan struct{}, 1), jobs: map[string]*job{}}
}

// use takes over the schedules of a program. A job whose expression is unchanged
// keeps its next tick, so a reload at the very moment of a tick neither loses nor
// repeats it.
func (s *scheduler) use(ctx context.Context, l *loaded) error {
	now := s.engine.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.jobs
	s.jobs = map[string]*job{}
	for _, p := range l.Pipelines {
		plan, ok := p.Plan.(*triggers.Schedule)
		if !ok {
			continue
		}
		j := before[p.Name]
		if j == nil {
			j = &job{name: p.Name}
		}
		changed := j.plan == nil || j.plan.Expression != plan.Expression || j.plan.Location.String() != plan.Location.String()
		j.plan = plan
		s.jobs[p.Name] = j
		if !changed {
			continue
		}
		last, err := s.engine.store.LastTick(ctx, p.Name)
		if err != nil {
			return fmt.Errorf("read the last tick of %s: %w", p.Name, err)
		}
		j.previous = last
		if before[p.Name] == nil {
			if j.open, err = s.engine.openTicks(ctx, p.Name); err != nil {
				return err
			}
			j.resume = sortedTimes(j.open)
			if n := len(j.resume); n > 0 && last.IsZero() {
				last = j.resume[n-1]
			}
		}
		if last.IsZero() || before[p.Name] != nil {
			last = now // new, or with a new expression: nothing was missed
		}
		j.next = plan.Next(last)
	}
	s.poke()
	return nil
}

func (s *scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// due takes the ticks that are due by now, with the policies applied, and says
// when the next one will be.
func (s *scheduler) due(now time.Time) (ticks []tick, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		ticks = append(ticks, s.again(j)...)
		var all []time.Time
		for !j.next.IsZero() && !j.next.After(now) && len(j.queue)+len(all) < maxMissed {
			if _, open := j.open[j.next]; !open {
				all = append(all, j.next)
			}
			j.next = j.plan.Next(j.next)
		}
		for i, t := range s.wanted(j, all, now) {
			if i > 0 || len(j.queue) > 0 {
				j.queue = append(j.queue, t) // made up for one after the other, whatever overlap says
				continue
			}
			if started, ok := s.start(j, t); ok {
				ticks = append(ticks, started)
			}
		}
		room := len(j.queue) < maxMissed || j.next.After(now)
		if !j.next.IsZero() && room && (next.IsZero() || j.next.Before(next)) {
			next = j.next
		}
	}
	return ticks, next
}

// again starts the ticks that the process before died in, whatever missed says, one
// after the other unless they may overlap.
func (s *scheduler) again(j *job) (ticks []tick) {
	for i, at := range j.resume {
		if i > 0 && j.plan.Overlap != "allow" {
			j.queue = append(j.queue, at)
		} else if t, ok := s.start(j, at); ok {
			ticks = append(ticks, t)
		}
	}
	j.resume = nil
	return ticks
}

// late is how far behind a tick may be and still count as on time.
const late = 5 * time.Second

// wanted applies missed to the ticks that came due since the last look.
func (s *scheduler) wanted(j *job, all []time.Time, now time.Time) []time.Time {
	if len(all) == 0 {
		return nil
	}
	kept := all
	switch j.plan.Missed {
	case "latest":
		kept = all[len(all)-1:]
	case "skip":
		kept = nil
		if last := all[len(all)-1]; now.Sub(last) <= late {
			kept = all[len(all)-1:]
		}
	}
	if n := len(all) - len(kept); n > 0 {
		s.engine.counters.ticks(j.name, "missed", n)
		s.engine.logger.Warn("scheduled runs were missed", "pipeline", j.name, "missed", n,
			"first", all[0], "policy", j.plan.Missed)
	}
	return kept
}

// tick is one scheduled run.
type tick struct {
	job      *job
	at       time.Time
	previous time.Time
	opened   int // times it was started before and not committed
}

// start applies overlap; the caller holds mu.
func (s *scheduler) start(j *job, at time.Time) (tick, bool) {
	if j.running > 0 && j.plan.Overlap != "allow" {
		if j.plan.Overlap == "queue" && len(j.queue) < maxMissed {
			j.queue = append(j.queue, at)
			return tick{}, false
		}
		s.engine.counters.ticks(j.name, "overlap", 1)
		s.engine.logger.Warn("a scheduled run is skipped because the one before still runs",
			"pipeline", j.name, "scheduled", at, "policy", j.plan.Overlap)
		return tick{}, false
	}
	j.running++
	t := tick{j, at, j.previous, j.open[at]}
	j.previous = at
	return t, true
}

// ended frees the job for its next tick and returns a queued one.
func (s *scheduler) ended(j *job) (tick, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.running--
	if len(j.queue) == 0 {
		return tick{}, false
	}
	at := j.queue[0]
	if j.queue = j.queue[1:]; len(j.queue) == maxMissed/2 {
		s.poke() // there may be more to make up for
	}
	return s.start(j, at)
}

// run fires ticks until ctx ends, and waits for those under way.
func (s *scheduler) run(ctx context.Context) error {
	for ctx.Err() == nil {
		ticks, next := s.due(s.engine.clock.Now())
		s.opens(ctx, ticks)
		for _, t := range ticks {
			s.group.Go(func() { s.fire(ctx, t) })
		}
		s.sleep(ctx, next)
	}
	s.group.Wait()
	return nil
}

// maxSleep bounds how long the scheduler trusts its timer, so that a clock that
// was set is noticed.
const maxSleep = 30 * time.Second

func (s *scheduler) sleep(ctx context.Context, next time.Time) {
	wait := maxSleep
	if !next.IsZero() {
		wait = min(wait, next.Sub(s.engine.clock.Now()))
	}
	t := s.engine.clock.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-t.C():
	}
}

// fire runs a tick, and the ones queued behind it.
func (s *scheduler) fire(ctx context.Context, t tick) {
	for {
		s.once(ctx, t)
		if ctx.Err() != nil {
			return
		}
		next, ok := s.ended(t.job)
		if !ok {
			return
		}
		t = next
		s.opens(ctx, []tick{t})
	}
}

// opens notes that ticks start, so that they start again if the process dies.
func (s *scheduler) opens(ctx context.Context, ticks []tick) {
	if len(ticks) == 0 {
		return
	}
	b := &store.Batch{}
	for _, t := range ticks {
		b.Meta = append(b.Meta, store.Meta{Key: openKey(t.claim()), Value: strconv.Itoa(t.opened + 1)})
	}
	if _, err := s.engine.store.Commit(ctx, b); err != nil {
		s.engine.logger.Warn("it could not be noted that scheduled runs start", "runs", len(ticks), "err", err)
	}
}

func (t tick) claim() *store.Tick { return &store.Tick{Pipeline: t.job.name, Scheduled: t.at} }

// runDue fires what is due on the caller's goroutine.
func (s *scheduler) runDue(ctx context.Context) (int, error) {
	ticks, _ := s.due(s.engine.clock.Now())
	s.opens(ctx, ticks)
	for _, t := range ticks {
		s.fire(ctx, t)
	}
	return len(ticks), ctx.Err()
}

// once runs one tick. The claim is part of its commit; a tick that could not be
// committed is tried again until it is, or the runtime stops.
func (s *scheduler) once(ctx context.Context, t tick) {
	e := s.engine
	for wait := time.Second; ; wait = min(wait*2, 10*time.Second) {
		l := e.pin()
		p := l.Pipeline(t.job.name)
		if p == nil {
			l.pinned.Done()
			return
		}
		st := &start{pipeline: p, trigger: "cron", attempt: 1, previous: t.previous,
			tick: t.claim()}
		if t.opened >= openLimit {
			st.problem = interrupted(fmt.Sprintf("the process died %d times while it ran", t.opened))
		}
		if p.Resumable {
			st.resume = cronProgress(p.Name)
		}
		err := e.store.Health() // if it cannot commit, running is for nothing
		if err == nil {
			_, err = e.executeAndCommit(e.work, l, st)
		}
		l.pinned.Done()
		if err == nil {
			return
		}
		if errors.Is(err, store.ErrClaimed) {
			e.counters.ticks(p.Name, "claimed", 1)
			e.forget(ctx, openKey(t.claim()))
			return
		}
		e.logger.Error("a scheduled run could not be committed; trying again", "pipeline", p.Name,
			"scheduled", t.at, "err", err)
		if pipelined.Sleep(ctx, e.clock, wait) != nil {
			return
		}
	}
}
