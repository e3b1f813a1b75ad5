package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pipelined"
	"pipelined/engine/broker"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

// A process that dies leaves what it was at undone: deliveries are not
// acknowledged, ticks are opened and not claimed. All of it comes again. Where it
// was one of them that killed the process, it would do so for ever; so those that
// may have been running are counted when the next process starts, and not before
// each of them runs, which would cost a write an event:
//
//   - a delivery that may have been running at two crashes in a row is a suspect:
//     it runs before everything else, with nothing beside it;
//   - a suspect the process died of crashLimit times that way, or a tick that was
//     opened openLimit times, runs no more. It fails as interrupted and goes the way
//     of every failure: on_error, on_failure, the error trigger, the dead letters.
const (
	crashLimit = 3
	openLimit  = 5
)

const (
	runningKey  = "engine/running"  // there while the engine works
	suspectsKey = "engine/suspects" // map of subscription/delivery to suspicion
	openPrefix  = "open/"           // and pipeline/moment: ticks that are started and not committed
)

// suspicion is what is known of a delivery that may have been running at a crash.
type suspicion struct {
	Crashes int `json:"crashes"`         // in a row, at which it may have been running
	Alone   int `json:"alone,omitempty"` // times it ran alone and did not end
}

// suspects are the deliveries to run before everything else.
type suspects struct {
	known map[string]suspicion
	list  []*broker.Delivery
}

func suspectName(d *broker.Delivery) string { return d.Subscription() + "/" + d.ID() }

// recover counts what the process before died with, if it did not stop in order,
// and notes that this one works. Nothing has run yet.
func (e *Engine) recover(ctx context.Context) error {
	running, err := e.store.Meta(ctx, runningKey)
	if err != nil {
		return fmt.Errorf("read how the process before ended: %w", err)
	}
	b := &store.Batch{Meta: []store.Meta{{Key: runningKey, Value: e.clock.Now().UTC().Format(time.RFC3339Nano)}}}
	if err := e.strayTicks(ctx, b); err != nil {
		return err
	}
	if running != "" {
		e.logger.Warn("the process before did not stop in order; what it was at comes again", "started", running)
		if err := e.suspect(ctx, b); err != nil {
			return err
		}
	}
	if _, err := e.store.Commit(ctx, b); err != nil {
		return fmt.Errorf("note that the engine works: %w", err)
	}
	fault.Point(fault.Recovered)
	return nil
}

// suspect counts the deliveries that may have been running.
func (e *Engine) suspect(ctx context.Context, b *store.Batch) error {
	text, err := e.store.Meta(ctx, suspectsKey)
	if err != nil {
		return fmt.Errorf("read what is suspected: %w", err)
	}
	before := map[string]suspicion{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			return fmt.Errorf("read what is suspected: %w", err)
		}
	}
	if _, err := e.broker.Dispatch(ctx); err != nil {
		return err
	}
	e.suspects.known = map[string]suspicion{}
	for _, d := range e.broker.Out() {
		s := before[suspectName(d)]
		s.Crashes++
		e.suspects.known[suspectName(d)] = s
		if s.Crashes > 1 {
			e.suspects.list = append(e.suspects.list, d)
		}
	}
	e.recovering.Store(len(e.suspects.list) > 0)
	b.Meta = append(b.Meta, e.suspects.meta())
	return nil
}

func (s *suspects) meta() store.Meta {
	if len(s.known) == 0 {
		return store.Meta{Key: suspectsKey}
	}
	text, err := json.Marshal(s.known)
	if err != nil {
		panic(err) // a map of numbers
	}
	return store.Meta{Key: suspectsKey, Value: string(text)}
}

// tryAlone runs the suspects, one after the other, before anything else does.
func (e *Engine) tryAlone(ctx context.Context) error {
	s := &e.suspects
	for i, d := range s.list {
		if ctx.Err() != nil {
			return nil
		}
		at := s.known[suspectName(d)]
		if !e.broker.HandOut(d, at.Alone) {
			continue
		}
		log := e.logger.With("pipeline", d.Subscription(), "event", d.Event.ID, "type", d.Event.Type, "crashes", at.Crashes)
		if at.Alone >= crashLimit {
			d.Problem = interrupted(fmt.Sprintf("the process died %d times while nothing else ran", at.Alone))
			log.Error("the process died of this event again and again; it fails as interrupted")
		} else {
			at.Alone++
			s.known[suspectName(d)] = at
			if _, err := e.store.Commit(ctx, &store.Batch{Meta: []store.Meta{s.meta()}}); err != nil {
				d.Refused()
				return fmt.Errorf("note that a suspect runs: %w", err)
			}
			log.Warn("the process may have died of this event; it runs alone now", "waiting", len(s.list)-i-1)
		}
		e.broker.Handle(e.work, d)
		e.unsettled.wait()
		delete(s.known, suspectName(d))
	}
	if len(s.list) > 0 {
		s.list = nil
		if _, err := e.store.Commit(ctx, &store.Batch{Meta: []store.Meta{s.meta()}}); err != nil {
			return fmt.Errorf("note that the suspects ended: %w", err)
		}
	}
	return nil
}

func interrupted(detail string) *pipelined.Problem {
	return pipelined.NewProblem(pipelined.TypeInterrupted, "The execution was interrupted", 500, detail)
}

// stopped notes that the engine stopped in order.
func (e *Engine) stopped() {
	b := &store.Batch{Meta: []store.Meta{{Key: runningKey}, {Key: suspectsKey}}}
	if _, err := e.store.Commit(context.WithoutCancel(e.work), b); err != nil {
		e.logger.Warn("the next start will take this stop for a crash", "err", err)
	}
}

// openKey is where it is noted that a tick was started.
func openKey(t *store.Tick) string {
	return openPrefix + t.Pipeline + "/" + t.Scheduled.UTC().Format(time.RFC3339Nano)
}

// openTicks returns the ticks of a pipeline that were started and not committed.
func (e *Engine) openTicks(ctx context.Context, pipeline string) (map[time.Time]int, error) {
	list, err := e.store.Metas(ctx, openPrefix+pipeline+"/")
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

// strayTicks finds open ticks of pipelines that have no schedule any more.
func (e *Engine) strayTicks(ctx context.Context, b *store.Batch) error {
	list, err := e.store.Metas(ctx, openPrefix)
	if err != nil {
		return fmt.Errorf("read the open ticks: %w", err)
	}
	for _, m := range list {
		name, at, _ := strings.Cut(m.Key[len(openPrefix):], "/")
		if p := e.Program().Pipeline(name); p != nil && p.TriggerKind == "cron" {
			continue
		}
		e.logger.Warn("a scheduled run was interrupted, and its pipeline has no schedule any more; it is given up", "pipeline", name, "scheduled", at)
		b.Meta = append(b.Meta, store.Meta{Key: m.Key})
	}
	return nil
}

// forget removes a note.
func (e *Engine) forget(ctx context.Context, key string) {
	if _, err := e.store.Commit(ctx, &store.Batch{Meta: []store.Meta{{Key: key}}}); err != nil {
		e.logger.Warn("a note could not be removed", "key", key, "err", err)
	}
}

// sortedTimes are the keys in order.
func sortedTimes[V any](m map[time.Time]V) []time.Time {
	return slices.SortedFunc(maps.Keys(m), time.Time.Compare)
}
