package step_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors"
)

// TestFail: the author's own error is what he wrote, at each place it is told.
func TestFail(t *testing.T) {
	t.Parallel()
	q := run(t, files("steps:\n  - fail: { type: \"order/${{ input.id }}\", title: \"T ${{ input.n }}\", status: \"${{ 400 + input.n }}\", detail: \"d ${{ input.text }}\", retriable: true }")).failed("order/a", 407)
	if q.Title != "T 7" || q.Detail != "d x" || !q.Retriable || !q.Own || !q.Rejected || q.Step != "fail@3" || q.Connector != "fail" {
		t.Errorf("it is told as %+v", q)
	}
	q = run(t, files("steps:\n  - fail: { type: order/plain }")).failed("order/plain", 500)
	if q.Title != "order/plain" || q.Detail != "" || q.Retriable || !q.Own || q.Rejected {
		t.Errorf("it is told as %+v", q)
	}
	for _, status := range []string{"399", "600", "\"${{ input.text }}\"", "\"${{ input.missing }}\""} {
		for _, key := range []string{"fail: { type: a/b, status: ", "assert: input.n == 8\nstatus: "} {
			end := map[bool]string{true: " }", false: ""}[strings.HasPrefix(key, "fail")]
			if q := run(t, files("steps:\n"+it(2, key+status+end))).failed(pipelined.TypeExpression, 500); !strings.Contains(q.Title, "status is not 400 to 599") || q.Rejected {
				t.Errorf("%s%s: %+v", key, status, q)
			}
		}
	}
}

func TestAssert(t *testing.T) {
	t.Parallel()
	q := run(t, files("steps:\n"+it(2, "assert: input.n > 7"))).failed(pipelined.TypeAssert, 500)
	if q.Detail != "input.n > 7 is false" || q.Own || q.Rejected {
		t.Errorf("it is told as %+v", q)
	}
	q = run(t, files("steps:\n"+it(2, "assert: input.n > 7\nmessage: \"n is ${{ input.n }}\"\nstatus: 422"))).failed(pipelined.TypeAssert, 422)
	if q.Detail != "n is 7" || !q.Own || !q.Rejected {
		t.Errorf("it is told as %+v", q)
	}
	run(t, files("steps:\n"+it(2, "assert: input.n\nstatus: 422"))).failed(pipelined.TypeExpression, 500)
}

func TestDelay(t *testing.T) {
	t.Parallel()
	for delay, want := range map[string]time.Duration{"250ms": 250 * time.Millisecond, "0s": 0, "\"${{ string(input.n) }}s\"": 7 * time.Second, "\"${{ duration('2m') }}\"": 2 * time.Minute} {
		if p := run(t, files("steps:\n  - delay: "+delay)).ok(); p.took() != want {
			t.Errorf("%s took %s", delay, p.took())
		}
	}
}

// TestLog: level, text, fields without what is redacted; what is not logged is not
// evaluated either.
func TestLog(t *testing.T) {
	t.Parallel()
	p := run(t, "-- pipelined.yaml --\nproject: shop\nredact: [password]\n-- work.yaml --\npipeline: work\nsteps:\n"+
		list(2, "log: { level: warn, message: \"n is ${{ input.n }}\", fields: { password: hush, deep: { password: hush }, n: \"${{ input.n }}\" } }")+
		list(2, "log: { message: plain }")+list(2, "log: { level: error, message: bad }")+list(2, "log: { level: debug, message: fine }")).ok()
	lines := p.Logs.Lines("level=WARN", "n is 7", "pipeline=work", "execution="+p.ID, `\"n\":7`)
	if len(lines) != 1 || strings.Contains(p.Logs.String(), "hush") || strings.Count(lines[0], "***") != 2 {
		t.Errorf("the log is\n%s", p.Logs)
	}
	for _, want := range []string{"level=INFO msg=plain", "level=ERROR msg=bad", "level=DEBUG msg=fine"} {
		if len(p.Logs.Lines(want)) != 1 {
			t.Errorf("there is no %s in\n%s", want, p.Logs)
		}
	}
}

// TestSwitch: the first case whose condition holds runs, and no other is looked at.
func TestSwitch(t *testing.T) {
	t.Parallel()
	cases := func(n string) string {
		return "  - switch:\n      - { when: " + n + " > 10, steps: [ { probe: { do: say, with: large } } ] }\n      - { when: " + n + " > 5, steps: [ { probe: { do: say, with: middle } } ] }\n" +
			"      - { when: 1 / input.zero > 0 and " + n + " > 0, steps: [] }\n      - else: [ { probe: { do: say, with: small } } ]\n"
	}
	check(t, "", []says{
		{"the first", cases("20"), `"large"`}, {"the second", cases("7"), `"middle"`}, {"fails at a condition that is looked at", cases("1"), ""},
		{"else", "  - switch: [ { when: input.n == 8, steps: [] }, { else: [ { probe: { do: say, with: 1 } } ] } ]\n", "1"},
		{"none", "  - switch: [ { when: input.n == 8, steps: [ { probe: { do: say, with: 1 } } ] } ]\n" + say(2, "2"), "2"},
		{"a result of a case is seen after it", "  - switch: [ { when: input.n == 7, steps: [ { name: got, probe: { do: echo, with: 3 } } ] }, { else: [ { name: other, probe: { do: echo, with: 4 } } ] } ]\n" + say(2, "[steps.got, steps.other]"), "[3,null]"},
	})
}

// TestLoops: while tests before a turn and until after it; both say what their turns gave.
func TestLoops(t *testing.T) {
	t.Parallel()
	const turn = "      - set: { n: \"${{ (vars.n ?? 0) + 1 }}\" }\n      - { name: got, probe: { do: echo, with: \"${{ [vars.n, index] }}\" } }\n"
	check(t, "", []says{
		{"while", "  - name: it\n    while: (vars.n ?? 0) < 3\n    steps:\n" + turn + say(2, "[steps.it.total, map(steps.it.items, .got)]"), "[3,[[1,0],[2,1],[3,2]]]"},
		{"while that never holds", "  - name: it\n    while: input.n == 8\n    steps: [ { probe: { do: say, with: 1 } } ]\n" + say(2, "steps.it"), `{"items":[],"total":0}`},
		{"until", "  - name: it\n    until: vars.n == 3\n    steps:\n" + turn + say(2, "steps.it.total"), "3"},
		{"until runs once", "  - name: it\n    until: \"true\"\n    steps:\n" + turn + say(2, "steps.it.total"), "1"},
		{"until sees the turn's results", "  - name: it\n    until: steps.got[0] == 2\n    steps:\n" + turn + say(2, "steps.it.total"), "2"},
		{"as often as max_iterations", "  - name: it\n    until: vars.n == 3\n    max_iterations: 3\n    steps:\n" + turn + say(2, "steps.it.total"), "3"},
		{"fails at one more", "  - name: it\n    while: \"true\"\n    max_iterations: 2\n    steps:\n      - probe: { do: say, with: \"${{ index }}\" }\n", "0 1"},
		{"nested, the index is the outer one again", "  - until: \"true\"\n    steps:\n      - until: index == 2\n        steps: []\n" + say(6, "index"), "0"},
	})
	q := run(t, files("steps:\n"+it(2, "until: input.n == 8\nmax_iterations: 2\nsteps: []"))).failed(pipelined.TypeIterations, 500)
	if q.Detail != "max_iterations is 2 and not (input.n == 8) still holds" {
		t.Errorf("it is told as %+v", q)
	}
}

// TestRetryWaits as its policy says, at least as long as a server asked for, and asks
// retry.when of the failure at hand.
func TestRetryWaits(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		retry string
		after time.Duration // what the service asks for
		took  time.Duration
		calls int
	}{
		"constant":                {"attempts: 4, backoff: constant, initial: 10s, jitter: none", 0, 30 * time.Second, 4},
		"exponential":             {"attempts: 4, initial: 10s, max: 1h, jitter: none", 0, 70 * time.Second, 4},
		"at most max":             {"attempts: 4, initial: 10s, max: 15s, jitter: none", 0, 40 * time.Second, 4},
		"jitter":                  {"attempts: 3, backoff: constant, initial: 10s, jitter: full", 0, 10 * time.Second, 3},
		"as the service asks":     {"attempts: 2, backoff: constant, initial: 1s, max: 1h, jitter: none", time.Minute, time.Minute, 2},
		"not longer than max":     {"attempts: 2, backoff: constant, initial: 1s, max: 30s, jitter: none", time.Minute, 30 * time.Second, 2},
		"one try":                 {"attempts: 1", 0, 0, 1},
		"when says no":            {"attempts: 4, when: error.status == 500", 0, 0, 1},
		"when says no, later":     {"attempts: 9, backoff: constant, initial: 1s, jitter: none, when: error.attempt < 3", 0, 2 * time.Second, 3},
		"when asks of the answer": {"attempts: 2, backoff: constant, initial: 1s, jitter: none, when: error.data.busy", 0, time.Second, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := stage(t, files("steps:\n"+it(2, "probe: { do: busy }\nretry: { "+tt.retry+" }")))
			p.Probe.On("busy", func(context.Context, any) (any, error) {
				q := pipelined.NewProblem("probe/busy", "Busy", 503, "").Transient()
				q.RetryAfter, q.Data = tt.after, []byte(`{"busy":true}`)
				return nil, q
			})
			q := p.again(0).failed("probe/busy", 503)
			if p.took() != tt.took || p.Probe.Calls("busy") != tt.calls || q.Attempt != tt.calls {
				t.Errorf("%d calls took %s, told is attempt %d", p.Probe.Calls("busy"), p.took(), q.Attempt)
			}
		})
	}
	p := run(t, files("steps:\n"+it(2, "probe: { do: fail }\nretry: { attempts: 3, when: 1 / input.zero > 0 }")))
	if q := p.failed(pipelined.TypeExpression, 500); q.Cause == nil || q.Cause.Detail != "the probe fails" {
		t.Errorf("a retry.when that fails hides what failed: %s", p.outcome())
	}
	p = run(t, files("steps:\n"+it(2, "fail: { type: a/b }\nretry: { attempts: 3 }")))
	if p.failed("a/b", 500); p.took() != 0 {
		t.Error("what is not retriable was tried again")
	}
}

// TestACompensationRunsForWhatSucceeded, last first, with the values of its time; one that
// fails keeps no other from running, and its text reaches nobody.
func TestACompensationRunsForWhatSucceeded(t *testing.T) {
	t.Parallel()
	undo := func(what string) string {
		return "probe: { do: echo, with: " + what + " }\ncompensate:\n" + list(0, "probe: { do: say, with: \"${{ [steps."+what+", vars.v, error.type] }}\" }")
	}
	p := run(t, files("steps:\n  - set: { v: 1 }\n"+list(2, "name: a\n"+undo("a"))+"  - set: { v: 2 }\n"+list(2, "name: b\n"+undo("b")+list(0, "fail: { type: undo/broken, detail: inner }"))+
		list(2, "name: skipped\nwhen: input.n == 8\n"+undo("skipped"))+"  - set: { v: 3 }\n  - fail: { type: a/late }\n"+list(2, "name: never\n"+undo("never")))+"on_error: [ { probe: { do: say, with: handler } } ]\n")
	q := p.failed("a/late", 500)
	if want := `["b",2,"a/late"] ["a",1,"a/late"] "handler"`; strings.Join(p.said, " ") != want {
		t.Errorf("said is %v, want %s", p.said, want)
	}
	if !strings.Contains(q.Note, "a compensation failed: ") || strings.Contains(q.Detail, "inner") || len(p.Logs.Lines("a compensation failed", "step=b", "undo/broken")) != 1 {
		t.Errorf("it is told as %s\n%s", p.outcome(), p.Logs)
	}
	p = run(t, files("steps:\n  - set: { v: 1 }\n"+list(2, "name: a\n"+undo("a")+"retry: { attempts: 2 }\n")+"  - try: [ { fail: { type: a/b } } ]\n    catch: []\n")).ok()
	if len(p.said) > 0 {
		t.Errorf("a flow that ended well is undone: %v", p.said)
	}
}

// TestAConnectorIsToldOfItsCall, and what it says is outside is told as such.
func TestAConnectorIsToldOfItsCall(t *testing.T) {
	t.Parallel()
	p := stage(t, files("steps:\n  - foreach: \"[1]\"\n    steps:\n"+it(6, "probe: { do: look }")))
	var got connectors.Call
	p.Probe.On("look", func(ctx context.Context, _ any) (any, error) {
		got = connectors.CallOf(ctx)
		return nil, errors.New("away")
	})
	q := p.again(0).failed(pipelined.TypeInternal, 500)
	want := connectors.Call{Run: p.ID, Event: "e-1", Pipeline: "work", Step: "it", Attempt: 1, Idempotency: "e-1/work/it/0"}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || !q.Outside || q.Told() != 502 {
		t.Errorf("it was told %+v, want %+v; %s", got, want, p.outcome())
	}
}
