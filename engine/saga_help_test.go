package engine_test

import (
	"encoding/json"
	"testing"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/internal/store"
	"pipelined/objectstore"
)

// redriveBatch is what a person's redrive of a record commits.
func redriveBatch(t *testing.T, h *harness, doc map[string]any) *store.Batch {
	t.Helper()
	id, _ := doc["id"].(string)
	ev, err := attempt.NewRedrive(&objectstore.ErrorRecord{ID: id, Pipeline: doc["pipeline"].(string)}, "redrive-"+id, h.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(ev); err != nil {
		t.Fatal(err)
	}
	return &store.Batch{Events: []*pipelined.Event{ev}}
}

// startOnWorld is startWith on a store that refuses what before says.
func startOnWorld(t *testing.T, text string, w *world, before func(*store.Batch) error) *harness {
	t.Helper()
	return (&harness{t: t, have: w.set(), wrap: func(s store.Store) store.Store { return &guarded{Store: s, before: before} }}).begin(text)
}

// guarded is a store that refuses some batches.
type guarded struct {
	store.Store
	before func(*store.Batch) error
}

func (g *guarded) Submit(b *store.Batch, done func(store.Result, error)) {
	if err := g.before(b); err != nil {
		go done(store.Result{}, err)
		return
	}
	g.Store.Submit(b, done)
}
