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

// record reads an error record.
func record(r *enginetest.Room, collection, id string) *objectstore.ErrorRecord {
	r.Helper()
	doc, err := r.Store.Get(r.Context(), collection, id)
	if err != nil || doc == nil {
		r.Fatalf("record %s/%s: %v, %v; there are %v\n%s", collection, id, doc, err, r.Documents(collection), r.Logs)
	}
	rec, _, err := objectstore.ParseErrorRecord(value.Raw(doc.Body))
	if err != nil {
		r.Fatal(err)
	}
	return rec
}

// history is what happened to a record.
func history(rec *objectstore.ErrorRecord) string {
	var out []string
	for _, h := range rec.History {
		out = append(out, fmt.Sprint(h.What, " ", h.Attempt))
	}
	return strings.Join(out, ", ")
}

// TestALetterHoldsWhatItTakesToStartAgain, whatever started what failed; of input and
// event nothing is hidden.
func TestALetterHoldsWhatItTakesToStartAgain(t *testing.T) {
	t.Parallel()
	everyKind(t, func(t *testing.T, k kind, start start) {
		r := enginetest.New(t, k.project("steps:\n  - name: breaks\n    fail: { type: job/broken, detail: badly }\n"))
		a, _ := k.attempt(r)
		e := start(t.Context(), r, a)
		id := e.ID
		if a.Event != nil {
			id = a.Event.ID
		}
		rec := record(r, "dead_letters", id)
		if rec.ID != id || rec.Pipeline != "work" || rec.Step != "breaks" || rec.Status != objectstore.Pending || rec.Attempts != 1 ||
			rec.Trigger != a.Trigger || rec.Execution != e.ID || !rec.LastFailedAt.Equal(enginetest.Epoch) || !strings.Contains(string(rec.Error), `"job/broken"`) {
			t.Errorf("%+v", rec)
		}
		want := `{"n":7,"password":"hush"}`
		if k.name == "tick" {
			want = "null"
		}
		if string(rec.Input) != want {
			t.Errorf("the input is %s", rec.Input)
		}
		if (a.Event != nil) != (rec.Event.Type == "job.new" && string(rec.Event.Data) == want && rec.Event.Key == "k-1") {
			t.Errorf("the event is %+v", rec.Event)
		}
		if (k.name == "request") != (string(rec.Request) == `{"method":"POST","path":"/work"}`) {
			t.Errorf("the request is %s", rec.Request)
		}
		if (k.name == "tick") != (rec.Scheduled.Equal(enginetest.Epoch) && rec.Previous.Equal(enginetest.Epoch.Add(-time.Hour))) {
			t.Errorf("the moment is %s after %s", rec.Scheduled, rec.Previous)
		}
	})
}

// TestARecordThatIsStartedAgain is brought up to date by what comes of it: with what a
// request would have been told, or with another failure.
func TestARecordThatIsStartedAgain(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		if k.trigger == "" || strings.HasPrefix(k.name, "delivery") {
			continue // an event's is started again by the event
		}
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, which fails again: %v", k.name, fails), func(t *testing.T) {
				t.Parallel()
				r := enginetest.New(t, k.project("steps:\n  - probe: { do: pay }\n  - respond: { status: 201, body: \""+strings.Repeat("x", 300)+"\" }\n"))
				broken := func(context.Context, any) (any, error) { return nil, errors.New("broken") }
				r.Probe.On("pay", broken)
				first, _ := k.run(r)
				if !fails {
					r.Probe.On("pay", nil)
				}
				a, _ := k.attempt(r)
				a.Waiting, a.Record, a.Number = false, first.ID, 2
				e := r.Runner.Run(t.Context(), a)
				rec := record(r, "dead_letters", first.ID)
				want, status := "failed 1, resolved 2", objectstore.Resolved
				if fails {
					want, status = "failed 1, failed 2", objectstore.Pending
				}
				if history(rec) != want || rec.Status != status || len(r.Documents("dead_letters")) != 1 {
					t.Errorf("%s: %s", rec.Status, history(rec))
				}
				last := rec.History[len(rec.History)-1].Detail
				if !fails && (!strings.HasPrefix(last, `answered 201: "xxx`) || len(last) > 220) || fails && rec.Execution != e.ID {
					t.Errorf("it ends with %q, of execution %s", last, rec.Execution)
				}
			})
		}
	}
}

// TestAnErrorHandlerIsToldOnce: with all a record has; when it has run the letter is
// resolved, and its own failure starts no handler again.
func TestAnErrorHandlerIsToldOnce(t *testing.T) {
	t.Parallel()
	const handler = "-- handler.yaml --\npipeline: handler\ntrigger: { error: {} }\nsteps:\n  - probe: { do: handle, with: \"${{ error }}\" }\n"
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprint("it fails: ", fails), func(t *testing.T) {
			t.Parallel()
			k := kindOf("delivery")
			r := enginetest.New(t, k.project("steps:\n"+broken+handler))
			r.Probe.On("handle", func(_ context.Context, with any) (any, error) {
				if got := value.Get(with, value.NewPath("type")); got != "job/broken" {
					t.Errorf("error.type is %v", got)
				}
				if fails {
					return nil, errors.New("no mail today")
				}
				return nil, nil
			})
			e, _ := k.run(r)
			told := r.Events(attempt.FailedType)
			if len(told) != 1 || told[0].Key != "work" {
				t.Fatalf("told are %+v", told)
			}
			letter := r.One("dead_letters")["id"].(string)
			for what, want := range map[string]any{"id": letter, "pipeline": "work", "attempt": 1, "execution": e.ID} {
				if got := value.Get(value.Raw(told[0].Data), value.NewPath(what)); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s is %v, want %v", what, got, want)
				}
			}
			a := r.Attempt("handler", &claim{})
			a.Trigger, a.Event, a.Deliveries, a.Input = "error", &told[0], 1, value.Raw(told[0].Data)
			if e := r.Runner.Run(t.Context(), a); e.Err != nil {
				t.Fatal(e.Err)
			}
			want := "failed 1, handled 1"
			if fails {
				want = "failed 1"
			}
			if rec := record(r, "dead_letters", letter); history(rec) != want || (rec.Status == objectstore.Resolved) == fails {
				t.Errorf("%s: %s", rec.Status, history(rec))
			}
			if fails != (len(r.Documents("dead_letters")) == 2) || len(r.Events(attempt.FailedType)) != 1 {
				t.Errorf("letters: %v, told: %d", r.Documents("dead_letters"), len(r.Events(attempt.FailedType)))
			}
		})
	}
}

// TestALetterThatAPersonClosedStaysClosed, though its handler ran after that.
func TestALetterThatAPersonClosedStaysClosed(t *testing.T) {
	t.Parallel()
	k := kindOf("delivery")
	r := enginetest.New(t, k.project("steps:\n"+broken+"-- handler.yaml --\npipeline: handler\ntrigger: { error: {} }\nsteps: [ { stop: true } ]\n"))
	a, _ := k.attempt(r)
	r.Runner.Run(t.Context(), a)
	rec := record(r, "dead_letters", a.Event.ID)
	rec.Discard(r.Clock.Now(), "not worth it")
	doc, err := rec.Document()
	if err != nil {
		t.Fatal(err)
	}
	r.Seed("dead_letters", rec.ID, string(doc))
	told := r.Events(attempt.FailedType)[0]
	h := r.Attempt("handler", &claim{})
	h.Trigger, h.Event, h.Deliveries, h.Input = "error", &told, 1, value.Raw(told.Data)
	if e := r.Runner.Run(t.Context(), h); e.Err != nil || e.Status != attempt.StatusOK {
		t.Fatal(e.Err, e.Problem)
	}
	if rec := record(r, "dead_letters", rec.ID); rec.Status != objectstore.Discarded || history(rec) != "failed 1, discarded 1" {
		t.Errorf("%s: %s", rec.Status, history(rec))
	}
}

// TestAFloodOfRequestsFillsOneLetter: a caller's failures beyond a hundred in an hour are
// counted, in one letter and one line a minute; nothing else of them is kept.
func TestAFloodOfRequestsFillsOneLetter(t *testing.T) {
	t.Parallel()
	k := kindOf("request")
	r := enginetest.New(t, k.project("steps:\n"+broken))
	for range 130 {
		if e, _ := k.run(r); e.Err != nil || e.Problem == nil || e.Status != attempt.StatusFailed {
			t.Fatal(e.Err, e.Outcome)
		}
	}
	r.Clock.Advance(time.Minute)
	k.run(r)
	letters := r.Documents("dead_letters")
	counts := 0
	for _, l := range letters {
		if n, ok := l["count"]; ok {
			if counts++; n != 31.0 {
				t.Errorf("the letter counts %v", n)
			}
		}
	}
	if len(letters) != 101 || counts != 1 || len(r.Executions("work")) != 100 || r.Stats("work").Failed != 131 {
		t.Errorf("%d letters, %d count, %d executions, %+v", len(letters), counts, len(r.Executions("work")), r.Stats("work"))
	}
	if lines := r.Logs.Lines("requests fail again and again"); len(failures(r)) != 100 || len(lines) != 2 || !strings.Contains(lines[1], "count=31") {
		t.Errorf("%d lines of failures; of the flood: %q", len(failures(r)), lines)
	}
	for _, k := range []string{"delivery", "tick", "manual"} {
		other := kindOf(k)
		r := enginetest.New(t, other.project("steps:\n"+broken))
		for range 105 {
			other.run(r)
		}
		if n := len(r.Documents("dead_letters")); n != 105 {
			t.Errorf("of %s, which no caller causes, %d are kept", k, n)
		}
	}
}

// TestOlderLettersAreConverted once, to where the record of their event is looked for.
func TestOlderLettersAreConverted(t *testing.T) {
	t.Parallel()
	r := enginetest.New(t, kindOf("delivery").project("steps:\n"+broken))
	r.Seed("dead_letters", "x-1", `{"id":"x-1","pipeline":"work","trigger":"event","attempt":2,"status":"pending","input":{"n":1},"error":{"type":"a"},"event":{"id":"e-1","type":"job.new","data":{"n":1}},"failed_at":"2026-01-01T00:00:00Z"}`)
	r.Seed("dead_letters", "x-2", `{"id":"x-2","pipeline":"web","trigger":"http","attempt":1,"status":"pending","input":{"n":2},"error":{"type":"b"},"failed_at":"2026-01-02T00:00:00Z"}`)
	r.Seed("dead_letters", "x-3", `{"id":"x-3","pipeline":"work","trigger":"event","attempt":1,"status":"redriven","input":{},"error":{"type":"c"},"event":{"id":"e-3","type":"job.new","data":{}},"failed_at":"2026-01-03T00:00:00Z"}`)
	r.Seed("dead_letters", "own", `{"somebody":"else's"}`)
	convert := func() int {
		n, err := attempt.ConvertLetters(t.Context(), r.Store, nil, r.NewID, r.Clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := convert(); n != 3 {
		t.Errorf("%d are converted", n)
	}
	if n := convert(); n != 0 {
		t.Errorf("%d are converted again", n)
	}
	for id, want := range map[string]string{"e-1": "work pending 2", "x-2": "web pending 1", "e-3": "work resolved 1"} {
		rec := record(r, "dead_letters", id)
		if got := fmt.Sprint(rec.Pipeline, " ", rec.Status, " ", rec.Attempts); got != want || rec.ID != id {
			t.Errorf("%s is %s under %s", id, got, rec.ID)
		}
	}
	if all := r.Documents("dead_letters"); len(all) != 4 || all["own"]["somebody"] != "else's" {
		t.Errorf("%v", all)
	}
	ev := pipelined.Event{ID: "e-1", Type: "job.new", Data: "{}"} // the next failure of an event goes on with its record
	a := r.Attempt("work", &claim{})
	a.Event, a.Deliveries, a.Number = &store.StoredEvent{Event: ev}, 1, 3
	r.Runner.Run(t.Context(), a)
	if rec := record(r, "dead_letters", "e-1"); rec.Attempts != 3 {
		t.Errorf("%+v", rec)
	}
}
