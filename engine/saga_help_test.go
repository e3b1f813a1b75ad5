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
