package step_test

import (
	"testing"
	"time"
)

const callees = `
-- sub.yaml --
pipeline: sub
steps:
  - set: { mine: "${{ input.n }}" }
  - respond: { body: { n: "${{ vars.mine }}" } }
-- silent.yaml --
pipeline: silent
steps: [ { log: { message: hi } } ]
-- stops.yaml --
pipeline: stops
steps: [ { respond: { body: 1 } }, { stop: true }, { respond: { body: 2 } } ]
-- handled.yaml --
pipeline: handled
steps:
  - object_store.put: { collection: out, id: body, document: {} }
  - fail: { type: sub/broken }
on_error:
  - object_store.put: { collection: out, id: handler, document: {} }
  - respond: { body: "${{ error.type }}" }
-- slow.yaml --
pipeline: slow
timeout: 1m
steps: [ { delay: 1h } ]
-- deep.yaml --
pipeline: deep
steps:
  - { when: input.n > 1, call: { pipeline: deep, with: { n: "${{ input.n - 1 }}" } } }
  - probe: { do: echo }
`

func TestCall(t *testing.T) {
	t.Parallel()
	check(t, callees, []says{
		{"with", "  - { name: it, call: { pipeline: sub, with: { n: 3 } } }\n" + say(2, "steps.it"), `{"n":3}`},
		{"the caller's input by default", "  - { name: it, call: { pipeline: sub } }\n" + say(2, "steps.it"), `{"n":7}`},
		{"null where nothing is responded", "  - { name: it, call: { pipeline: silent } }\n" + say(2, "steps.it"), "null"},
		{"the callee's variables are its own", "  - set: { mine: 1 }\n  - call: { pipeline: sub }\n" + say(2, "vars.mine"), "1"},
		{"stop ends the callee alone", "  - { name: it, call: { pipeline: stops } }\n" + say(2, "steps.it"), "1"},
		{"the callee's on_error is its own", "  - { name: it, call: { pipeline: handled } }\n" + say(2, "steps.it"), `"sub/broken"`},
		{"what it responds is not the caller's answer", "  - respond: { body: mine }\n  - call: { pipeline: sub }\n" + say(2, "1"), "1"},
		{"a timeout of the callee's is an error of the step", "  - { name: it, call: { pipeline: slow }, on_error: continue }\n" + say(2, "[steps.it.error.type, steps.it.error.retriable]"), `["engine/timeout",true]`},
		{"so deep", "  - { name: it, call: { pipeline: deep, with: { n: 32 } } }\n" + say(2, "'there'"), `"there"`},
		{"fails when it is too deep", "  - { name: it, call: { pipeline: deep, with: { n: 33 } } }\n" + say(2, "'there'"), ""},
	})
	p := run(t, files("steps:\n  - respond: { body: mine }\n  - call: { pipeline: handled }\n  - publish: { event: job.done, id: e1, data: 1 }", callees)).ok()
	if left := p.left("out"); left != `{"event e1":1,"out/handler":{}}` || p.Reply.Body != `"mine"` {
		t.Errorf("it left %s and answered %s", left, p.Reply.Body)
	}
	p = run(t, files("steps:\n  - call: { pipeline: slow }", callees))
	if q := p.failed("engine/timeout", 504); p.took() != time.Minute || q.Detail != "the limit of slow is 1m0s" {
		t.Errorf("after %s it ended %s", p.took(), p.outcome())
	}
	if q := run(t, files("steps:\n  - call: { pipeline: deep, with: { n: 99 } }", callees)).failed("engine/iterations", 500); q.Pipeline != "deep" {
		t.Errorf("it is told of %s", q.Pipeline)
	}
}
