package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// openLimit is how often a tick is started and not committed before the process is taken
// to die of it.
const openLimit = 5

func (t tick) moment() store.Tick { return store.Tick{Pipeline: t.job.name, Scheduled: t.at} }

func (t tick) held() bool { return t.claim.Epoch != 0 && t.claim.Err == nil }

// opens claims ticks that start, so that they start again if the process dies. What cannot
// be claimed now is claimed when it runs.
func (s *Scheduler) opens(ctx context.Context, ticks []tick) {
	if len(ticks) == 0 {
		return
	}
	claims := make([]store.Claim, len(ticks))
	for i, t := range ticks {
		claims[i] = t.moment().Claim()
	}
	got, err := s.runner.Store.Claim(ctx, claims)
	if err != nil {
		s.runner.Logger.Warn("scheduled runs could not be claimed; trying again", "runs", len(ticks), "err", err)
		return
	}
	for i, c := range got {
		ticks[i].claim = c
	}
}

// try runs a tick once, and reports whether it has to be tried again.
func (s *Scheduler) try(intake, work context.Context, t *tick) (again bool) {
	r := s.runner
	rev := s.current.Pin()
	if rev == nil {
		return false
	}
	defer rev.Unpin()
	p := scheduled(rev, t.job.name)
	if p == nil {
		s.giveUp(intake, t)
		return false
	}
	if !t.held() && t.claim.Err == nil {
		one := []tick{*t}
		s.opens(intake, one)
		*t = one[0]
	}
	if t.claim.Err != nil { // it is done, or somebody else runs it
		r.Counters.Took(t.job.name)
		return false
	}
	if !t.held() {
		return true
	}
	err := r.Store.Health() // if it cannot commit, running is for nothing
	if err == nil {
		end := r.Run(work, s.attempt(rev, p, t))
		t.rest, err = end.Rest, end.Err
	}
	if err == nil || errors.Is(err, store.ErrTaken) {
		return false
	}
	r.Logger.Error("a scheduled run could not be committed; trying again", "pipeline", p.Name, "scheduled", t.at, "err", err)
	return true
}

// scheduled is a pipeline of a revision that has a schedule, or nil.
func scheduled(rev *revision.Revision, name string) *program.Pipeline {
	p := rev.Pipeline(name)
	if p == nil {
		return nil
	}
	if _, ok := p.Plan.(*triggers.Schedule); !ok {
		return nil
	}
	return p
}

// giveUp lets go of a tick whose pipeline has no schedule any more, and says so.
func (s *Scheduler) giveUp(ctx context.Context, t *tick) {
	log := s.runner.Logger.With("pipeline", t.job.name, "scheduled", t.at)
	log.Warn("a scheduled run is given up, because its pipeline has no schedule any more")
	if !t.held() {
		return
	}
	b := &store.Batch{Drop: []store.Claim{t.claim.Claim}}
	left, err := s.runner.Orphan(ctx, tickKey(t.moment()), attempt.Interrupted("its pipeline has no schedule any more"), b)
	if err == nil {
		_, err = s.runner.Store.Commit(ctx, b)
	}
	if err == nil {
		s.runner.HandOver(left)
	} else if !errors.Is(err, store.ErrTaken) {
		log.Warn("its claim could not be let go of; it is at the next start", "err", err)
	}
}

// attempt is what a tick starts.
func (s *Scheduler) attempt(rev *revision.Revision, p *program.Pipeline, t *tick) *attempt.Attempt {
	a := &attempt.Attempt{
		Revision: rev, Pipeline: p, Cause: cause{t.claim.Claim}, Trigger: p.TriggerKind, Number: 1,
		Tick: &attempt.Tick{Scheduled: t.at, Previous: t.previous},
	}
	if before := t.claim.Attempts - 1; before >= openLimit {
		a.Problem = attempt.Interrupted(fmt.Sprintf("the process died %d times while it ran", before))
	}
	a.Key = tickKey(t.moment())
	if p.Resumable {
		a.Progress = "progress/cron/" + p.Name
	}
	return a
}

// tickKey names a tick across restarts.
func tickKey(t store.Tick) string { return "tick/" + t.Key() }

// cause is a tick as what started an attempt.
type cause struct{ store.Claim }

// Settle proves that the tick is ours, and done.
func (c cause) Settle(_ *attempt.Outcome, b *store.Batch) { b.Claims = append(b.Claims, c.Claim) }

// PutOff never: a schedule has its next tick.
func (cause) PutOff(*store.Batch, time.Time, *pipelined.Problem) bool { return false }

// openTicks returns the ticks of a pipeline that were started and not committed.
func (s *Scheduler) openTicks(ctx context.Context, pipeline string) (map[time.Time]bool, error) {
	list, err := s.runner.Store.Claims(ctx, store.TickClaim, pipeline+"/")
	if err != nil {
		return nil, fmt.Errorf("read the open ticks of %s: %w", pipeline, err)
	}
	out := map[time.Time]bool{}
	for _, c := range list {
		t, err := store.ParseTick(c.Key)
		if err != nil {
			return nil, fmt.Errorf("read the open ticks of %s: %w", pipeline, err)
		}
		out[t.Scheduled] = true
	}
	return out, nil
}

// Stray gives up the open ticks of pipelines that have no schedule any more, which
// scheduled tells, and says so.
func (s *Scheduler) Stray(ctx context.Context, scheduled func(pipeline string) bool, b *store.Batch) error {
	list, err := s.runner.Store.Claims(ctx, store.TickClaim, "")
	if err != nil {
		return fmt.Errorf("read the open ticks: %w", err)
	}
	for _, c := range list {
		t, err := store.ParseTick(c.Key)
		if err != nil {
			return fmt.Errorf("read the open ticks: %w", err)
		}
		if scheduled(t.Pipeline) {
			continue
		}
		s.runner.Logger.Warn("a scheduled run was interrupted, and its pipeline has no schedule any more; it is given up",
			"pipeline", t.Pipeline, "scheduled", t.Scheduled)
		b.Drop = append(b.Drop, c.Claim)
		if _, err := s.runner.Orphan(ctx, tickKey(t), attempt.Interrupted("its pipeline has no schedule any more"), b); err != nil {
			return err
		}
	}
	return nil
}
