package step_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pipelined/engine/execution"
	"pipelined/internal/value"
)

func TestForeach(t *testing.T) {
	t.Parallel()
	const named = "    steps: [ { name: got, probe: { do: echo, with: \"${{ [item, index] }}\" } } ]\n"
	for _, c := range []string{"", "    concurrency: 2\n"} {
		check(t, "", []says{
			{"a list" + c, "  - name: it\n    foreach: input.list\n" + c + named + say(2, "map(steps.it.items, .got)"), "[[1,0],[2,1],[3,2]]"},
			{"a map, by name" + c, "  - name: it\n    foreach: '({b: 2, a: 1})'\n" + c + named + say(2, "map(steps.it.items, [.got[0].key, .got[0].value])"), `[["a",1],["b",2]]`},
			{"null has no elements" + c, "  - name: it\n    foreach: input.missing\n" + c + named + say(2, "steps.it"), `{"failed":0,"items":[],"succeeded":0,"total":0}`},
			{"a stream keeps counts alone" + c, "  - name: s\n    probe: { do: stream, with: [4, 5] }\n  - name: it\n    foreach: steps.s.rows\n" + c + named + say(2, "steps.it"), `{"failed":0,"succeeded":2,"total":2}`},
			{"on_item_error" + c, "  - name: it\n    foreach: input.list\n" + c + "    on_item_error: continue\n    steps: [ { name: got, probe: { do: echo, with: \"${{ item }}\" } }, { when: item == 2, fail: { type: item/bad } } ]\n" +
				say(2, "[steps.it.total, steps.it.succeeded, steps.it.failed, map(steps.it.items, .error.type ?? .got)]"), `[3,2,1,[1,"item/bad",3]]`},
			{"a result of the turn before is gone" + c, "  - name: it\n    foreach: input.list\n" + c + "    steps: [ { name: got, when: item == 1, probe: { do: echo, with: \"${{ item }}\" } } ]\n" + say(2, "map(steps.it.items, .got)"), "[1,null,null]"},
		})
	}
	check(t, "", []says{
		{"nested, by the names of as", "  - foreach: input.list\n    as: a\n    steps:\n      - foreach: \"[10, 20]\"\n        as: b\n        steps: [ { when: a == 2, probe: { do: say, with: \"${{ a + b + index }}\" } } ]\n", "12 23"},
		{"the item of the outer loop is back", "  - foreach: \"[1]\"\n    steps:\n      - foreach: \"[9]\"\n        steps: []\n" + say(6, "[item, index]"), "[1,0]"},
		{"stop ends the flow", "  - foreach: input.list\n    steps: [ { probe: { do: say, with: \"${{ item }}\" } }, { stop: true } ]\n" + say(2, "'after'"), "1"},
		{"fails at the first turn that fails", "  - foreach: input.list\n    steps: [ { probe: { do: say, with: \"${{ item }}\" } }, { when: item == 2, fail: { type: a/b } } ]\n", "1 2"},
	})
}

// TestTurnsThatFailLeaveNothing, and those beside them all of theirs, in the order of the
// input, whichever turn was faster.
func TestTurnsThatFailLeaveNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []int{1, 2, 8} {
		p := run(t, files(fmt.Sprintf(`steps:
  - foreach: 1..6
    concurrency: %d
    on_item_error: continue
    steps:
      - publish: { event: job.done, id: "e${{ item }}", data: "${{ item }}" }
      - object_store.put: { collection: out, id: "d${{ item }}", document: {} }
      - delay: "${{ string(7 - item) }}s"
      - { when: item %% 2 == 0, fail: { type: item/even } }
`, c))).ok()
		var ids []string
		for _, ev := range p.Room.Events("job.done") {
			ids = append(ids, ev.ID)
		}
		docs := p.Documents("out")
		if fmt.Sprint(ids) != "[e1 e3 e5]" || len(docs) != 3 || docs["d1"] == nil || docs["d3"] == nil || docs["d5"] == nil {
			t.Errorf("concurrency %d: events %v, documents %v", c, ids, docs)
		}
		if n := len(p.Logs.Lines("a turn of foreach failed", "problem=item/even")); n != 3 {
			t.Errorf("%d lines tell of three turns", n)
		}
	}
}

// TestAsManyTurnsAtATimeAsItSays, and no more.
func TestAsManyTurnsAtATimeAsItSays(t *testing.T) {
	t.Parallel()
	for c, want := range map[int]time.Duration{1: 6 * time.Minute, 2: 3 * time.Minute, 4: 2 * time.Minute, 100: time.Minute} {
		p := run(t, files(fmt.Sprintf("steps:\n  - foreach: 1..6\n    concurrency: %d\n    steps: [ { delay: 1m } ]\n", c))).ok()
		if p.took() != want {
			t.Errorf("six minutes, %d at a time, took %s", c, p.took())
		}
	}
}

// TestATurnThatFailsCancelsTheOthers and no further one is begun; the first that failed is
// told.
func TestATurnThatFailsCancelsTheOthers(t *testing.T) {
	t.Parallel()
	p := run(t, files("steps:\n  - foreach: 1..100\n    concurrency: 3\n    steps:\n      - probe: { do: say, with: \"${{ item }}\" }\n      - { when: item == 2, delay: 1s }\n      - { name: bad, when: item == 2, fail: { type: item/bad } }\n      - delay: 1h\n"))
	p.failed("item/bad", 500)
	if p.took() != time.Second || len(p.said) != 3 {
		t.Errorf("after %s, %d turns were begun", p.took(), len(p.said))
	}
}

// TestASourceThatFailsEndsTheLoop: what it gave before is not the whole; turns under way
// are cut off and waited for.
func TestASourceThatFailsEndsTheLoop(t *testing.T) {
	t.Parallel()
	for _, c := range []int{1, 2} {
		for _, more := range []string{"", "    on_item_error: continue\n"} {
			p := run(t, files(fmt.Sprintf("steps:\n  - name: s\n    probe: { do: stream, with: [1, 2, fail, 3] }\n  - name: it\n    foreach: steps.s.rows\n    concurrency: %d\n%s    steps: [ { object_store.put: { collection: out, document: {} } } ]\n", c, more)))
			if q := p.failed("engine/internal", 500); q.Step != "it" || p.left("out") != "{}" {
				t.Errorf("concurrency %d %s: it is told as %s and left %s", c, more, p.outcome(), p.left("out"))
			}
		}
	}
}

// TestTurnsOnTheMachine: on real goroutines the result is the same.
func TestTurnsOnTheMachine(t *testing.T) {
	t.Parallel()
	p := stage(t, files("steps:\n  - name: it\n    foreach: 1..200\n    concurrency: 8\n    steps: [ { name: got, probe: { do: spin, with: \"${{ item }}\" } } ]\n"+say(2, "map(steps.it.items, .got) == (1..200)")))
	p.Runner.Host = execution.Machine{Clock: p.Clock}
	p.Probe.On("spin", func(_ context.Context, with any) (any, error) { return with, nil })
	a := p.Attempt("work", cause{})
	a.Input = value.Raw(input)
	p.Ending = p.Runner.Run(p.Context(), a)
	if p.Status != "ok" || fmt.Sprint(p.said) != "[true]" {
		t.Errorf("it ended %s, said %v", p.outcome(), p.said)
	}
}
