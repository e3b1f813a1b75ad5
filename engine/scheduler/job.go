package scheduler

import (
	"time"

	"pipelined/engine/attempt"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// job is the schedule of one pipeline.
type job struct {
	name     string
	plan     *triggers.Schedule
	next     time.Time // zero: never
	previous time.Time
	running  int
	queue    []time.Time        // with overlap: queue, in order
	open     map[time.Time]bool // ticks the process before died in
	resume   []time.Time        // of them, those that have not been started again
}

// tick is one scheduled run.
type tick struct {
	job      *job
	at       time.Time
	previous time.Time
	rest     *attempt.Rest // what it still does after its commit
	claim    store.Claimed // once it is held, or found to be taken
}

// due takes the ticks that are due by now, with the policies applied, and says when the
// next one will be.
func (s *Scheduler) due(now time.Time) (ticks []tick, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ticks, s.ready = s.ready, nil
	for _, j := range s.sorted() {
		ticks = append(ticks, s.again(j)...)
		wanted := s.wanted(j, now)
		for i, t := range wanted {
			if i > 0 || len(j.queue) > 0 || len(wanted) > 1 && j.busy() {
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

// passed takes the ticks that came due since the last look, less those that are open: all
// of them if they are to be made up for, as far as there is room, else the last.
func (j *job) passed(now time.Time) (first time.Time, kept []time.Time, n int) {
	all := j.plan.Missed == "all"
	for !j.next.IsZero() && !j.next.After(now) && len(j.queue)+len(kept) < maxMissed {
		if !j.open[j.next] {
			if n++; n == 1 {
				first = j.next
			}
			if !all {
				kept = kept[:0]
			}
			kept = append(kept, j.next)
		}
		j.next = j.plan.Next(j.next)
	}
	return first, kept, n
}

// again starts the ticks that the process before died in, whatever missed says, one
// after the other unless they may overlap.
func (s *Scheduler) again(j *job) (ticks []tick) {
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

// wanted applies missed to the ticks that came due since the last look.
func (s *Scheduler) wanted(j *job, now time.Time) []time.Time {
	first, kept, n := j.passed(now)
	if n == 0 {
		return nil
	}
	if j.plan.Missed == "skip" && now.Sub(kept[0]) > late {
		kept = nil
	}
	if missed := n - len(kept); missed > 0 {
		s.runner.Counters.Missed(j.name, missed)
		s.runner.Logger.Warn("scheduled runs were missed", "pipeline", j.name, "missed", missed,
			"first", first, "policy", j.plan.Missed)
	}
	return kept
}

// busy reports that a tick runs and no other may beside it.
func (j *job) busy() bool { return j.running > 0 && j.plan.Overlap != "allow" }

// start applies overlap; the caller holds mu.
func (s *Scheduler) start(j *job, at time.Time) (tick, bool) {
	if j.busy() {
		if j.plan.Overlap == "queue" && len(j.queue) < maxMissed {
			j.queue = append(j.queue, at)
			return tick{}, false
		}
		s.runner.Counters.Skipped(j.name)
		s.runner.Logger.Warn("a scheduled run is skipped because the one before still runs",
			"pipeline", j.name, "scheduled", at, "policy", j.plan.Overlap)
		return tick{}, false
	}
	j.running++
	t := tick{job: j, at: at, previous: j.previous}
	j.previous = at
	return t, true
}

// ended frees the job for its next tick and returns a queued one.
func (s *Scheduler) ended(j *job) (tick, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.running--
	if j.running == 0 && s.gone[j.name] == j {
		delete(s.gone, j.name)
	}
	if len(j.queue) == 0 {
		return tick{}, false
	}
	at := j.queue[0]
	if j.queue = j.queue[1:]; len(j.queue) == maxMissed/2 {
		s.poke() // there may be more to make up for
	}
	return s.start(j, at)
}
