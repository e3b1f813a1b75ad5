package attempt_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// TestWhenAFailedDeliveryComesAgain: by the trigger's retry, the failure, and what a
// service asked for. Randomness is a half.
func TestWhenAFailedDeliveryComesAgain(t *testing.T) {
	t.Parallel()
	const steady = "attempts: 5, backoff: constant, initial: 10s, jitter: none"
	tests := []struct {
		name, retry string
		deliveries  int // this one included
		retriable   bool
		after       time.Duration // what the service asked for
		wait        time.Duration // 0: it does not come again
	}{
		{"the first time", steady, 1, true, 0, 10 * time.Second},
		{"the last but one", steady, 4, true, 0, 10 * time.Second},
		{"the last", steady, 5, true, 0, 0},
		{"beyond the last, after a reload with fewer", steady, 9, true, 0, 0},
		{"a failure that will not pass", steady, 1, false, 0, 0},
		{"no retry at all", "", 1, true, 0, 0},
		{"nothing delivered it", steady, 0, true, 0, 0},
		{"when says that it is worth it", steady + ", when: error.status == 503", 1, false, 0, 10 * time.Second},
		{"when says that it is not", steady + ", when: error.status == 500", 1, true, 0, 0},
		{"when sees the event", steady + ", when: event.key == 'k-1' and input.n == 7", 1, false, 0, 10 * time.Second},
		{"when fails", steady + ", when: input.n.x.y > 1", 1, true, 0, 0},
		{"the wait doubles", "attempts: 9, initial: 10s, max: 1h, jitter: none", 4, true, 0, 80 * time.Second},
		{"up to its limit", "attempts: 9, initial: 10s, max: 1m, jitter: none", 4, true, 0, time.Minute},
		{"a random part of it", "attempts: 9, initial: 10s, max: 1h, jitter: full", 4, true, 0, 40 * time.Second},
		{"the service asks for longer", steady, 1, true, 30 * time.Second, 30 * time.Second},
		{"the service asks for less", steady, 1, true, time.Second, 10 * time.Second},
		{"the service asks for more than the limit", "attempts: 9, initial: 10s, max: 1m, jitter: none", 1, true, time.Hour, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trigger := "types: [job.new]"
			if tt.retry != "" {
				trigger += ", retry: { " + tt.retry + " }"
			}
			k := kind{"", "trigger: { event: { " + trigger + " } }\n", deliver}
			r := enginetest.New(t, k.project("steps: [ { probe: { do: fail } } ]\n"))
			r.Probe.On("fail", func(context.Context, any) (any, error) {
				return nil, &pipelined.Problem{Type: "job/busy", Title: "Busy", Status: 503, Retriable: tt.retriable, RetryAfter: tt.after}
			})
			a, c := k.attempt(r)
			a.Deliveries = tt.deliveries
			e := r.Runner.Run(t.Context(), a)
			if e.Err != nil || (e.Status == attempt.StatusRetrying) != (tt.wait > 0) {
				t.Fatalf("it came to %s, %v", e.Status, e.Err)
			}
			if tt.wait > 0 && !c.due.Equal(enginetest.Epoch.Add(tt.wait)) {
				t.Errorf("it comes again after %s, want %s", c.due.Sub(enginetest.Epoch), tt.wait)
			}
			if fails := strings.Contains(e.Problem.Note, "retry.when failed"); fails != (tt.name == "when fails") {
				t.Errorf("the note is %q", e.Problem.Note)
			}
			if (len(r.Documents("dead_letters")) == 0) != (tt.wait > 0) {
				t.Errorf("letters: %v", r.Documents("dead_letters"))
			}
		})
	}
}

// TestACauseThatCannotComeAgainIsNotPutOff, though its pipeline would have it.
func TestACauseThatCannotComeAgainIsNotPutOff(t *testing.T) {
	t.Parallel()
	k := kindOf("delivery that may come again")
	r := enginetest.New(t, k.project("steps:\n"+busy))
	a, c := k.attempt(r)
	c.never = true
	if e := r.Runner.Run(t.Context(), a); e.Status != attempt.StatusFailed || cause(r) != "settled failed" || len(r.Documents("dead_letters")) != 1 {
		t.Errorf("it came to %s, %q, %v", e.Status, cause(r), r.Documents("dead_letters"))
	}
}

// TestWhatIsPutOffLeavesNothing: neither effects nor handlers nor compensations.
func TestWhatIsPutOffLeavesNothing(t *testing.T) {
	t.Parallel()
	k := kindOf("delivery that may come again")
	r := enginetest.New(t, k.project("steps:\n  - name: book\n    probe: { do: book }\n    compensate: [ { probe: { do: undo } } ]\n"+wrote+"  - publish: { event: job.done }\n"+busy+
		"on_error: [ { probe: { do: handle } } ]\non_failure: { collection: job_errors }\n"))
	e, _ := k.run(r)
	if e.Status != attempt.StatusRetrying || r.Probe.Calls("undo")+r.Probe.Calls("handle") > 0 {
		t.Errorf("it came to %s; undone %d times, handled %d times", e.Status, r.Probe.Calls("undo"), r.Probe.Calls("handle"))
	}
	if n := len(r.Documents("done")) + len(r.Documents("job_errors")) + len(r.Documents("dead_letters")) + len(r.Events("job.done")); n > 0 {
		t.Errorf("it left %d things", n)
	}
}

// TestWhenARecordIsDueAgain: on_failure asks the pipeline that drains it, and whether the
// failure is permanent.
func TestWhenARecordIsDueAgain(t *testing.T) {
	t.Parallel()
	const drain = "-- again.yaml --\npipeline: again\ntrigger: { cron: { schedule: \"@hourly\" } }\nsteps:\n  - reprocess: { collection: job_errors, max_attempts: 3, backoff: { kind: constant, initial: 10m, jitter: none }, exhausted: [ { stop: true } ] }\n"
	tests := []struct {
		name, failure, more string
		attempt             int
		wait                time.Duration
		permanent           bool
		letter              bool // it is a dead letter instead
	}{
		{"nothing drains it", "", "", 1, 0, false, false},
		{"after the backoff", "", drain, 1, 10 * time.Minute, false, false},
		{"the last attempt is given up at once", "", drain, 3, 0, false, false},
		{"a permanent one is given up at once", ", permanent: error.status == 503", drain, 1, 0, true, false},
		{"one that is not", ", permanent: error.status == 422", drain, 1, 10 * time.Minute, false, false},
		{"permanent fails", ", permanent: input.n.x.y > 1", drain, 1, 0, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := kindOf("delivery")
			r := enginetest.New(t, k.project("on_failure: { collection: job_errors"+tt.failure+" }\nsteps:\n"+busy+tt.more))
			a, _ := k.attempt(r)
			a.Number = tt.attempt
			e := r.Runner.Run(t.Context(), a)
			if e.Err != nil || (e.Handled == "on_failure") == tt.letter {
				t.Fatalf("it came to %v, handled by %q\n%s", e.Err, e.Handled, r.Logs)
			}
			if tt.letter {
				if p := e.Problem; p.Type != pipelined.TypeExpression || p.Cause == nil || p.Cause.Type != "job/busy" || len(r.Documents("job_errors")) > 0 {
					t.Errorf("kept is %+v", p)
				}
				record(r, "dead_letters", a.Event.ID)
				return
			}
			rec := record(r, "job_errors", a.Event.ID)
			if wait := rec.NextAttemptAt.Sub(enginetest.Epoch); wait != tt.wait || rec.Permanent != tt.permanent || rec.Status != objectstore.Pending || rec.Attempts != tt.attempt {
				t.Errorf("due after %s, %+v", wait, rec)
			}
		})
	}
}

// TestOnlyWhatFailedBeforeIsResolved: the first attempt of an event looks for no record.
func TestOnlyWhatFailedBeforeIsResolved(t *testing.T) {
	t.Parallel()
	k := kindOf("delivery")
	for number, resolved := range map[int]bool{1: false, 2: true} {
		r := enginetest.New(t, k.project("steps: [ { stop: true } ]\n"))
		a, _ := k.attempt(r)
		a.Number = number
		rec := objectstore.NewErrorRecord(a.Event.Event, "work", value.Raw("{}"), pipelined.NewProblem("x", "X", 500, ""), 1, enginetest.Epoch)
		doc, err := rec.Document()
		if err != nil {
			t.Fatal(err)
		}
		r.Seed("dead_letters", rec.ID, string(doc))
		if e := r.Runner.Run(t.Context(), a); e.Err != nil {
			t.Fatal(e.Err)
		}
		if got := record(r, "dead_letters", rec.ID).Status; (got == objectstore.Resolved) != resolved {
			t.Errorf("after attempt %d it is %s", number, got)
		}
	}
}

// TestARecordThatCannotBeClosedIsTold: the event was processed all the same.
func TestARecordThatCannotBeClosedIsTold(t *testing.T) {
	t.Parallel()
	k := kindOf("delivery")
	r := enginetest.New(t, k.project("steps:\n"+wrote))
	a, _ := k.attempt(r)
	a.Number = 2
	r.Seed("dead_letters", a.Event.ID, `{"anything":1}`)
	e := r.Runner.Run(t.Context(), a)
	if e.Err != nil || e.Status != attempt.StatusOK || len(r.Documents("done")) != 1 || len(r.Logs.Lines("could not be brought up to date", "execution="+e.ID)) != 1 {
		t.Errorf("it came to %s, %v\n%s", e.Status, e.Err, r.Logs)
	}
	if got := fmt.Sprint(r.Documents("dead_letters")); got != "map["+a.Event.ID+":map[anything:1]]" {
		t.Errorf("what stood there is %s", got)
	}
}
