package consumer_test

import (
	"encoding/json"
	"testing"

	"pipelined"
	"pipelined/engine/consumer"
)

// TestBrought: only what a source brought, and only for the first time, is news of it.
func TestBrought(t *testing.T) {
	t.Parallel()
	at := pipelined.PartitionHeader
	tests := []struct {
		name      string
		headers   map[string]string
		attempt   int
		partition string
		ok        bool
	}{
		{"for the first time", map[string]string{at: "a/b.csv"}, 1, "a/b.csv", true},
		{"the nameless partition", map[string]string{at: ""}, 1, "", true},
		{"published", map[string]string{"x": "y"}, 1, "", false},
		{"without headers", nil, 1, "", false},
		{"reprocessed", map[string]string{at: "a"}, 2, "a", false},
		{"replayed", map[string]string{at: "a", pipelined.ToHeader: "work"}, 1, "a", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := consumer.Brought(&pipelined.Event{Headers: tt.headers, Attempt: tt.attempt})
			if got != tt.partition || ok != tt.ok {
				t.Errorf("%q, %v", got, ok)
			}
		})
	}
}

// TestWhatCouldNotBeDecodedFails of the reason its source gave, with what came as its
// input, whatever the reason looks like.
func TestWhatCouldNotBeDecodedFails(t *testing.T) {
	t.Parallel()
	reason, err := json.Marshal(pipelined.NewProblem("file/csv", "Not the CSV that was expected", 422, "line 3"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{string(reason): "file/csv", "": "source/undecoded", "{": "source/undecoded", "{}": "source/undecoded"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "-- work.yaml --\npipeline: work\ntrigger: { feed: { blocks: false } }\nsteps: [ { probe: { do: look } } ]\n")
			ev := b.Event("pipelined.feed.work", "", `{"raw":"x"}`)
			ev.Headers = map[string]string{pipelined.PartitionHeader: "p", pipelined.ProblemHeader: text}
			b.Publish(ev)
			if n := b.settle(); n != 1 || b.Probe.Calls("look") != 0 {
				t.Errorf("%d deliveries, %d ran", n, b.Probe.Calls("look"))
			}
			rec := b.record("dead_letters", ev.ID)
			var p pipelined.Problem
			if err := json.Unmarshal(rec.Error, &p); err != nil || p.Type != want || p.Status != 422 || string(rec.Input) != `{"raw":"x"}` {
				t.Errorf("%+v", rec)
			}
			if m, err := b.Store.Metas(t.Context(), "source/failed/feed.work/"); err != nil || len(m) != 1 || m[0].Key != "source/failed/feed.work/p" {
				t.Errorf("%v, %v", m, err)
			}
		})
	}
}
