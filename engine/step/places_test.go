package step_test

import (
	"fmt"
	"strings"
	"testing"

	"pipelined"
)

// place is somewhere a list of steps stands. project puts the list there; it is run once.
type place struct {
	name     string
	project  func(list string) string
	pipeline string // where its steps are; empty: work
	// What is told of a failure there: the failure itself; behind it, as its cause, what
	// was being dealt with; or, as a note, the compensation that failed.
	cause, note bool
	untimed     bool // no timeout cuts it off
}

// below is a pipeline's steps with a list in the place of %s, so far to the right.
func below(indentation int, text string) func(string) string {
	return func(list string) string {
		pad := strings.Repeat(" ", indentation)
		return files(strings.Replace(text, "%s", pad+strings.ReplaceAll(strings.TrimSuffix(list, "\n"), "\n", "\n"+pad), 1), called)
	}
}

// places are all there are.
var places = []place{
	{name: "the flow", project: below(2, "steps:\n%s")},
	{name: "a branch", project: below(8, "steps:\n  - parallel:\n      left:\n%s\n      right: [ { delay: 1ms } ]")},
	{name: "a turn", project: below(6, "steps:\n  - foreach: \"[1]\"\n    steps:\n%s")},
	{name: "a concurrent turn", project: below(6, "steps:\n  - foreach: \"[1]\"\n    concurrency: 3\n    steps:\n%s")},
	{name: "while", project: below(6, "steps:\n  - while: not (vars.once ?? false)\n    steps:\n      - set: { once: true }\n%s")},
	{name: "until", project: below(6, "steps:\n  - until: \"true\"\n    steps:\n%s")},
	{name: "a case", project: below(10, "steps:\n  - switch:\n      - when: \"true\"\n        steps:\n%s")},
	{name: "else", project: below(10, "steps:\n  - switch:\n      - else:\n%s")},
	{name: "try", project: below(6, "steps:\n  - finally: []\n    try:\n%s")},
	{name: "finally", untimed: true, project: below(6, "steps:\n  - try: []\n    finally:\n%s")},
	{name: "catch", cause: true, project: below(6, "steps:\n  - try: [ { name: first, fail: { type: job/first } } ]\n    catch:\n%s")},
	{name: "finally after a failure", cause: true, untimed: true, project: below(6, "steps:\n  - try: [ { name: first, fail: { type: job/first } } ]\n    finally:\n%s")},
	{name: "on_error of a step", cause: true, project: below(6, "steps:\n  - name: first\n    fail: { type: job/first }\n    on_error:\n%s")},
	{name: "on_error of the pipeline", cause: true, project: below(2, "steps: [ { name: first, fail: { type: job/first } } ]\non_error:\n%s")},
	{name: "compensate", note: true, project: below(6, "steps:\n  - probe: { do: echo }\n    compensate:\n%s\n  - { name: first, fail: { type: job/first } }")},
	{name: "a called pipeline", pipeline: "sub", project: below(2, "steps: [ { call: { pipeline: sub } } ]\n-- sub.yaml --\npipeline: sub\nsteps:\n%s")},
	{name: "on_error of a called pipeline", pipeline: "sub", cause: true, project: below(2, "steps: [ { call: { pipeline: sub } } ]\n-- sub.yaml --\npipeline: sub\nsteps: [ { name: first, fail: { type: job/first } } ]\non_error:\n%s")},
}

// everywhere runs a test for each member, at each place.
func everywhere(t *testing.T, is func(member) bool, test func(t *testing.T, pl place, m member)) {
	t.Helper()
	for _, pl := range places {
		t.Run(pl.name, func(t *testing.T) {
			t.Parallel()
			for _, m := range members() {
				if is(m) {
					t.Run(m.key+" "+m.form, func(t *testing.T) { test(t, pl, m) })
				}
			}
		})
	}
}

func works(m member) bool  { return m.ok != "" && !m.ends }
func breaks(m member) bool { return m.fail != "" }
func lasts(m member) bool  { return m.slow != "" }

// TestAResultIsTheSameEverywhere: what a key does, and what its result is, does not hang on
// the place it stands at.
func TestAResultIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	everywhere(t, works, func(t *testing.T, pl place, m member) {
		p := stage(t, pl.project(it(0, m.ok)+list(0, "probe: { do: say, with: \"${{ steps.it }}\" }"))).furnished().again(0)
		if fmt.Sprint(p.said) != fmt.Sprint([]string{m.want}) {
			t.Errorf("the results are %v, want %s; it ended %s\n%s", p.said, m.want, p.outcome(), p.Logs)
		}
	})
}

// TestAFailureIsToldWhereItIs: pipeline, step, key and try are those of the step that
// failed, wherever it stands; what was being dealt with is its cause; nothing stays.
func TestAFailureIsToldWhereItIs(t *testing.T) {
	t.Parallel()
	everywhere(t, breaks, func(t *testing.T, pl place, m member) {
		p := stage(t, pl.project(it(0, m.fail))).furnished().again(0)
		if pl.note {
			q := p.failed("job/first", 500)
			if !strings.Contains(q.Note, "a compensation failed: step "+m.told()) || len(p.Logs.Lines("a compensation failed", "problem="+m.problem)) != 1 {
				t.Errorf("the note is %q\n%s", q.Note, p.Logs)
			}
		} else {
			m.isTold(p, pl)
		}
		if left := p.left("out", "slow", "c"); left != "{}" {
			t.Errorf("it left %s", left)
		}
	})
}

// told is the step that is told of the member's failure.
func (m member) told() string {
	if m.at == "" {
		return "it"
	}
	return m.at
}

func (m member) isTold(p *play, pl place) {
	p.Helper()
	q := p.failed(m.problem, m.status)
	want := pipelined.Problem{Pipeline: pl.pipeline, Step: m.told(), Connector: m.connector, Attempt: 1}
	if want.Pipeline == "" {
		want.Pipeline = "work"
	}
	if m.key == "call" {
		want.Pipeline = "bad"
	}
	if want.Connector == "" {
		want.Connector = m.key
	}
	got := pipelined.Problem{Pipeline: q.Pipeline, Step: q.Step, Connector: q.Connector, Attempt: q.Attempt}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		p.Errorf("it is told as %+v, want %+v", got, want)
	}
	last := q
	for last.Cause != nil {
		last = last.Cause
	}
	if pl.cause && (last.Type != "job/first" || last.Step != "first") {
		p.Errorf("what was being dealt with is not its cause: %s", p.outcome())
	}
}
