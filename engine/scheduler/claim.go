package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/internal/store"
)

const openPrefix = "open/" // and pipeline/moment: ticks that are started and not committed

// openKey is where it is noted that a tick was started.
func openKey(t store.Tick) string {
	return openPrefix + t.Pipeline + "/" + t.Scheduled.UTC().Format(time.RFC3339Nano)
}

func (t tick) claim() store.Tick { return store.Tick{Pipeline: t.job.name, Scheduled: t.at} }

// opens notes that ticks start, so that they start again if the process dies.
func (s *Scheduler) opens(ctx context.Context, ticks []tick) {
	if len(ticks) == 0 {
		return
	}
	b := &store.Batch{}
	for _, t := range ticks {
		b.Meta = append(b.Meta, store.Meta{Key: openKey(t.claim()), Value: strconv.Itoa(t.opened + 1)})
	}
	if _, err := s.runner.Store.Commit(ctx, b); err != nil {
		s.runner.Logger.Warn("it could not be noted that scheduled runs start", "runs", len(ticks), "err", err)
	}
}

// try runs a tick once, and reports whether it has to be tried again.
func (s *Scheduler) try(intake, work context.Context, t tick) (again bool) {
	r := s.runner
	rev := s.current.Pin()
	if rev == nil {
		return false
	}
	defer rev.Unpin()
	p := rev.Pipeline(t.job.name)
	if p == nil {
		return false
	}
	err := r.Store.Health() // if it cannot commit, running is for nothing
	if err == nil {
		a := &attempt.Attempt{
			Revision: rev, Pipeline: p, Cause: cause{t.claim()}, Trigger: "cron", Number: 1,
			Tick: &attempt.Tick{Scheduled: t.at, Previous: t.previous},
		}
		if t.opened >= openLimit {
			a.Problem = attempt.Interrupted(fmt.Sprintf("the process died %d times while it ran", t.opened))
		}
		if p.Resumable {
			a.Progress = "progress/cron/" + p.Name
		}
		err = r.Run(work, a).Err
	}
	switch {
	case err == nil:
		return false
	case errors.Is(err, store.ErrTaken):
		s.forget(intake, t)
		return false
	}
	r.Logger.Error("a scheduled run could not be committed; trying again", "pipeline", p.Name, "scheduled", t.at, "err", err)
	return true
}

// cause is a tick as what started an attempt.
type cause struct{ store.Tick }

// Settle claims the tick.
func (c cause) Settle(_ *attempt.Outcome, b *store.Batch) {
	b.Ticks = append(b.Ticks, c.Tick)
	b.Meta = append(b.Meta, store.Meta{Key: openKey(c.Tick)})
}

// PutOff never: a schedule has its next tick.
func (cause) PutOff(*store.Batch, time.Time, *pipelined.Problem) bool { return false }

// forget removes the note of a tick that somebody else has claimed.
func (s *Scheduler) forget(ctx context.Context, t tick) {
	key := openKey(t.claim())
	if _, err := s.runner.Store.Commit(ctx, &store.Batch{Meta: []store.Meta{{Key: key}}}); err != nil {
		s.runner.Logger.Warn("a note could not be removed", "key", key, "err", err)
	}
}

// openTicks returns the ticks of a pipeline that were started and not committed, and how
// often they were.
func (s *Scheduler) openTicks(ctx context.Context, pipeline string) (map[time.Time]int, error) {
	list, err := s.runner.Store.Metas(ctx, openPrefix+pipeline+"/")
	if err != nil {
		return nil, fmt.Errorf("read the open ticks of %s: %w", pipeline, err)
	}
	out := map[time.Time]int{}
	for _, m := range list {
		at, err1 := time.Parse(time.RFC3339Nano, m.Key[len(openPrefix)+len(pipeline)+1:])
		n, err2 := strconv.Atoi(m.Value)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read the open ticks of %s: %w", pipeline, err)
		}
		out[at] = n
	}
	return out, nil
}

// Stray gives up the open ticks of pipelines that have no schedule any more, which
// scheduled tells, and says so.
func (s *Scheduler) Stray(ctx context.Context, scheduled func(pipeline string) bool, b *store.Batch) error {
	list, err := s.runner.Store.Metas(ctx, openPrefix)
	if err != nil {
		return fmt.Errorf("read the open ticks: %w", err)
	}
	for _, m := range list {
		name, at, _ := strings.Cut(m.Key[len(openPrefix):], "/")
		if scheduled(name) {
			continue
		}
		s.runner.Logger.Warn("a scheduled run was interrupted, and its pipeline has no schedule any more; it is given up",
			"pipeline", name, "scheduled", at)
		b.Meta = append(b.Meta, store.Meta{Key: m.Key})
	}
	return nil
}
