package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// TestAStepInDoubt is undone, with no result: it was cut off by its own time, by that of the
// pipeline, by another branch. One that failed with an answer was not done.
func TestAStepInDoubt(t *testing.T) {
	t.Parallel()
	late := pipelined.NewProblem("world/timeout", "Too late", 504, "").Transient()
	refused := pipelined.NewProblem("world/refused", "No", 409, "")
	pay := "  - name: pay\n    world: { do: pay }\n    compensate: [ { world: { do: undo pay, with: \"${{ steps.pay.id ?? 'none' }}\" } } ]\n"
	tests := []struct {
		name, steps string
		err         error
		want        string
	}{
		{"no answer in time", pay, late, `pay, undo pay "none"`},
		{"an answer", pay, refused, "pay"},
		{"no answer, then one", strings.Replace(pay, "    compensate", "    retry: { attempts: 2, initial: 0s }\n    compensate", 1) + soldOut, late, `pay, pay, undo pay "pay-2"`},
		{"no answer, and the flow goes on and fails", strings.Replace(pay, "    compensate", "    on_error: continue\n    compensate", 1) + soldOut, late, `pay, undo pay "none"`},
		{"no answer, and the flow goes on and ends well", strings.Replace(pay, "    compensate", "    on_error: continue\n    compensate", 1), late, "pay"},
		{"made of others, of which one did not answer", "  - name: group\n    try:\n      - world: { do: pay }\n    finally: []\n    compensate: [ { world: { do: undo group } } ]\n", late, "pay, undo group"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.fails("pay", 1, tt.err)
			h := startWith(t, "pipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\nsteps:\n"+tt.steps, w.set())
			h.post("/trip", `{"n":1}`)
			if got := w.did(); got != tt.want || len(rows(t, h.store)) > 0 {
				t.Errorf("%s, want %s; %q\n%s", got, tt.want, rows(t, h.store), h.log)
			}
		})
	}
}

// TestAnEventThatEndsWithoutAnAttempt has its saga undone: it became too old while it
// waited for the next one, its pipeline lost its schedule, the process died of it too often.
func TestAnEventThatEndsWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	text := "-- trip.yaml --\npipeline: trip\ntrigger: { event: { types: [trip.new], max_age: 10m, retry: { attempts: 3, initial: 1h, max: 1h, jitter: none } } }\n" + sagaSteps("  - world: { do: pay }\n")
	w := newWorld()
	h := startWith(t, text, w.set())
	w.fails("pay", -1, errAway)
	h.publish("trip.new", `{"n":1}`)
	h.settle()
	w.did()
	h.advance(2*time.Hour, time.Hour)
	if got := w.did(); got != flightUndone+`, undo hotel {"id":"hotel-1","because":"engine/interrupted"}` || len(rows(t, h.store)) > 0 {
		t.Errorf("%s, %q\n%s", got, rows(t, h.store), h.log)
	}
}

// TestATickThatIsGivenUp has its saga undone.
func TestATickThatIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	text := "-- trip.yaml --\npipeline: trip\ntrigger: { cron: { schedule: \"@hourly\" } }\n" + sagaSteps("  - object_store.put: { collection: done, document: {} }\n")
	refuse := errors.New("not now")
	broken := false
	h := startOnWorld(t, text, w, func(b *store.Batch) error {
		if broken && len(b.Documents) > 0 {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, refuse)
		}
		return nil
	})
	broken = true
	ctx, stop := context.WithCancel(t.Context())
	h.clock.Advance(30 * time.Minute)
	go func() {
		for len(rows(t, h.store)) < 2 {
			time.Sleep(time.Millisecond)
		}
		stop()
	}()
	_, _ = h.engine.RunDue(ctx)
	if got := w.did(); got != "hotel, flight" {
		t.Fatal(got)
	}
	broken = false
	h.write("-- trip.yaml --\npipeline: trip\n" + sagaSteps("") + "-- caller.yaml --\npipeline: caller\ntrigger: { http: { method: POST, path: /run } }\nsteps: [ { call: { pipeline: trip } } ]\n")
	h.restart()
	h.settle()
	if got := w.did(); got != flightUndone+`, undo hotel {"id":"hotel-1","because":"engine/interrupted"}` || len(rows(t, h.store)) > 0 {
		t.Errorf("%s, %q\n%s", got, rows(t, h.store), h.log)
	}
}

// TestAConflictUndoesNothing: the execution runs again, with the same keys, and takes over
// its journal.
func TestAConflictUndoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := startWith(t, "pipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\n"+strings.TrimSuffix(sagaSteps(`  - name: seen
    object_store.get: { collection: seen, id: one }
  - world: { do: meet }
  - object_store.put: { collection: seen, id: one, document: { n: "${{ (steps.seen.n ?? 0) + 1 }}" } }
`), "\n")+"\n", w.set())
	w.react["meet"] = func(n int) error {
		if n == 1 {
			h.seed("seen", "one", `{"n":7}`)
		}
		return nil
	}
	if a := h.post("/trip", `{"n":1}`); a.status != 204 {
		t.Fatal(a.body)
	}
	keys := append([]string(nil), w.keys...)
	if got := w.did(); got != "hotel 1, flight, meet, hotel 1, flight, meet" || len(rows(t, h.store)) > 0 {
		t.Errorf("%s, %q", got, rows(t, h.store))
	}
	if len(keys) != 6 || keys[0] != keys[3] || keys[1] != keys[4] {
		t.Errorf("keys: %q", keys)
	}
}

// TestWhatFailedForCertainIsForgotten with the attempt that is put off: it was not done. A
// later try of the same step that succeeded was.
func TestWhatFailedForCertainIsForgotten(t *testing.T) {
	t.Parallel()
	const book = "      - name: book\n        world: { do: book }\n        compensate: [ { world: { do: undo book } } ]\n"
	for name, tt := range map[string]struct {
		steps string
		times int
		want  int
	}{
		"failed":               {"  - try:\n" + book + "    finally: []\n", 9, 0},
		"failed, then done":    {"  - retry: { attempts: 2, initial: 0s }\n    try:\n" + book + "    finally: []\n", 1, 1},
		"failed, and survived": {"  - try:\n" + book + "    catch: []\n", 9, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.fails("book", tt.times, errAway)
			h := startWith(t, "pipeline: trip\ntrigger: { event: { types: [trip.new], retry: { attempts: 2, initial: 1m } } }\nsteps:\n"+tt.steps+
				"  - fail: { type: a/b, retriable: true }\n", w.set())
			h.publish("trip.new", "{}")
			h.settle()
			if got := rows(t, h.store); len(got) != tt.want {
				t.Errorf("the journal holds %q\n%s", got, h.log)
			}
			h.advance(3*time.Hour, time.Hour)
			if got := rows(t, h.store); len(got) > 0 || w.times["undo book"] != tt.want {
				t.Errorf("at the end it holds %q, and it was undone %d times", got, w.times["undo book"])
			}
		})
	}
}

// TestARecordHoldsNoCredentials: what an after_commit reads of a request is kept with its
// failure, and who the caller is is not.
func TestARecordHoldsNoCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.fails("mark", -1, errAway)
	h := startWith(t, "pipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\nsteps: [ { respond: { body: 1 } } ]\n"+
		"after_commit:\n  retry: { attempts: 1 }\n  steps: [ { world: { do: mark, with: \"${{ request.headers.authorization }}\" } } ]\n", w.set())
	r := httptest.NewRequest("POST", "/trip", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer hush")
	h.engine.ServeHTTP(httptest.NewRecorder(), r)
	h.settle()
	if got := w.did(); got != `mark "Bearer hush"` {
		t.Error(got)
	}
	letters := fmt.Sprint(h.docs("dead_letters"))
	if !strings.Contains(letters, "after_commit") || strings.Contains(letters, "hush") || strings.Contains(h.log.String(), "hush") {
		t.Error(letters)
	}
}

// TestWhatCannotBeKeptIsRefused before the call it would be kept for.
func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := startWith(t, `-- pipelined.yaml --
project: streams
connections: { shop: { db: { driver: sqlite, path: shop.db, create: true } } }
-- trip.yaml --
pipeline: trip
trigger: { http: { method: POST, path: /trip } }
steps:
  - name: rows
    db.query: { connection: shop, sql: select 1 as n, stream: true }
  - set: { all: "${{ steps.rows.rows }}" }
  - name: book
    world: { do: book }
    compensate: [ { world: { do: undo book, with: "${{ vars.all }}" } } ]
`, w.set())
	h.post("/trip", "{}")
	letters := fmt.Sprint(h.docs("dead_letters"))
	if got := w.did(); got != "" || !strings.Contains(letters, "compensate/value") || !strings.Contains(letters, "vars.all") {
		t.Errorf("%q, %s", got, letters)
	}
}
