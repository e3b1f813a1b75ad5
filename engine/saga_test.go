package engine_test

import (
	"strings"
	"testing"
	"time"

	"pipelined/objectstore"
)

// sagaSteps book three things, of which the second is not outside, and then do what more
// says.
func sagaSteps(more string) string {
	return `steps:
  - name: hotel
    world: { do: hotel, with: "${{ input.n }}" }
    compensate:
      - world: { do: undo hotel, with: { id: "${{ steps.hotel.id }}", because: "${{ error.type }}" } }
  - name: noted
    set: { note: "${{ input.n }}" }
    compensate:
      - world: { do: undo noted, with: "${{ vars.note }}" }
  - name: flight
    world: { do: flight }
    compensate:
      - world: { do: undo flight, with: "${{ steps.flight.id }}" }
      - publish: { event: flight.undone, data: { n: "${{ input.n }}" } }
` + more
}

const (
	hotelUndone  = `undo hotel {"id":"hotel-1","because":"trip/sold-out"}`
	flightUndone = `undo flight "flight-1"`
	soldOut      = "  - fail: { type: trip/sold-out, title: Sold out }\n"
	flightNoted  = "-- noted.yaml --\npipeline: noted\ntrigger: { event: { types: [flight.undone] } }\nsteps: [ { object_store.put: { collection: undone, document: \"${{ input }}\" } } ]\n"
)

// sagaCauses are all that start a pipeline; begin has it started with n = 1.
var sagaCauses = []struct {
	name, trigger, more string
	begin               func(h *harness)
}{
	{"request", "trigger: { http: { method: POST, path: /trip } }\n", "", func(h *harness) { h.post("/trip", `{"n":1}`) }},
	{"accepted request", "trigger: { http: { method: POST, path: /trip, respond: accepted } }\n", "", func(h *harness) { h.post("/trip", `{"n":1}`); h.settle() }},
	{"tick", "trigger: { cron: { schedule: \"@hourly\"  } }\n", "", func(h *harness) { h.advance(30*time.Minute, 30*time.Minute) }},
	{"event", "trigger: { event: { types: [trip.new] } }\n", "", func(h *harness) { h.publish("trip.new", `{"n":1}`); h.settle() }},
	{"event that is tried again", "trigger: { event: { types: [trip.new], retry: { attempts: 2, initial: 1s, jitter: none } } }\n", "", func(h *harness) {
		h.publish("trip.new", `{"n":1}`)
		h.settle()
		h.advance(2*time.Second, time.Second)
	}},
	{"call", "", "-- caller.yaml --\npipeline: caller\ntrigger: { event: { types: [trip.new] } }\nsteps: [ { call: { pipeline: trip } } ]\n", func(h *harness) { h.publish("trip.new", `{"n":1}`); h.settle() }},
	{"error trigger", "trigger: { error: { pipelines: [broken] } }\n", "-- broken.yaml --\npipeline: broken\ntrigger: { event: { types: [trip.new] } }\nsteps: [ { fail: { type: a/b } } ]\n",
		func(h *harness) { h.publish("trip.new", `{"n":1}`); h.settle() }},
	{"manual", "trigger: { http: { method: POST, path: /trip } }\n", "", func(h *harness) {
		rec := objectstore.ErrorRecord{ID: "r-1", Pipeline: "trip", Trigger: "http", Status: objectstore.Pending, Error: []byte("{}"), Input: []byte(`{"n":1}`)}
		doc, err := rec.Document()
		if err != nil {
			h.t.Fatal(err)
		}
		h.seed("dead_letters", "r-1", string(doc))
		if _, err := h.engine.Commit(h.t.Context(), redriveBatch(h.t, h, map[string]any{"id": "r-1", "pipeline": "trip"})); err != nil {
			h.t.Fatal(err)
		}
		h.settle()
	}},
}

// TestSagas: whatever started it, what a failing execution had done is undone, last first,
// and what one that ended well had done stays. The journal is empty after.
func TestSagas(t *testing.T) {
	t.Parallel()
	for _, c := range sagaCauses {
		input := " 1"
		if c.name == "error trigger" || c.name == "tick" { // the input is the record of a failure, or nothing
			input = ""
		}
		done := "hotel" + input + ", flight"
		undone := ", " + flightUndone + ", undo noted" + input + ", " + hotelUndone
		tests := []struct{ name, more, want string }{
			{"ends well", "", done},
			{"stops", "  - stop: true\n" + soldOut, done},
			{"fails", soldOut, done + undone},
			{"fails, and is handled", soldOut + "on_error:\n  - world: { do: handled }\n", done + undone + ", handled"},
			{"fails, and so does on_error, which is undone, too", soldOut + "on_error:\n  - world: { do: handled }\n    compensate: [ { world: { do: undo handled } } ]\n  - fail: { type: trip/worse }\n",
				done + undone + ", handled, undo handled"},
			{"is cured by a try", "  - try:\n      - world: { do: extra }\n        compensate: [ { world: { do: undo extra } } ]\n      - fail: { type: a/b }\n    catch: []\n" + soldOut,
				done + ", extra, undo extra" + undone},
		}
		for _, tt := range tests {
			t.Run(c.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				h := startWith(t, "-- trip.yaml --\npipeline: trip\n"+c.trigger+sagaSteps(tt.more)+c.more+flightNoted, w.set())
				c.begin(h)
				h.settle()
				if c.name == "call" {
					tt.want = called(tt.name, tt.want)
				}
				if got := w.did(); got != tt.want {
					t.Errorf("%s\nwant %s\n%s", got, tt.want, h.log)
				}
				if left := rows(t, h.store); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
				wantUndone := 0
				if strings.Contains(tt.want, "undo flight") {
					wantUndone = 1
				}
				if n := len(h.docs("undone")); n != wantUndone {
					t.Errorf("what a compensation published came %d times", n)
				}
			})
		}
	}
}

// called is what is done where the pipeline is called: its on_error is part of the flow, so
// that it runs before anything is undone, and where it handles the failure nothing is.
func called(name, want string) string {
	switch name {
	case "fails, and is handled":
		return "hotel 1, flight, handled"
	case "fails, and so does on_error, which is undone, too":
		return "hotel 1, flight, handled, undo handled, " + flightUndone + ", undo noted 1, undo hotel {\"id\":\"hotel-1\",\"because\":\"trip/worse\"}"
	}
	return want
}

// TestAPutOffAttemptUndoesNothing: the next attempt finds the journal and takes it over;
// the keys of the calls are the same.
func TestAPutOffAttemptUndoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := startWith(t, "-- trip.yaml --\npipeline: trip\ntrigger: { event: { types: [trip.new], retry: { attempts: 3, initial: 1s, jitter: none } } }\n"+
		sagaSteps("  - world: { do: pay }\n"), w.set())
	w.fails("pay", -1, errAway)
	h.publish("trip.new", `{"n":1}`)
	h.settle()
	if got := w.did(); got != "hotel 1, flight, pay" {
		t.Fatal(got)
	}
	journal := rows(t, h.store)
	if len(journal) != 2 {
		t.Fatalf("journal: %q", journal)
	}
	h.restart()
	h.advance(time.Second, time.Second)
	if again := rows(t, h.store); strings.Join(again, " ") != strings.Join(journal, " ") {
		t.Errorf("journal: %q, before %q", again, journal)
	}
	w.fails("hotel", -1, errAway) // the last attempt does not get as far as the flight
	w.did()
	h.advance(2*time.Second, time.Second)
	if got := w.did(); got != `hotel 1, undo flight "flight-2", undo hotel {"id":"hotel-2","because":"world/away"}` {
		t.Error(got)
	}
	if left := rows(t, h.store); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestWhatCannotBeUndoneIsTriedAgain, longer and longer apart, ten times in all; then it is
// a record, which can be redriven. The caller hears nothing of it.
func TestWhatCannotBeUndoneIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, restarts := range []bool{false, true} {
		w := newWorld()
		h := startWith(t, "-- trip.yaml --\npipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\n"+sagaSteps(soldOut)+flightNoted, w.set())
		w.fails("undo flight", -1, errAway)
		a := h.post("/trip", `{"n":1}`)
		if a.status != 500 || strings.Contains(a.body, "internal") || strings.Contains(a.body, "away") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if got := w.did(); got != "hotel 1, flight, "+flightUndone+", undo noted 1, "+hotelUndone {
			t.Error(got)
		}
		for n, wait := range []int{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			h.advance(time.Duration(wait)*time.Minute-time.Second, time.Hour)
			if got := w.did(); got != "" {
				t.Errorf("before wait %d is over: %s", n, got)
			}
			if restarts {
				h.restart()
			}
			h.advance(time.Second, time.Second)
			if got := w.did(); got != flightUndone {
				t.Errorf("after wait %d: %q", n, got)
			}
		}
		h.advance(100*time.Hour, time.Hour)
		if got := w.did(); got != "" || len(rows(t, h.store)) > 0 {
			t.Errorf("after ten tries: %q, %q", got, rows(t, h.store))
		}
		var rec map[string]any
		for _, d := range h.docs("dead_letters") {
			if d["trigger"] == "compensation" {
				rec = d
			}
		}
		if rec == nil || rec["status"] != "pending" || rec["attempts"] != 10.0 || rec["pipeline"] != "trip" {
			t.Fatalf("%v", rec)
		}
		w.fails("undo flight", 0, nil)
		if _, err := h.engine.Commit(t.Context(), redriveBatch(t, h, rec)); err != nil {
			t.Fatal(err)
		}
		h.settle()
		if got := w.did(); got != flightUndone || len(h.docs("undone")) != 1 {
			t.Errorf("redriven: %q, %v\n%s", got, h.docs("undone"), h.log)
		}
	}
}

// TestAStepThatIsGoneIsARecordAtOnce, loudly: its compensation cannot be found.
func TestAStepThatIsGoneIsARecordAtOnce(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]string{
		"the step":     "pipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\nsteps: [ { respond: { body: 1 } } ]\n",
		"the pipeline": "pipeline: other\ntrigger: { http: { method: POST, path: /trip } }\nsteps: [ { respond: { body: 1 } } ]\n",
		"what it reads": "pipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\nsteps:\n  - name: more\n    set: { a: 1 }\n" +
			strings.TrimPrefix(strings.ReplaceAll(sagaSteps(""), "steps.flight.id", "steps.more"), "steps:\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			h := startWith(t, "-- trip.yaml --\npipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\n"+sagaSteps(soldOut), w.set())
			w.fails("undo flight", 1, errAway)
			h.post("/trip", `{"n":1}`)
			w.did()
			h.write("-- trip.yaml --\n" + files)
			h.restart()
			h.advance(time.Minute, time.Minute)
			n := 0
			for _, d := range h.docs("dead_letters") {
				if d["trigger"] == "compensation" {
					n++
				}
			}
			if got := w.did(); got != "" || n != 1 || len(rows(t, h.store)) > 0 {
				t.Errorf("%q, %d records, %q\n%s", got, n, rows(t, h.store), h.log)
			}
		})
	}
}
