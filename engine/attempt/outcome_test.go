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
)

// result is how an attempt is to end.
type result struct {
	status  string
	problem string // its type; empty: none
	handled string
	letter  bool   // a dead letter is kept
	by      string // who wrote the one document of the collection done; empty: nobody
}

// outcomes are what a flow can come to of itself, and what becomes of that: the drawing
// in the package's doc, read from left to right.
var outcomes = []struct {
	name, rest string
	want       func(k kind) result
}{
	{"a flow that ends well", "steps:\n" + wrote + "  - respond: { body: fine }\n", always(result{status: "ok", by: "flow"})},
	{"a stop ends it well", "steps:\n" + wrote + "  - stop: true\n  - fail: { type: never }\n", always(result{status: "ok", by: "flow"})},
	{"a failure that nothing handles is kept", "steps:\n" + wrote + broken, always(result{status: "failed", problem: "job/broken", letter: true})},
	{"a failure that may pass is put off, where the cause can come again", "steps:\n" + wrote + busy, func(k kind) result {
		if strings.HasPrefix(k.name, "delivery that") {
			return result{status: "retrying", problem: "job/busy"}
		}
		return result{status: "failed", problem: "job/busy", letter: true}
	}},
	{"what is the caller's fault is told the caller, and else a failure", "steps:\n" + wrote + "  - fail: { type: job/empty, status: 422 }\n", func(k kind) result {
		if k.name == "request" {
			return result{status: "rejected", problem: "job/empty"}
		}
		return result{status: "failed", problem: "job/empty", letter: true}
	}},
	{"on_error handles it, with effects of its own", "steps:\n" + wrote + broken + "on_error:\n" + strings.ReplaceAll(wrote, "flow", "on_error"),
		always(result{status: "failed", problem: "job/broken", handled: "on_error", by: "on_error"})},
	{"an on_error that stops handles it", "steps:\n" + broken + "on_error: [ { stop: true } ]\n",
		always(result{status: "failed", problem: "job/broken", handled: "on_error"})},
	{"an on_error that fails leaves none of its effects", "steps:\n" + broken + "on_error:\n" + wrote + "  - fail: { type: job/worse }\n",
		always(result{status: "failed", problem: "job/worse", letter: true})},
	{"what was done is undone, and the failure kept", "steps:\n  - name: book\n    probe: { do: book }\n    compensate:\n    " +
		strings.ReplaceAll(wrote, "flow", "compensation") + broken, always(result{status: "failed", problem: "job/broken", letter: true, by: "compensation"})},
	{"a flow that runs out of time", "timeout: 5ms\nsteps:\n  - probe: { do: wait }\n", func(k kind) result {
		if strings.HasPrefix(k.name, "delivery that") {
			return result{status: "retrying", problem: pipelined.TypeTimeout}
		}
		return result{status: "failed", problem: pipelined.TypeTimeout, letter: true}
	}},
	{"a step that panics", "steps:\n" + wrote + "  - probe: { do: panic }\n", always(result{status: "failed", problem: pipelined.TypeInternal, letter: true})},
	{"an error trigger takes the failure", "steps:\n" + broken + "-- handler.yaml --\npipeline: handler\ntrigger: { error: {} }\nsteps: [ { stop: true } ]\n",
		always(result{status: "failed", problem: "job/broken", handled: "error trigger", letter: true})},
}

const (
	wrote  = "  - object_store.put: { collection: done, id: one, document: { by: flow } }\n"
	broken = "  - fail: { type: job/broken, title: Broken }\n"
	busy   = "  - fail: { type: job/busy, status: 503, retriable: true }\n"
)

func always(r result) func(kind) result { return func(kind) result { return r } }

// TestOutcomes: every outcome of a flow, whatever started it. It is in one batch with what
// settles the cause; it is counted once, and told if it failed.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, tt := range outcomes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			everyWay(t, func(t *testing.T, k kind, start start) {
				r := enginetest.New(t, k.project(tt.rest))
				r.Probe.On("wait", func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return nil, context.Cause(ctx) })
				r.Probe.On("panic", func(context.Context, any) (any, error) { panic("of the probe") })
				a, c := k.attempt(r)
				e := start(t.Context(), r, a)
				check(t, r, e, c, tt.want(k))
			})
		})
	}
}

// check compares an ending, and what is durable of it.
func check(t *testing.T, r *enginetest.Room, e attempt.Ending, c *claim, want result) {
	t.Helper()
	got := result{status: e.Status, handled: e.Handled, letter: len(r.Documents("dead_letters")) == 1}
	if e.Problem != nil {
		got.problem = e.Problem.Type
	}
	for _, d := range r.Documents("done") {
		got.by += fmt.Sprint(d["by"])
	}
	if got != want || e.Err != nil || e.Aborted {
		t.Fatalf("it came to %+v, %v, want %+v\n%s", got, e.Err, want, r.Logs)
	}
	switch text := cause(r); {
	case want.status == attempt.StatusRetrying && (text != "put off because of "+want.problem || c.settled > 0):
		t.Errorf("a cause that is put off is %q", text)
	case want.status != attempt.StatusRetrying && (text != "settled "+want.status || c.settled != 1):
		t.Errorf("the cause is %q, after %d tries", text, c.settled)
	}
	counted(t, r, want)
	lines := failures(r)
	switch {
	case want.status != attempt.StatusFailed:
		if len(lines) > 0 {
			t.Errorf("what did not fail is told: %q", lines)
		}
	case len(lines) != 1 || !strings.Contains(lines[0], "problem="+want.problem) || strings.Contains(lines[0], "level=WARN") != (want.handled != ""):
		t.Errorf("one line tells of a failure: %q", lines)
	}
}

func counted(t *testing.T, r *enginetest.Room, want result) {
	t.Helper()
	s := r.Stats("work")
	for status, n := range map[string]int64{"ok": s.OK, "failed": s.Failed, "retrying": s.Retrying, "rejected": s.Rejected} {
		if (status == want.status) != (n == 1) || n > 1 {
			t.Errorf("%d are counted as %s", n, status)
		}
	}
	if (s.Handled == 1) != (want.handled != "") || s.Reruns+s.Taken > 0 {
		t.Errorf("counted: %+v", s)
	}
	if recent := r.Runner.Recent.List(); len(recent) != 1 || recent[0].Status != want.status || recent[0].HandledBy != want.handled {
		t.Errorf("the recent ones are %+v", recent)
	}
}

// TestARefusedCommit: what becomes of an attempt whose batch the store does not take. None
// of it is counted, or told, as if it had happened.
func TestARefusedCommit(t *testing.T) {
	t.Parallel()
	own := &store.ConflictError{Collection: "_idempotency", ID: "k", Reason: "exists"}
	tests := []struct {
		name  string
		err   error
		taken int64
	}{
		{"the cause is somebody else's", fmt.Errorf("acknowledge: %w", store.ErrTaken), 1},
		{"a document of the runtime's own is there", own, 1},
		{"nothing can be stored now", fmt.Errorf("%w: no space", store.ErrUnavailable), 0},
		{"it is not known whether it happened", fmt.Errorf("%w: no answer", store.ErrInDoubt), 0},
		{"the store is closed", store.ErrClosed, 0},
		{"it asks for something impossible", errors.New("not JSON"), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, rest := range []string{"steps:\n  - probe: { do: look }\n" + wrote, "steps:\n  - probe: { do: look }\n" + broken} {
				everyKind(t, func(t *testing.T, k kind, start start) {
					r := enginetest.New(t, k.project(rest))
					a, _ := k.attempt(r)
					r.Store.Refuse(tt.err)
					e := start(t.Context(), r, a)
					if !errors.Is(e.Err, tt.err) || r.Probe.Calls("look") != 1 {
						t.Errorf("it ended with %v after %d runs", e.Err, r.Probe.Calls("look"))
					}
					s := r.Stats("work")
					if s.Taken != tt.taken || s.OK+s.Failed+s.Retrying+s.Rejected+s.Reruns != 0 || len(failures(r)) > 0 || len(r.Runner.Recent.List()) > 0 {
						t.Errorf("counted: %+v\n%s", s, r.Logs)
					}
					if n := len(r.Documents("done")) + len(r.Documents("dead_letters")); n > 0 || cause(r) != "" {
						t.Errorf("%d documents are there, the cause is %q", n, cause(r))
					}
				})
			}
		})
	}
}

// TestWhatIsCutOffByADrainGoesBackUndone, wherever it is: in the flow, in a compensation,
// in on_error.
func TestWhatIsCutOffByADrainGoesBackUndone(t *testing.T) {
	t.Parallel()
	for where, rest := range map[string]string{
		"in the flow":             "steps:\n" + wrote + "  - probe: { do: stopping }\n",
		"in a compensation":       "steps:\n  - name: book\n    probe: { do: book }\n    compensate:\n      - probe: { do: stopping }\n" + broken,
		"in on_error":             "steps:\n" + broken + "on_error:\n" + wrote + "  - probe: { do: stopping }\n",
		"and on_error is not run": "steps:\n  - probe: { do: stopping }\non_error:\n  - probe: { do: never }\n",
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			everyKind(t, func(t *testing.T, k kind, start start) {
				r := enginetest.New(t, k.project(rest))
				ctx, stop := context.WithCancelCause(t.Context())
				r.Probe.On("stopping", func(ctx context.Context, _ any) (any, error) {
					stop(pipelined.ErrStopping)
					return nil, context.Cause(ctx)
				})
				a, c := k.attempt(r)
				e := start(ctx, r, a)
				if !e.Aborted || e.Err != nil || c.settled > 0 || !c.due.IsZero() || r.Probe.Calls("never") > 0 {
					t.Errorf("aborted: %v, %v; settled %d times, put off to %s", e.Aborted, e.Err, c.settled, c.due)
				}
				s := r.Stats("work")
				if s.OK+s.Failed+s.Retrying+s.Rejected+s.Taken != 0 || len(r.Documents("done"))+len(r.Documents("dead_letters")) > 0 || len(failures(r)) > 0 {
					t.Errorf("%+v\n%s", s, r.Logs)
				}
			})
		})
	}
}

// TestATriggersOwnProblemFailsAtOnce: the flow does not run, and the failure goes the way
// of every failure.
func TestATriggersOwnProblemFailsAtOnce(t *testing.T) {
	t.Parallel()
	everyKind(t, func(t *testing.T, k kind, start start) {
		r := enginetest.New(t, k.project("steps:\n  - probe: { do: look }\non_error:\n  - object_store.put: { collection: done, id: one, document: { by: \"${{ error.type }}\" } }\n"))
		a, c := k.attempt(r)
		a.Problem = attempt.Interrupted("the process died 3 times")
		e := start(t.Context(), r, a)
		check(t, r, e, c, result{status: "failed", problem: pipelined.TypeInterrupted, handled: "on_error", by: pipelined.TypeInterrupted})
		if n := r.Probe.Calls("look"); n > 0 {
			t.Errorf("the flow ran %d times", n)
		}
	})
}

// TestNothingToCommitDoesNotWaitForTheDisk: an attempt without a cause to settle and
// without effects ends without a batch.
func TestNothingToCommitDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	for way, start := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := enginetest.New(t, kindOf("request").project("steps:\n  - respond: { body: fine }\n"))
			r.Store.Before(func(*store.Batch) error { return errors.New("a batch was submitted") })
			a := r.Attempt("work", nothing{})
			e := start(t.Context(), r, a)
			if e.Err != nil || e.Status != attempt.StatusOK || e.Reply == nil || e.Reply.Body != `"fine"` || r.Stats("work").OK != 1 {
				t.Errorf("%v, %+v", e.Err, e.Outcome)
			}
		})
	}
}

// nothing is a cause that nobody has to settle.
type nothing struct{}

func (nothing) Settle(*attempt.Outcome, *store.Batch) {}

func (nothing) PutOff(*store.Batch, time.Time, *pipelined.Problem) bool { return false }
