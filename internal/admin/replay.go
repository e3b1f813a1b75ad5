package admin

import (
	"context"
	"fmt"
	"maps"
	"time"

	"pipelined"
	"pipelined/engine/consumer"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// Replay says which events a pipeline is to get again.
type Replay struct {
	Pipeline string        `json:"pipeline"`
	Types    []string      `json:"types,omitempty"` // patterns; empty: all it subscribes to
	Since    time.Duration `json:"since,omitempty"` // published at most so long ago, in nanoseconds; 0: no limit
	After    int64         `json:"after,omitempty"` // numbers of the log above it
	Key      string        `json:"key,omitempty"`   // of this key; empty: all
	DryRun   bool          `json:"dry_run,omitempty"`
}

// Replayed is what was, or would be, replayed.
type Replayed struct {
	Events int   `json:"events"`
	From   int64 `json:"from,omitempty"` // number of the first
	To     int64 `json:"to,omitempty"`   // and of the last
	DryRun bool  `json:"dry_run,omitempty"`
}

// replayBatch is how many events are published again in one commit.
const replayBatch = 200

// Replay publishes events of the retained log again, for one pipeline alone: with
// their ids, times and keys, after everything that waits. An event that is in the
// log more than once, because it was reprocessed, is replayed once. A pipeline with
// skip_stale forgets, in the commit that publishes the first of a key, which event of
// that key was the newest, so that the replay rebuilds what it knows.
func (s *Service) Replay(ctx context.Context, q Replay) (*Replayed, error) {
	if p := s.Program.Pipeline(q.Pipeline); p == nil || triggers.Taking(p.Plan) == nil {
		return nil, &badRequest{"pipeline", fmt.Sprintf("there is none called %q that takes events", q.Pipeline)}
	}
	last, err := s.Store.LastSeq(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the end of the log: %w", err)
	}
	find := store.EventQuery{Types: q.Types, After: q.After, Key: q.Key, Limit: replayBatch}
	if q.Since > 0 {
		find.Since = s.Clock.Now().Add(-q.Since)
	}
	out, seen, forgotten := &Replayed{DryRun: q.DryRun}, map[string]bool{}, map[string]bool{}
	for find.After < last {
		list, err := s.Store.FindEvents(ctx, find)
		if err != nil {
			return out, fmt.Errorf("read the log: %w", err)
		}
		if len(list) == 0 {
			break
		}
		b := &store.Batch{}
		for i := range list {
			ev := &list[i]
			find.After = ev.Seq
			if ev.Seq > last || seen[ev.ID] || !s.wants(q.Pipeline, ev) {
				continue
			}
			seen[ev.ID] = true
			if out.Events++; out.From == 0 {
				out.From = ev.Seq
			}
			out.To = ev.Seq
			b.Events = append(b.Events, again(ev.Event, q.Pipeline))
			if !forgotten[ev.Key] {
				forgotten[ev.Key] = true
				b.Documents = append(b.Documents, consumer.Forget(q.Pipeline, ev.Key))
			}
		}
		if q.DryRun || len(b.Events) == 0 {
			continue
		}
		if _, err := s.commit(ctx, b); err != nil {
			return out, fmt.Errorf("replay event %d: %w", out.To, err)
		}
	}
	return out, nil
}

// wants reports whether a pipeline was to get an event of the log.
func (s *Service) wants(pipeline string, ev *store.StoredEvent) bool {
	to, only := ev.Headers[pipelined.ToHeader]
	return s.Program.Takes(pipeline, ev.Type) && (!only || to == pipeline)
}

// again is an event once more, for one pipeline.
func again(ev pipelined.Event, pipeline string) *pipelined.Event {
	ev.Headers = maps.Clone(ev.Headers)
	if ev.Headers == nil {
		ev.Headers = map[string]string{}
	}
	ev.Headers[pipelined.ToHeader] = pipeline
	ev.Attempt, ev.DedupeID = 1, ""
	return &ev
}

// commit commits, and tells a running project.
func (s *Service) commit(ctx context.Context, b *store.Batch) (store.Result, error) {
	if s.Commit != nil {
		return s.Commit(ctx, b)
	}
	return s.Store.Commit(ctx, b)
}
