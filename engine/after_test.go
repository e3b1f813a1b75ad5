package engine_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pipelined/engine/execution"
)

// afterSteps are a flow that reads three values, and an after_commit that is told them.
func afterSteps(more string) string {
	return `steps:
  - name: read
    world: { do: read, with: "${{ input.n }}" }
  - set: { note: "${{ input.n }}" }
  - publish: { event: row.found, id: "${{ steps.read.id }}", data: { n: "${{ input.n }}" } }
` + more + `after_commit:
  - world: { do: mark, with: { id: "${{ steps.read.id }}", note: "${{ vars.note }}", n: "${{ input.n }}" } }
  - publish: { event: row.marked, data: { n: "${{ vars.note }}" } }
`
}

const rowNoted = "-- noted.yaml --\npipeline: noted\ntrigger: { event: { types: [row.found, row.marked] } }\nsteps: [ { object_store.put: { collection: noted, document: { type: \"${{ event.type }}\" } } } ]\n"

// TestAfterCommit: whatever started it, what follows a flow that ended well runs once, and
// after one that failed nothing does, handled or not.
func TestAfterCommit(t *testing.T) {
	t.Parallel()
	for _, c := range sagaCauses {
		n, mark := " 1", `mark {"id":"read-1","note":1,"n":1}`
		if c.name == "error trigger" || c.name == "tick" {
			n, mark = "", `mark {"id":"read-1","note":null,"n":null}`
		}
		tests := []struct {
			name, more, want string
			noted            int
		}{
			{"ends well", "", "read" + n + ", " + mark, 2},
			{"stops", "  - stop: true\n", "read" + n + ", " + mark, 2},
			{"stops in a branch", "  - parallel: { a: [ { stop: true } ], b: [ { world: { do: b } } ] }\n", "", 2},
			{"fails", soldOut, "read" + n, 0},
			{"fails, and is handled", soldOut + "on_error: [ { world: { do: handled } } ]\n", "read" + n + ", handled", 0},
		}
		for _, tt := range tests {
			t.Run(c.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				h := startWith(t, "-- trip.yaml --\npipeline: trip\n"+c.trigger+afterSteps(tt.more)+c.more+rowNoted, w.set())
				c.begin(h)
				h.settle()
				got := w.did()
				if tt.want != "" && got != tt.want || !strings.HasSuffix(got, mark) && tt.noted == 2 {
					t.Errorf("%s\nwant %s\n%s", got, tt.want, h.log)
				}
				if left := rows(t, h.store); len(left) > 0 || len(h.docs("noted")) != tt.noted {
					t.Errorf("left: %q; noted: %v", left, h.docs("noted"))
				}
				h.advance(48*time.Hour, 24*time.Hour)
				if c.name != "tick" && w.did() != "" {
					t.Error("it runs again")
				}
			})
		}
	}
}

// TestAfterCommitIsTriedAgain: ten times, one second to ten minutes apart, then it is a
// record that can be redriven; on_error does not hear of it.
func TestAfterCommitIsTriedAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, retry string
		waits       []time.Duration
	}{
		{"as ever", "", []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256}},
		{"as it says", "{ attempts: 3, backoff: constant, initial: 7s }", []time.Duration{7, 7}},
		{"only when", "{ when: error.status == 404 }", nil},
	}
	for _, tt := range tests {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarts: %v", tt.name, restarts), func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				text := "-- trip.yaml --\npipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\n" + afterSteps("on_error: [ { world: { do: handled } } ]\n") + rowNoted
				if tt.retry != "" {
					before, list, _ := strings.Cut(text, "after_commit:\n")
					list, after, _ := strings.Cut(list, "-- noted")
					text = before + "after_commit:\n  retry: " + tt.retry + "\n  steps:\n  " + strings.TrimSuffix(strings.ReplaceAll(list, "\n", "\n  "), "  ") + "-- noted" + after
				}
				h := startWith(t, text, w.set())
				w.fails("mark", -1, errAway)
				if a := h.post("/trip", `{"n":1}`); a.status != 204 {
					t.Errorf("%d %s", a.status, a.body)
				}
				const mark = `mark {"id":"read-1","note":1,"n":1}`
				h.settle()
				if got := w.did(); got != "read 1, "+mark {
					t.Error(got)
				}
				for _, wait := range tt.waits {
					h.advance(wait*time.Second-time.Second, time.Hour)
					if restarts {
						h.restart()
					}
					if h.settle(); w.did() != "" {
						t.Errorf("before the %ds are over it runs", wait)
					}
					h.advance(time.Second, time.Second)
					if got := w.did(); got != mark {
						t.Errorf("after %ds: %q", wait, got)
					}
				}
				h.advance(24*time.Hour, time.Hour)
				letters := h.docs("dead_letters")
				if got := w.did(); got != "" || len(rows(t, h.store)) > 0 || len(letters) != 1 || len(h.docs("noted")) != 1 {
					t.Fatalf("at the end: %q, %q, %v\n%s", got, rows(t, h.store), letters, h.log)
				}
				if l := letters[0]; l["trigger"] != "after_commit" || l["attempts"] != float64(len(tt.waits)+1) || l["status"] != "pending" {
					t.Errorf("%v", l)
				}
				w.fails("mark", 0, nil)
				if _, err := h.engine.Commit(t.Context(), redriveBatch(t, h, letters[0])); err != nil {
					t.Fatal(err)
				}
				h.settle()
				if got := w.did(); got != mark || len(h.docs("noted")) != 2 || h.docs("dead_letters")[0]["status"] != "resolved" {
					t.Errorf("redriven: %q, %v, %v\n%s", got, h.docs("noted"), h.docs("dead_letters"), h.log)
				}
			})
		}
	}
}

// TestAfterCommitOfCalled: it runs with the caller's commit, if what called it was not
// dropped.
func TestAfterCommitOfCalled(t *testing.T) {
	t.Parallel()
	const called = "-- called.yaml --\npipeline: called\nsteps:\n  - when: input.n == 2\n    stop: true\n  - set: { v: \"${{ input.n }}\" }\nafter_commit: [ { world: { do: after, with: \"${{ input.n }}\" } } ]\n"
	call := func(n int) string { return fmt.Sprintf("{ call: { pipeline: called, with: { n: %d } } }", n) }
	tests := []struct{ name, steps, want string }{
		{"twice", "[ " + call(1) + ", " + call(2) + " ]", "after 1, after 2"},
		{"in branches", "[ { parallel: { a: [ " + call(1) + " ], b: [ " + call(2) + " ] } } ]", "after 1, after 2"},
		{"in a try that fails", "[ { try: [ " + call(1) + ", { fail: { type: a/b } } ], catch: [ " + call(2) + " ] } ]", "after 2"},
		{"in a turn that fails", "[ { foreach: 1..3, as: i, on_item_error: continue, steps: [ { call: { pipeline: called, with: { n: \"${{ i }}\" } } }, { when: i == 2, fail: { type: a/b } } ] } ]", "after 1, after 3"},
		{"of a flow that fails", "[ " + call(1) + ", { fail: { type: a/b } } ]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			h := startWith(t, "-- run.yaml --\npipeline: run\ntrigger: { http: { method: POST, path: /run } }\nsteps: "+tt.steps+"\n"+called, w.set())
			h.post("/run", "{}")
			h.settle()
			if got := w.did(); got != tt.want {
				t.Errorf("%q, want %q\n%s", got, tt.want, h.log)
			}
		})
	}
}

// TestWhatAfterCommitCannotKeep fails the execution before its commit, and says what it was.
func TestWhatAfterCommitCannotKeep(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", execution.MaxAfter/2)
	w := newWorld()
	h := startWith(t, `pipeline: run
trigger: { http: { method: POST, path: /run } }
steps:
  - name: small
    set: { a: 1 }
  - name: rows
    world: { do: rows, with: [ "${{ input.big }}", "${{ input.big }}" ] }
  - publish: { event: never.seen }
after_commit:
  - world: { do: never, with: [ "${{ steps.small }}", "${{ steps.rows }}" ] }
`, w.set())
	h.post("/run", `{"big":"`+big+`"}`)
	letters := h.docs("dead_letters")
	if len(letters) != 1 || len(h.events("never.seen")) > 0 {
		t.Fatalf("%v", letters)
	}
	problem := fmt.Sprint(letters[0]["error"])
	if !strings.Contains(problem, "after_commit/too-large") || !strings.Contains(problem, "steps.rows") || w.times["never"] > 0 {
		t.Error(problem)
	}
}

// TestAfterCommitFollowsTheAnswer: it has not begun when the caller is answered.
func TestAfterCommitFollowsTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := startWith(t, "-- trip.yaml --\npipeline: trip\ntrigger: { http: { method: POST, path: /trip } }\n"+afterSteps("")+rowNoted, w.set())
	r := httptest.NewRequest("POST", "/trip", strings.NewReader(`{"n":1}`))
	rec := &noticing{ResponseRecorder: httptest.NewRecorder(), notice: func() {
		if _, err := h.engine.RunDue(t.Context()); err != nil {
			t.Error(err)
		}
	}}
	h.engine.ServeHTTP(rec, r)
	if got := w.did(); got != "read 1" {
		t.Errorf("when the answer is written: %q", got)
	}
	h.settle()
	if got := w.did(); !strings.HasPrefix(got, "mark") {
		t.Errorf("after it: %q", got)
	}
}

// noticing has something happen when the answer is written.
type noticing struct {
	*httptest.ResponseRecorder
	notice func()
}

func (n *noticing) WriteHeader(status int) { n.notice(); n.ResponseRecorder.WriteHeader(status) }

// TestWhatComesAfterARunWaits for its after_commit: the next event of a subscription with
// concurrency 1, the next of its key, the next tick; also while that is tried again.
func TestWhatComesAfterARunWaits(t *testing.T) {
	t.Parallel()
	after := "steps: [ { world: { do: run, with: \"${{ %s }}\" } } ]\nafter_commit: [ { world: { do: after, with: \"${{ %s }}\" } } ]\n"
	text := func(trigger, of string) string {
		return "pipeline: run\ntrigger: { " + trigger + " }\n" + fmt.Sprintf(after, of, of)
	}
	events := func(h *harness) {
		h.publish("job.new", `{"n":1,"k":"a"}`)
		h.publish("job.new", `{"n":2,"k":"a"}`)
		h.settle()
	}
	ticks := func(h *harness) { h.advance(2*time.Minute, time.Minute) }
	tests := []struct {
		name, text string
		begin      func(h *harness)
		want       string
	}{
		{"concurrency 1", text("event: { types: [job.new], concurrency: 1 }", "input.n"), events, "run 1, after 1, after 1, run 2, after 2"},
		{"order_by", text("event: { types: [job.new], order_by: input.k }", "input.n"), events, "run 1, after 1, after 1, run 2, after 2"},
		{"overlap queue", text("cron: { schedule: \"* * * * *\", overlap: queue }", "schedule.time.Minute()"), ticks, "run 31, after 31, after 31, run 32, after 32, run 33, after 33"},
		{"overlap skip", text("cron: { schedule: \"* * * * *\", overlap: skip }", "schedule.time.Minute()"), ticks, "run 31, after 31, after 31, run 33, after 33"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			h := startWith(t, strings.Replace(tt.text, "after_commit: [ ", "after_commit:\n  retry: { initial: 90s }\n  steps: [ ", 1), w.set())
			w.fails("after", 1, errAway)
			tt.begin(h)
			h.advance(90*time.Second, 30*time.Second)
			if got := w.did(); got != tt.want {
				t.Errorf("%q, want %q\n%s", got, tt.want, h.log)
			}
		})
	}
}
