package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pipelined/engine"
	"pipelined/engine/program"
	"pipelined/internal/store"
)

// TestDeadLettersGo after 30 days, unless the project says otherwise.
func TestDeadLettersGo(t *testing.T) {
	t.Parallel()
	const failing = "-- work.yaml --\npipeline: work\ntrigger: { event: { types: [go] } }\nsteps: [ { fail: { type: job/broken } } ]\n"
	for name, tt := range map[string]struct {
		declared string
		after    time.Duration
		left     int64
	}{
		"the day before":          {"", 29 * 24 * time.Hour, 1},
		"after 30 days":           {"", 30*24*time.Hour + time.Minute, 0},
		"declared for ever":       {"-- pipelined.yaml --\ncollections: { dead_letters: {} }\n", 400 * 24 * time.Hour, 1},
		"declared for a day":      {"-- pipelined.yaml --\ncollections: { dead_letters: { retain: 1d } }\n", 25 * time.Hour, 0},
		"another one is declared": {"-- pipelined.yaml --\ncollections: { other: {} }\n", 31 * 24 * time.Hour, 0},
	} {
		h := start(t, failing+tt.declared)
		h.publish("go", `{}`)
		h.settle()
		h.clock.Advance(tt.after)
		if err := h.engine.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := h.store.Count(t.Context(), engine.DeadLetters, store.Exact); err != nil || n != tt.left {
			t.Errorf("%s: %d are left, want %d (%v)", name, n, tt.left, err)
		}
	}
}

// full is a store in which a collection is too large.
type full struct {
	store.Store
	asked map[string]int64
}

func (f *full) Shrink(_ context.Context, collection string, most int64) (int64, error) {
	f.asked[collection] = most
	return 3, nil
}

// TestDeadLettersAreBounded by 1 GB, loudly, unless the project declares them.
func TestDeadLettersAreBounded(t *testing.T) {
	t.Parallel()
	for declared, bounded := range map[string]bool{"": true, "-- pipelined.yaml --\ncollections: { dead_letters: { retain: 1d } }\n": false} {
		f := &full{asked: map[string]int64{}}
		h := (&harness{t: t, wrap: func(s store.Store) store.Store { f.Store = s; return f }}).begin(
			"-- work.yaml --\npipeline: work\ntrigger: { event: { types: [go] } }\nsteps: [ { stop: true } ]\n" + declared)
		if err := h.engine.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(h.log.String(), "has become too large"); told != bounded || (f.asked[engine.DeadLetters] == program.DeadLettersSize) != bounded || len(f.asked) > 1 {
			t.Errorf("%q: asked for %v, told: %v", declared, f.asked, told)
		}
	}
}
