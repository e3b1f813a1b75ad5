package engine_test

import (
	"strings"
	"testing"
)

// flow is a pipeline that answers POST /run; %s is its steps.
const flow = `pipeline: flow
trigger:
  http: { method: POST, path: /run }
steps:
`

func TestControlFlow(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, steps, input, want string }{
		{"set assigns in order, each seeing the ones before", `
  - set: { a: 1, b: "${{ vars.a + 1 }}" }
  - respond: { body: { b: "${{ vars.b }}" } }
`, `{}`, `{"b":2}`},
		{"a step whose when is false has the result null", `
  - name: skipped
    when: input.n > 10
    json.parse: { text: "[1]" }
  - respond: { body: { r: "${{ steps.skipped }}" } }
`, `{"n":1}`, `{"r":null}`},
		{"switch takes the first case that holds", `
  - switch:
      - when: input.n > 10
        steps: [ { set: { lane: big } } ]
      - when: input.n > 1
        steps: [ { set: { lane: middle } } ]
      - else: [ { set: { lane: small } } ]
  - respond: { body: "${{ vars.lane }}" }
`, `{"n":5}`, `"middle"`},
		{"switch without a match and without else does nothing", `
  - switch:
      - when: input.n > 10
        steps: [ { respond: { body: big } } ]
  - respond: { body: none }
`, `{"n":5}`, `"none"`},
		{"foreach gathers each turn's named results in input order", `
  - name: all
    foreach: input.list
    as: x
    steps:
      - name: half
        json.parse: { text: "${{ toJSON(x / 2) }}" }
  - respond: { body: { items: "${{ map(steps.all.items, .half) }}", total: "${{ steps.all.total }}" } }
`, `{"list":[4,2]}`, `{"items":[2,1],"total":2}`},
		{"a concurrent foreach keeps input order too", `
  - name: all
    foreach: 1..50
    as: x
    concurrency: 8
    steps:
      - name: v
        json.parse: { text: "${{ string(x * 2) }}" }
  - respond: { body: { ok: "${{ map(steps.all.items, .v) == map(1..50, # * 2) }}", n: "${{ steps.all.succeeded }}" } }
`, `{}`, `{"ok":true,"n":50}`},
		{"foreach over a map gives key and value in document order", `
  - set: { s: "" }
  - foreach: input.m
    as: e
    steps:
      - set: { s: "${{ vars.s }}${{ e.key }}=${{ e.value }};" }
  - respond: { body: "${{ vars.s }}" }
`, `{"m":{"z":1,"a":2}}`, `"z=1;a=2;"`},
		{"a failed turn that is survived is counted and leaves no effects", `
  - name: all
    foreach: input.list
    as: x
    on_item_error: continue
    steps:
      - object_store.put: { collection: seen, id: "${{ string(x) }}", document: { x: "${{ x }}" } }
      - when: x == 2
        fail: { type: demo/two }
  - name: n
    object_store.count: { collection: seen }
  - respond: { body: { failed: "${{ steps.all.failed }}", kept: "${{ steps.n.count }}", why: "${{ steps.all.items[1].error.type }}" } }
`, `{"list":[1,2,3]}`, `{"failed":1,"kept":2,"why":"demo/two"}`},
		{"while tests before, until after", `
  - set: { n: 0, m: 0 }
  - while: vars.n < 3
    steps: [ { set: { n: "${{ vars.n + 1 }}" } } ]
  - until: true
    steps: [ { set: { m: "${{ vars.m + 1 }}" } } ]
  - respond: { body: [ "${{ vars.n }}", "${{ vars.m }}" ] }
`, `{}`, `[3,1]`},
		{"until may use what its turn found", `
  - set: { n: 0 }
  - until: steps.page.last
    steps:
      - set: { n: "${{ vars.n + 1 }}" }
      - name: page
        json.parse: { text: "${{ toJSON({last: vars.n == 3}) }}" }
  - respond: { body: "${{ vars.n }}" }
`, `{}`, `3`},
		{"parallel joins and gives a result per branch", `
  - name: both
    parallel:
      left: [ { name: a, json.parse: { text: "1" } } ]
      right: [ { name: b, json.parse: { text: "2" } } ]
  - respond: { body: "${{ steps.both.left.a + steps.both.right.b }}" }
`, `{}`, `3`},
		{"a variable set in a branch of parallel is that branch's own", `
  - set: { v: before }
  - parallel:
      one: [ { set: { v: inside } } ]
  - respond: { body: "${{ vars.v }}" }
`, `{}`, `"before"`},
		{"catch sees the error, finally always runs, effects of the body are dropped", `
  - set: { trace: "" }
  - try:
      - object_store.put: { collection: tried, id: x, document: { a: 1 } }
      - name: broken
        fail: { type: demo/broken, title: Broken, status: 418 }
    catch:
      - set: { trace: "${{ error.type }} ${{ error.status }} ${{ error.step }}" }
    finally:
      - set: { trace: "${{ vars.trace }} done" }
  - name: n
    object_store.count: { collection: tried }
  - respond: { body: { trace: "${{ vars.trace }}", n: "${{ steps.n.count }}" } }
`, `{}`, `{"trace":"demo/broken 418 broken done","n":0}`},
		{"on_error: continue gives null and a readable error", `
  - name: risky
    json.parse: { text: "{" }
    on_error: continue
  - respond: { body: { r: "${{ steps.risky }}", e: "${{ steps.risky.error.type != nil }}" } }
`, `{}`, `{"r":null,"e":true}`},
		{"a step's on_error steps run with the error in scope and the flow goes on", `
  - fail: { type: demo/x }
    on_error:
      - set: { what: "${{ error.type }}" }
  - respond: { body: "${{ vars.what }}" }
`, `{}`, `"demo/x"`},
		{"stop ends the flow successfully", `
  - respond: { body: early }
  - when: input.n == 1
    stop: true
  - respond: { body: late }
`, `{"n":1}`, `"early"`},
		{"reads see the execution's own writes", `
  - object_store.put: { collection: c, id: a, document: { n: 1 } }
  - object_store.update: { collection: c, id: a, merge: { m: 2 } }
  - name: got
    object_store.get: { collection: c, id: a }
  - name: found
    object_store.find: { collection: c, where: doc.m == 2 }
  - respond: { body: [ "${{ steps.got.n }}", "${{ steps.got.m }}", "${{ steps.found.count }}" ] }
`, `{}`, `[1,2,1]`},
		{"numbers nobody computes on leave as they came", `
  - respond: { body: { big: "${{ input.big }}", dec: "${{ input.dec }}", all: "${{ input }}" } }
`, `{"big":9007199254740993,"dec":1.10}`, `{"big":9007199254740993,"dec":1.10,"all":{"big":9007199254740993,"dec":1.10}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := start(t, flow+strings.TrimPrefix(tt.steps, "\n")).run(tt.input)
			if strings.Contains(tt.name, "leave as they came") {
				if got != tt.want {
					t.Errorf("got %s, want %s byte for byte", got, tt.want)
				}
				return
			}
			same(t, got, tt.want)
		})
	}
}

func TestFailuresAnswerWithAProblem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, steps, input string
		status             int
		contains, lacks    string
	}{
		{"the author's own failure is told with its detail", `
  - fail: { type: order/rejected, title: Rejected, status: 422, detail: "order ${{ input.id }}" }
`, `{"id":"o-1"}`, 422, `order o-1`, ""},
		{"details of the inside stay inside", `
  - set: { x: "${{ input.a.b / 0 }}" }
`, `{"a":{"b":7}}`, 500, `"status":500`, "input.a.b"},
		{"a loop that does not end is an error", `
  - while: true
    max_iterations: 5
    steps: [ { set: { n: 1 } } ]
`, `{}`, 500, `"status":500`, ""},
		{"an assertion that does not hold is an error with its message", `
  - assert: input.n > 0
    message: n must be positive
`, `{"n":0}`, 500, "", "no such"},
		{"a variable that was not set is an error", `
  - when: input.n == 1
    set: { v: 1 }
  - respond: { body: "${{ vars.v }}" }
`, `{"n":2}`, 500, `"status":500`, ""},
		{"a body that is not JSON never reaches the flow", `
  - respond: { body: 1 }
`, `{"a":`, 400, "line 1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := start(t, flow+strings.TrimPrefix(tt.steps, "\n")).post("/run", tt.input)
			if a.status != tt.status || a.header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("status %d, type %s: %s", a.status, a.header.Get("Content-Type"), a.body)
			}
			if !strings.Contains(a.body, tt.contains) {
				t.Errorf("%s lacks %q", a.body, tt.contains)
			}
			if tt.lacks != "" && strings.Contains(a.body, tt.lacks) {
				t.Errorf("%s tells %q", a.body, tt.lacks)
			}
		})
	}
}

func TestPipelineCallsAnother(t *testing.T) {
	t.Parallel()
	h := start(t, `-- outer.yaml --
pipeline: outer
trigger:
  http: { method: POST, path: /run }
steps:
  - name: priced
    call: { pipeline: inner, with: { lines: "${{ input.lines }}" } }
  - respond: { body: { total: "${{ steps.priced.total }}" } }
-- inner.yaml --
pipeline: inner
steps:
  - object_store.put: { collection: calls, id: one, document: { n: 1 } }
  - respond: { body: { total: "${{ sum(input.lines) }}" } }
`)
	same(t, h.run(`{"lines":[1,2,3]}`), `{"total":6}`)
	if n := len(h.docs("calls")); n != 1 {
		t.Errorf("the called pipeline's effects: %d documents", n)
	}
}

func TestFailedFlowLeavesNoEffectsButThoseOfOnError(t *testing.T) {
	t.Parallel()
	h := start(t, flow+`
  - object_store.put: { collection: c, id: flow, document: { a: 1 } }
  - publish: { event: thing.done }
  - fail: { type: demo/end, status: 409 }
on_error:
  - object_store.put: { collection: c, id: handler, document: { why: "${{ error.type }}" } }
  - publish: { event: thing.failed }
  - respond: { status: 409, body: { handled: true } }
`)
	a := h.post("/run", `{}`)
	if a.status != 409 || a.body != `{"handled":true}` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	docs := h.docs("c")
	if len(docs) != 1 || docs[0]["why"] != "demo/end" {
		t.Errorf("documents: %v", docs)
	}
	if n := len(h.events("thing.done")); n != 0 {
		t.Errorf("%d events of the failed flow are in the log", n)
	}
	if n := len(h.events("thing.failed")); n != 1 {
		t.Errorf("%d events of on_error are in the log", n)
	}
}

func TestCompensationsRunLastFirstBeforeOnError(t *testing.T) {
	t.Parallel()
	h := start(t, flow+`
  - name: first
    json.parse: { text: "1" }
    compensate:
      - object_store.put: { collection: undone, id: "${{ uuid() }}", document: { step: first } }
  - name: second
    json.parse: { text: "2" }
    compensate:
      - object_store.put: { collection: undone, id: "${{ uuid() }}", document: { step: "second of ${{ steps.first }}" } }
  - fail: { type: demo/end, status: 409 }
on_error:
  - name: all
    object_store.find: { collection: undone }
  - respond: { status: 200, body: "${{ map(steps.all.documents, .step) }}" }
`)
	same(t, h.post("/run", `{}`).body, `["second of 1","first"]`)
}
