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
	"pipelined/internal/store"
)

// TestWhichExecutionsAreKept: failures always, successes as the project says or the
// pipeline itself; what was put off, and what a caller was told, never.
func TestWhichExecutionsAreKept(t *testing.T) {
	t.Parallel()
	statuses := map[string]struct{ kind, steps string }{
		"ok":       {"delivery", "steps: [ { stop: true } ]\n"},
		"failed":   {"delivery", "steps:\n" + broken},
		"retrying": {"delivery that may come again", "steps:\n" + busy},
		"rejected": {"request", "steps: [ { fail: { type: job/empty, status: 422 } } ]\n"},
	}
	for _, project := range []string{"", "errors", "all"} {
		for _, own := range []string{"", "errors", "all"} {
			for status, tt := range statuses {
				t.Run(fmt.Sprintf("project %q, pipeline %q: %s", project, own, status), func(t *testing.T) {
					t.Parallel()
					k := kindOf(tt.kind)
					text := k.project(tt.steps)
					if own != "" {
						text = strings.Replace(text, "pipeline: work\n", "pipeline: work\nhistory: "+own+"\n", 1)
					}
					if project != "" {
						text = strings.Replace(text, "project: shop\n", "project: shop\nhistory: "+project+"\n", 1)
					}
					r := enginetest.New(t, text)
					e, _ := k.run(r)
					policy := project
					if own != "" {
						policy = own
					}
					want := status == "failed" || status == "ok" && policy == "all"
					list := r.Executions("work")
					if e.Status != status || (len(list) == 1) != want {
						t.Errorf("it came to %s; kept are %+v", e.Status, list)
					}
					if recent := r.Runner.Recent.List(); len(recent) != 1 || recent[0].Status != status {
						t.Errorf("the recent ones are %+v", recent)
					}
				})
			}
		}
	}
}

// TestWhatAnExecutionsRecordSays: what it was, when, of what; nothing that is to be hidden.
func TestWhatAnExecutionsRecordSays(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[:4] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := enginetest.New(t, k.project("steps: [ { probe: { do: fail } } ]\n"))
			r.Probe.On("fail", func(context.Context, any) (any, error) {
				return nil, &pipelined.Problem{Type: "job/broken", Title: "Broken", Status: 502, Detail: "badly", Data: []byte(`{"password":"hush","n":1}`)}
			})
			a, _ := k.attempt(r)
			a.Number = 3
			e := r.Runner.Run(t.Context(), a)
			list := r.Executions("work")
			if len(list) != 1 {
				t.Fatalf("%d are kept", len(list))
			}
			x := list[0]
			want := store.Execution{ID: e.ID, Pipeline: "work", Revision: a.Revision.Revision, Trigger: a.Trigger, Status: "failed",
				StartedAt: enginetest.Epoch, EndedAt: enginetest.Epoch, Attempt: 3, Problem: x.Problem, Input: x.Input}
			if a.Event != nil {
				want.EventID, want.EventType, want.Key = a.Event.ID, "job.new", "k-1"
			}
			if x != want {
				t.Errorf("kept is %+v\nwant    %+v", x, want)
			}
			if strings.Contains(x.Problem+x.Input, "hush") || !strings.Contains(x.Problem, `"badly"`) || k.name != "tick" && x.Input != `{"n":7,"password":"***"}` {
				t.Errorf("problem %s, input %s", x.Problem, x.Input)
			}
			if text := r.Logs.String(); strings.Contains(text, "hush") {
				t.Errorf("the log says %s", text)
			}
		})
	}
}

// TestALineOfAFailureSaysAllThereIs, for whoever reads only that.
func TestALineOfAFailureSaysAllThereIs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, rest string
		want       []string
	}{
		{"what failed", "steps:\n  - name: breaks\n    fail: { type: job/broken, title: Broken, status: 503, detail: badly }\n",
			[]string{"level=ERROR", "execution=id-0002", "trigger=event", "attempt=1", "step=breaks", "problem=job/broken", "status=503", `detail="step breaks: Broken: badly"`, "event=id-0001"}},
		{"in which pipeline that was called", "steps: [ { call: { pipeline: pricing } } ]\n-- pricing.yaml --\npipeline: pricing\nsteps:\n  - name: rates\n    fail: { type: rates/old }\n",
			[]string{"pipeline=work", "in=pricing", "step=rates"}},
		{"what a handler made of it, and what was first", "steps:\n" + broken + "on_error: [ { fail: { type: job/worse, title: Worse } } ]\n",
			[]string{"problem=job/worse", `cause="step fail@4: Broken"`}},
		{"what could not be undone", "steps:\n  - name: book\n    probe: { do: book }\n    compensate: [ { fail: { type: undo/failed, title: Not undone } } ]\n" + broken,
			[]string{"problem=job/broken", `note="a compensation failed: `, "Not undone"}},
		{"what handled it", "steps:\n" + broken + "on_error: [ { stop: true } ]\n", []string{"level=WARN", "handled_by=on_error"}},
		{"where it is recorded", "steps:\n" + broken + "on_failure: { collection: job_errors }\n", []string{"level=WARN", "handled_by=on_failure"}},
		{"the first of those that did", "steps:\n" + broken + "on_error: [ { stop: true } ]\non_failure: { collection: job_errors }\n", []string{"handled_by=on_error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := kindOf("delivery")
			r := enginetest.New(t, k.project(tt.rest))
			k.run(r)
			lines := failures(r)
			if len(lines) != 1 {
				t.Fatalf("%q", lines)
			}
			for _, want := range tt.want {
				if !strings.Contains(lines[0], want) {
					t.Errorf("%s is not in %s", want, lines[0])
				}
			}
		})
	}
}

// TestACompensationsFailureIsNotForCallers: it is in the record, and nowhere in the answer.
func TestACompensationsFailureIsNotForCallers(t *testing.T) {
	t.Parallel()
	k := kindOf("request")
	r := enginetest.New(t, k.project("steps:\n  - name: book\n    probe: { do: book }\n    compensate: [ { fail: { type: undo/failed, title: Not undone, detail: db.internal } } ]\n"+
		broken+"on_error: [ { respond: { problem: \"${{ error }}\" } } ]\n"))
	e, _ := k.run(r)
	if e.Reply == nil || strings.Contains(e.Reply.Body, "undone") || strings.Contains(e.Reply.Body, "db.internal") {
		t.Errorf("the caller gets %+v", e.Reply)
	}
	if e.Problem == nil || !strings.Contains(e.Problem.Note, "db.internal") || !strings.Contains(r.Executions("work")[0].Problem, "db.internal") {
		t.Errorf("the record says %+v", e.Problem)
	}
}

// TestRecent keeps the newest executions, newest first.
func TestRecent(t *testing.T) {
	t.Parallel()
	k := kindOf("request")
	r := enginetest.New(t, k.project("steps: [ { respond: { body: fine } } ]\n"))
	var last string
	const runs = 600
	for range runs {
		a := r.Attempt("work", nothing{})
		last = r.Runner.Run(t.Context(), a).ID
	}
	list := r.Runner.Recent.List()
	if len(list) != 512 || list[0].ID != last {
		t.Fatalf("%d are kept, the first is %s", len(list), list[0].ID)
	}
	for i := range list[1:] {
		if list[i].ID <= list[i+1].ID {
			t.Errorf("%s comes before %s", list[i].ID, list[i+1].ID)
		}
	}
}

// TestCountersCountEventsThatEnteredTheLog, and not those that were there.
func TestCountersCountEventsThatEnteredTheLog(t *testing.T) {
	t.Parallel()
	r := enginetest.New(t, kindOf("manual").project("steps: [ { stop: true } ]\n"))
	for range 2 {
		ev := r.Event("job.new", "", "{}")
		ev.DedupeID = "once"
		r.Runner.Commit(t.Context(), &store.Batch{Events: []*pipelined.Event{ev, r.Event("job.old", "", "{}")}})
	}
	got := r.Runner.Counters.Published()
	if fmt.Sprint(got) != "map[job.new:1 job.old:2]" {
		t.Errorf("published are %v", got)
	}
	for range 2 { // a delayed one is a duplicate of what waits, and of what was published
		ev := r.Event("job.later", "", "{}")
		ev.DedupeID = "once"
		r.Runner.Commit(t.Context(), &store.Batch{Delayed: []store.DelayedEvent{{Event: ev, Due: r.Clock.Now().Add(time.Hour)}}})
	}
	if got := r.Runner.Counters.Duplicates(); fmt.Sprint(got) != "map[job.later:1 job.new:1]" {
		t.Errorf("duplicates are %v", got)
	}
	for _, typ := range []string{"job.later", "job.new"} {
		if lines := r.Logs.Lines("level=DEBUG", "publish.id was there", "event="+typ, "id=once"); len(lines) != 1 {
			t.Errorf("a duplicate of %s is %d lines:\n%s", typ, len(lines), r.Logs)
		}
	}
	c := &r.Runner.Counters
	c.Filtered("b")
	c.Expired("b")
	c.Missed("a", 3)
	c.Skipped("a")
	c.Took("a")
	want := []attempt.Stats{{Pipeline: "a", Taken: 1, MissedTicks: 3, SkippedTicks: 1}, {Pipeline: "b", Filtered: 1, Expired: 1}}
	if got := c.Stats(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted are %+v", got)
	}
}
