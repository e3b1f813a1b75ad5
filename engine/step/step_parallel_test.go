package step_test

import (
	"fmt"
	"testing"
	"time"
)

func TestParallel(t *testing.T) {
	t.Parallel()
	check(t, "", []says{
		{"the results of each branch", "  - name: it\n    parallel:\n      a: [ { name: one, probe: { do: echo, with: 1 } } ]\n      b: [ { name: two, probe: { do: echo, with: 2 } }, { delay: 1s } ]\n" + say(2, "steps.it"), `{"a":{"one":1},"b":{"two":2}}`},
		{"what was before is seen", "  - { name: first, probe: { do: echo, with: 5 } }\n  - parallel:\n      a:\n" + say(8, "steps.first"), "5"},
		{"fails of one that fails", "  - parallel: { a: [ { fail: { type: a/b } } ], b: [ { delay: 1h } ] }\n" + say(2, "'after'"), ""},
		{"goes on where the branch deals with it", "  - parallel: { a: [ { fail: { type: a/b }, on_error: continue }, { probe: { do: say, with: 1 } } ], b: [ { delay: 1h } ] }\n" + say(2, "2"), "1 2"},
	})
	p := run(t, files("steps:\n  - parallel: { a: [ { delay: 3m } ], b: [ { delay: 2m } ], c: [ { delay: 1m } ] }\n")).ok()
	if p.took() != 3*time.Minute {
		t.Errorf("three branches took %s", p.took())
	}
}

// TestEventsOfBranchesComeInWrittenOrder, whichever branch was faster.
func TestEventsOfBranchesComeInWrittenOrder(t *testing.T) {
	t.Parallel()
	p := run(t, files(`steps:
  - publish: { event: job.done, id: e0 }
  - parallel:
      a: [ { delay: 3m }, { publish: { event: job.done, id: e1 } } ]
      b: [ { publish: { event: job.done, id: e2 } }, { delay: 1m }, { publish: { event: job.done, id: e3 } } ]
  - publish: { event: job.done, id: e4 }
`)).ok()
	var ids []string
	for _, ev := range p.Room.Events("job.done") {
		ids = append(ids, ev.ID)
	}
	if fmt.Sprint(ids) != "[e0 e1 e2 e3 e4]" {
		t.Errorf("the events are %v", ids)
	}
}

// TestBranchesMeetAtOneDocument: no field is lost, and who came second is told, naming both.
func TestBranchesMeetAtOneDocument(t *testing.T) {
	t.Parallel()
	p := run(t, files(`steps:
  - object_store.put: { collection: out, id: d, document: {} }
  - parallel:
      a: [ { object_store.update: { collection: out, id: d, merge: { a: 1 } } } ]
      b: [ { object_store.update: { collection: out, id: d, merge: { b: 2 } } } ]
`)).ok()
	if left := p.left("out"); left != `{"out/d":{"a":1,"b":2}}` {
		t.Errorf("it left %s", left)
	}
	p = run(t, files(`steps:
  - parallel:
      a: [ { object_store.insert: { collection: out, id: d, document: {} } }, { delay: 1s } ]
      b: [ { delay: 1s }, { name: second, object_store.insert: { collection: out, id: d, document: {} } } ]
`))
	if q := p.failed("object_store/conflict", 409); q.Step != "second" {
		t.Errorf("it is told as %s", p.outcome())
	}
}

// TestSeveralBranchesEnd: a failure counts for more than a stop, and the first failure for
// more than those that its cancelling brings about.
func TestSeveralBranchesEnd(t *testing.T) {
	t.Parallel()
	for branches, want := range map[string]string{
		"a: [ { delay: 1s }, { stop: true } ], b: [ { delay: 2s }, { fail: { type: b/late } } ]":                                             "",
		"a: [ { delay: 2s }, { stop: true } ], b: [ { delay: 1s }, { fail: { type: b/early } } ]":                                            "b/early",
		"a: [ { delay: 1s }, { stop: true } ], b: [ { try: [ { delay: 1h } ], finally: [ { fail: { type: b/clean } } ] } ]":                  "b/clean",
		"a: [ { delay: 1s }, { fail: { type: a/first } } ], b: [ { try: [ { delay: 1h } ], catch: [ { fail: { type: b/second } } ] } ]":      "a/first",
		"a: [ { delay: 1s }, { fail: { type: a/first } } ], b: [ { delay: 1h, on_error: [ { fail: { type: b/second } } ] } ]":                "a/first",
		"a: [ { parallel: { x: [ { stop: true } ] } } ], b: [ { delay: 1h } ]":                                                               "",
		"a: [ { parallel: { x: [ { delay: 1s }, { fail: { type: x/deep } } ] } } ], b: [ { parallel: { y: [ { delay: 1h } ] } } ]":           "x/deep",
		"a: [ { name: slow, delay: 1h, timeout: 1s } ], b: [ { delay: 1h } ]":                                                                "engine/timeout",
		"a: [ { retry: { attempts: 9, initial: 1h, max: 1h, when: \"true\" }, fail: { type: a/b } } ], b: [ { delay: 1s }, { stop: true } ]": "",
	} {
		p := run(t, files("steps:\n  - parallel: { "+branches+" }\n"))
		if got := chain(p); got != want {
			t.Errorf("%s: it ended %s, want %q", branches, p.outcome(), want)
		}
	}
}
