package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pipelined/engine/program"
	"pipelined/triggers"
)

// Change is the schedules of a program, ready to be used.
type Change struct {
	scheduler *Scheduler
	jobs      map[string]change
}

// change is what is known of one schedule. Whether it is new is seen when it is used.
type change struct {
	plan *triggers.Schedule
	last time.Time          // the newest tick that is done
	open map[time.Time]bool // those that were started and not committed
}

// Prepare reads what the schedules of a program need to know. It changes nothing.
func (s *Scheduler) Prepare(ctx context.Context, p *program.Program) (*Change, error) {
	c := &Change{scheduler: s, jobs: map[string]change{}}
	for _, q := range p.Pipelines {
		plan, ok := q.Plan.(*triggers.Schedule)
		if !ok {
			continue
		}
		last, err := s.runner.Store.LastTick(ctx, q.Name)
		if err != nil {
			return nil, fmt.Errorf("read the last tick of %s: %w", q.Name, err)
		}
		open, err := s.openTicks(ctx, q.Name)
		if err != nil {
			return nil, err
		}
		c.jobs[q.Name] = change{plan, last, open}
	}
	return c, nil
}

// Use puts the schedules in the place of those before. A job whose expression is
// unchanged keeps its next tick, so a reload at the very moment of a tick neither loses
// nor repeats it. One that was gone and is back while its tick still runs is the same job.
func (c *Change) Use() {
	s := c.scheduler
	now := s.runner.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.jobs
	s.jobs = make(map[string]*job, len(c.jobs))
	for name, n := range c.jobs {
		j := cmp.Or(before[name], s.gone[name])
		delete(s.gone, name)
		known := j != nil
		if !known {
			j = &job{name: name, open: n.open, resume: slices.SortedFunc(maps.Keys(n.open), time.Time.Compare)}
		}
		changed := j.plan == nil || j.plan.Expression != n.plan.Expression || j.plan.Location.String() != n.plan.Location.String()
		j.plan = n.plan
		s.jobs[name] = j
		if changed {
			j.begin(n.last, now, known)
		}
	}
	for name, j := range before {
		if s.jobs[name] == nil {
			s.drop(j)
		}
	}
	s.poke()
}

// drop takes a job out that has no schedule any more. The caller holds mu.
func (s *Scheduler) drop(j *job) {
	if n := len(j.queue) + len(j.resume); n > 0 {
		s.runner.Logger.Warn("scheduled runs that waited are given up, because their pipeline has no schedule any more", "pipeline", j.name, "runs", n)
	}
	j.queue, j.resume = nil, nil
	if j.running > 0 {
		s.gone[j.name] = j
	}
}

// begin works out the first tick of a schedule that is new, or has another expression:
// then nothing was missed.
func (j *job) begin(last, now time.Time, known bool) {
	j.previous = last
	if k := len(j.resume); k > 0 && last.IsZero() {
		last = j.resume[k-1]
	}
	if last.IsZero() || known {
		last = now
	}
	j.next = j.plan.Next(last)
}

// sorted are the jobs by name, so that what is due starts in one order. The caller holds
// mu.
func (s *Scheduler) sorted() []*job {
	return slices.SortedFunc(maps.Values(s.jobs), func(a, b *job) int { return strings.Compare(a.name, b.name) })
}
