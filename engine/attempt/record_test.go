package attempt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// kept is where a pipeline's failures are kept: in the dead letters, or where on_failure
// says.
var kept = map[string]string{"dead_letters": "", "job_errors": "on_failure: { collection: job_errors }\n"}

// TestARecordGoesOn: each failure of an event is added to its record, and a success closes
// it.
func TestARecordGoesOn(t *testing.T) {
	t.Parallel()
	for collection, rest := range kept {
		t.Run(collection, func(t *testing.T) {
			t.Parallel()
			k := kindOf("delivery")
			r := enginetest.New(t, k.project(rest+"steps:\n  - when: event.attempt < 3\n    fail: { type: job/broken }\n"))
			ev := r.Publish(r.Event("job.new", "", `{}`))
			for attempt := 1; attempt <= 3; attempt++ {
				a := r.Attempt("work", &claim{})
				a.Event, a.Deliveries, a.Number = &ev, 1, attempt
				r.Clock.Advance(time.Minute)
				if e := r.Runner.Run(t.Context(), a); e.Err != nil {
					t.Fatal(e.Err)
				}
			}
			rec := record(r, collection, ev.ID)
			if got := history(rec); rec.Status != objectstore.Resolved || rec.Attempts != 2 || got != "failed 1, failed 2, resolved 3" {
				t.Errorf("%s, %d attempts: %s", rec.Status, rec.Attempts, got)
			}
			if rec.FirstFailedAt != enginetest.Epoch.Add(time.Minute) || rec.LastFailedAt != enginetest.Epoch.Add(2*time.Minute) {
				t.Errorf("it failed from %s to %s", rec.FirstFailedAt, rec.LastFailedAt)
			}
		})
	}
}

// TestWhereARecordStands: under its event's id, or with the pipeline's name behind it
// where another pipeline's record of the event is. What stands in its place and is no
// record, or a third pipeline's, does not lose a failure.
func TestWhereARecordStands(t *testing.T) {
	t.Parallel()
	const other = `{"id":"id-0001%s","pipeline":"%s","status":"pending","event":{"type":"job.new"},"trigger":"event"}` // of a room's first event
	tests := []struct {
		name  string
		there map[string]string // documents by what follows the event's id
		stand string            // what follows the event's id where it stands; "else": elsewhere
	}{
		{"nothing is there", nil, ""},
		{"another pipeline's is there", map[string]string{"": fmt.Sprintf(other, "", "other")}, ":work"},
		{"its own is there", map[string]string{"": fmt.Sprintf(other, "", "work")}, ""},
		{"another's, and its own", map[string]string{"": fmt.Sprintf(other, "", "other"), ":work": fmt.Sprintf(other, ":work", "work")}, ":work"},
		{"a document that is no record", map[string]string{"": `{"anything":1}`}, "else"},
		{"two of others", map[string]string{"": fmt.Sprintf(other, "", "other"), ":work": fmt.Sprintf(other, ":work", "third")}, "else"},
	}
	for collection, rest := range kept {
		for _, tt := range tests {
			t.Run(collection+": "+tt.name, func(t *testing.T) {
				t.Parallel()
				k := kindOf("delivery")
				r := enginetest.New(t, k.project(rest+"steps:\n"+broken))
				a, _ := k.attempt(r)
				for behind, text := range tt.there {
					r.Seed(collection, a.Event.ID+behind, text)
				}
				e := r.Runner.Run(t.Context(), a)
				if e.Err != nil || e.Status != attempt.StatusFailed || cause(r) != "settled failed" {
					t.Fatalf("it came to %v, %+v", e.Err, e.Outcome)
				}
				where, id := collection, a.Event.ID+tt.stand
				if tt.stand == "else" {
					if where = "dead_letters"; collection == where {
						id = e.ID
					} else {
						id = a.Event.ID
					}
				}
				rec := record(r, where, id)
				if rec.Pipeline != "work" || rec.Status != objectstore.Pending || !strings.Contains(string(rec.Error), "job/broken") {
					t.Errorf("the record at %s/%s is %+v", where, id, rec)
				}
				for behind, text := range tt.there {
					if doc, err := r.Store.Get(t.Context(), collection, a.Event.ID+behind); behind != tt.stand && (err != nil || doc.Body != text) {
						t.Errorf("what was there has become %v, %v", doc, err)
					}
				}
			})
		}
	}
}

// TestAFailureThatCannotBeKeptDidNotHappen: where the store cannot be read when a failure
// is to be kept, nothing is committed, and the cause comes again.
func TestAFailureThatCannotBeKeptDidNotHappen(t *testing.T) {
	t.Parallel()
	for collection, rest := range kept {
		for way, start := range ways {
			t.Run(collection+", "+way, func(t *testing.T) {
				t.Parallel()
				k := kindOf("delivery")
				r := enginetest.New(t, k.project(rest+"steps:\n"+broken))
				a, _ := k.attempt(r)
				r.Store.Break("Get", errors.New("the disk does not answer"))
				e := start(t.Context(), r, a)
				if !errors.Is(e.Err, store.ErrUnavailable) || cause(r) != "" || r.Stats("work").Failed > 0 || len(failures(r)) > 0 {
					t.Errorf("it came to %v; the cause is %q\n%s", e.Err, cause(r), r.Logs)
				}
				r.Store.Break("Get", nil)
				again, _ := k.attempt(r)
				again.Event = a.Event
				if e := start(t.Context(), r, again); e.Err != nil {
					t.Fatal(e.Err)
				}
				if rec := record(r, collection, a.Event.ID); rec.Attempts != 1 {
					t.Errorf("%+v", rec)
				}
			})
		}
	}
}

// TestAFailureIsKeptWhateverItHolds: what cannot be written is left out, and the time that
// on_error used up is not that of the letter.
func TestAFailureIsKeptWhateverItHolds(t *testing.T) {
	t.Parallel()
	bad := pipelined.NewProblem("job/broken", "Broken", 502, "badly")
	bad.Data = []byte("no JSON")
	below := pipelined.NewProblem("job/broken", "Broken", 502, "badly")
	below.Cause = bad
	tests := []struct {
		name, rest string
		input      any
		fails      error
		problem    string
	}{
		{"data that is no JSON", "", value.Raw("{}"), bad, "job/broken"},
		{"a cause with such data", "", value.Raw("{}"), below, "job/broken"},
		{"an input that is bytes", "", []byte{0xff, 0xfe}, below, "job/broken"},
		{"an on_error that runs out of time", "on_error: [ { probe: { do: wait } } ]\ntimeout: 5ms\n", value.Raw("{}"), bad, pipelined.TypeTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			everyKind(t, func(t *testing.T, k kind, start start) {
				r := enginetest.New(t, k.project("steps: [ { probe: { do: fail } } ]\n"+tt.rest))
				r.Probe.On("fail", func(context.Context, any) (any, error) { return nil, tt.fails })
				r.Probe.On("wait", func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return nil, context.Cause(ctx) })
				a, _ := k.attempt(r)
				a.Input = tt.input
				e := start(t.Context(), r, a)
				if e.Err != nil || len(r.Documents("dead_letters")) != 1 || cause(r) != "settled failed" {
					t.Fatalf("it came to %v, with the letters %v\n%s", e.Err, r.Documents("dead_letters"), r.Logs)
				}
				if got := r.One("dead_letters")["error"].(map[string]any)["type"]; got != tt.problem || len(failures(r)) != 1 {
					t.Errorf("the letter holds %v\n%s", got, r.Logs)
				}
			})
		})
	}
}
