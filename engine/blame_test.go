package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// blamed is what stands around the pipeline that fails.
const blamed = `-- pipelined.yaml --
project: shop
connections: { shop: { db: { driver: sqlite, path: shop.db, create: true } } }
-- refuses.yaml --
pipeline: refuses
steps: [ { fail: { type: shop/teapot, status: 418 } } ]
-- setup.yaml --
pipeline: setup
trigger: { http: { method: POST, path: /setup } }
steps: [ { db.exec: { connection: shop, sql: create table t (id integer primary key) } } ]
-- handler.yaml --
pipeline: handler
trigger: { error: { pipelines: [flow] } }
steps: [ { object_store.put: { collection: handled, document: { status: "${{ error.status }}", rejected: "${{ error.rejected }}" } } } ]
`

// TestWhoseFaultAFailureIs: a caller is told 4xx where the author or the trigger says so;
// what a service outside says is 502 (504, 503) to the caller, and is logged, kept and
// handled; what a pure step meets is 500.
func TestWhoseFaultAFailureIs(t *testing.T) {
	t.Parallel()
	const rest = "\n  - rest: { url: \"OUTSIDE\" }"
	tests := []struct {
		name, steps string
		answers     int    // of the service
		status      int    // that the caller is told
		error       string // error.status inside
		rejected    bool
	}{
		{name: "our key is wrong", steps: rest, answers: 401, status: 502, error: "401"},
		{name: "there is no such thing outside", steps: rest, answers: 404, status: 502, error: "404"},
		{name: "a conflict outside", steps: rest, answers: 409, status: 502, error: "409"},
		{name: "what we sent is wrong", steps: rest, answers: 422, status: 502, error: "422"},
		{name: "an error outside", steps: rest, answers: 500, status: 502, error: "500"},
		{name: "an outage", steps: rest, answers: 503, status: 503, error: "503"},
		{name: "a gateway's timeout", steps: rest, answers: 504, status: 504, error: "504"},
		{name: "nobody there", steps: "\n  - rest: { url: \"http://127.0.0.1:1/\" }", status: 502, error: "502"},
		{name: "a duplicate key", steps: "\n  - db.exec: { connection: shop, sql: insert into t values (1) }\n  - db.exec: { connection: shop, sql: insert into t values (1) }", status: 502, error: "409"},
		{name: "CSV that is none", steps: "\n  - csv.parse: { text: \"a,b\\n1\\n\", on_bad_row: fail }", status: 500, error: "422"},
		{name: "JSON that is none", steps: "\n  - json.parse: { text: \"{\" }", status: 500, error: "422"},
		{name: "a text as a document", steps: "\n  - object_store.put: { collection: c, document: \"${{ input.text }}\" }", status: 500, error: "400"},
		{name: "an expression", steps: "\n  - set: { x: \"${{ 1 / input.zero }}\" }", status: 500, error: "500"},
		{name: "an assertion", steps: "\n  - assert: input.zero == 1", status: 500, error: "500"},
		{name: "the author's 5xx", steps: "\n  - fail: { type: shop/closed, status: 503 }", status: 503, error: "503"},
		{name: "an id that exists", steps: "\n  - object_store.insert: { collection: c, id: a, document: {} }\n  - object_store.insert: { collection: c, id: a, document: {} }", status: 409, error: "409"},
		{name: "the author's 4xx", steps: "\n  - fail: { type: shop/empty, status: 422 }", status: 422, rejected: true},
		{name: "an assertion with a status", steps: "\n  - { assert: input.zero == 1, status: 400, message: not one }", status: 400, rejected: true},
		{name: "validate", steps: "\n  - validate: { value: \"${{ input }}\", schema: { type: object, required: [id] } }", status: 422, rejected: true},
		{name: "the author's 4xx in a pipeline that is called", steps: "\n  - call: { pipeline: refuses }", status: 418, rejected: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOutside(t)
			o.status.Store(int64(tt.answers))
			h := start(t, blamed+"-- run.yaml --\n"+flow+strings.ReplaceAll(tt.steps, "OUTSIDE", o.URL)+"\n")
			h.post("/setup", `{}`)
			a := h.post("/run", `{"zero":0,"text":"no object"}`)
			if a.status != tt.status {
				t.Errorf("the caller is told %d: %s", a.status, a.body)
			}
			h.settle()
			stats := h.stats("flow")
			lines := strings.Count(h.log.String(), "an execution failed")
			if tt.rejected {
				if stats.Rejected != 1 || stats.Failed != 0 || lines != 0 || len(h.docs("dead_letters")) != 0 {
					t.Errorf("%+v, %d lines, %v", stats, lines, h.docs("dead_letters"))
				}
				return
			}
			if stats.Failed != 1 || stats.Rejected != 0 || lines != 1 {
				t.Errorf("%+v, %d lines:\n%s", stats, lines, h.log)
			}
			if l := h.docs("dead_letters"); len(l) != 1 || fmt.Sprint(l[0]["error"].(map[string]any)["status"]) != tt.error {
				t.Errorf("kept: %v", l)
			}
			if d := h.docs("handled"); len(d) != 1 || fmt.Sprint(d[0]["status"]) != tt.error || d[0]["rejected"] != false {
				t.Errorf("handled: %v", d)
			}
		})
	}
}

// TestOnErrorAnswersWithWhatTheFailureComesTo: respond without a status takes the mapped
// one, an explicit one stands, and expressions see the service's own.
func TestOnErrorAnswersWithWhatTheFailureComesTo(t *testing.T) {
	t.Parallel()
	for respond, want := range map[string]string{
		`problem: "${{ error }}"`:                                   `502 {"title":"The service refused`,
		`body: { seen: "${{ error.status }}" }`:                     `502 {"seen":401}`,
		`status: 418, body: { seen: "${{ error.status }}" }`:        `418 {"seen":401}`,
		`status: 401, problem: "${{ error }}"`:                      `401 {`,
		`problem: { type: shop/away, title: Away, status: 424 }`:    `424 {`,
		`problem: { type: "${{ error.type }}", title: "The same" }`: `502 {`,
	} {
		t.Run(respond, func(t *testing.T) {
			t.Parallel()
			o := newOutside(t)
			o.status.Store(401)
			h := start(t, flow+"\n  - rest: { url: "+fmt.Sprintf("%q", o.URL)+" }\non_error:\n  - respond: { "+respond+" }\n")
			a := h.post("/run", `{}`)
			got := fmt.Sprintf("%d %s", a.status, a.body)
			if want, _, _ := strings.Cut(want, `"title"`); !strings.HasPrefix(got, want) {
				t.Errorf("got %s, want %s…", got, want)
			}
			if s := h.engine.View().Pipelines[0]; s.Failed != 1 || s.Handled != 1 {
				t.Errorf("%+v", s)
			}
			if text := h.log.String(); strings.Count(text, "an execution failed") != 1 || !strings.Contains(text, "handled_by=on_error") || !strings.Contains(text, "level=WARN") {
				t.Errorf("the log:\n%s", text)
			}
		})
	}
}

// TestAFailureIsOneLine, whatever handled it and whatever started it.
func TestAFailureIsOneLine(t *testing.T) {
	t.Parallel()
	for handled, tail := range map[string]string{
		"":              "",
		"on_error":      "on_error: [ { log: { message: handled } } ]\n",
		"on_failure":    "on_failure: { collection: failures }\n",
		"error trigger": "-- handler.yaml --\npipeline: handler\ntrigger: { error: {} }\nsteps: [ { log: { message: handled } } ]\n",
	} {
		t.Run("handled by "+handled, func(t *testing.T) {
			t.Parallel()
			h := start(t, "-- work.yaml --\npipeline: work\ntrigger: { event: { types: [job.new] } }\nsteps:\n  - name: breaks\n    fail: { type: job/broken, title: Broken, detail: badly }\n"+tail)
			h.publish("job.new", `{}`)
			h.settle()
			var lines []string
			for line := range strings.Lines(h.log.String()) {
				if strings.Contains(line, "an execution failed") {
					lines = append(lines, line)
				}
			}
			level := "level=WARN"
			if handled == "" {
				level = "level=ERROR"
			}
			if len(lines) != 1 || !strings.Contains(lines[0], level) || !strings.Contains(lines[0], "pipeline=work") ||
				!strings.Contains(lines[0], "step=breaks") || !strings.Contains(lines[0], "problem=job/broken") ||
				handled != "" && !strings.Contains(strings.ReplaceAll(lines[0], `"`, ""), "handled_by="+handled) {
				t.Errorf("%q", lines)
			}
		})
	}
}

// TestTheLastFailureIsGivenUpAtTheNextTick: an exhausted record does not wait out one more
// backoff.
func TestTheLastFailureIsGivenUpAtTheNextTick(t *testing.T) {
	t.Parallel()
	h := start(t, `-- work.yaml --
pipeline: work
trigger: { event: { types: [job.new] } }
steps: [ { fail: { type: job/broken } } ]
on_failure: { collection: job_errors }
-- again.yaml --
pipeline: again
trigger: { cron: { schedule: "@every 10s" } }
steps:
  - reprocess:
      collection: job_errors
      max_attempts: 3
      backoff: { kind: constant, initial: 1m }
      exhausted: [ { object_store.put: { collection: given_up, document: { at: "${{ string(now()) }}" } } } ]
`)
	h.publish("job.new", `{}`)
	for range 60 {
		h.advance(10*time.Second, 10*time.Second)
		d := h.docs("job_errors")[0]
		if d["attempts"] != 3.0 {
			continue
		}
		if d["next_attempt_at"] != d["last_failed_at"] {
			t.Errorf("the last failure waits: %v", d)
		}
		h.advance(10*time.Second, 10*time.Second)
		if d := h.docs("job_errors")[0]; d["status"] != "exhausted" || len(h.docs("given_up")) != 1 {
			t.Errorf("the tick after the last failure: %v", d)
		}
		return
	}
	t.Error("there was no third attempt")
}

// TestARepublishedEventKeepsItsTime: age is that of the first, whatever sent it again.
func TestARepublishedEventKeepsItsTime(t *testing.T) {
	t.Parallel()
	project := `-- work.yaml --
pipeline: work
trigger: { event: { types: [price.set], skip_stale: true } }
steps:
  - when: input.p == 1 and event.attempt == 1
    fail: { type: job/broken, retriable: true }
  - object_store.put: { collection: prices, id: one, document: { p: "${{ input.p }}" } }
on_failure: { collection: price_errors }
-- again.yaml --
pipeline: again
trigger: { cron: { schedule: "@every 10s" } }
steps:
  - reprocess: { collection: price_errors, max_attempts: 3, exhausted: [ { stop: true } ] }
-- set.yaml --
pipeline: set_price
trigger: { http: { method: POST, path: /set } }
steps: [ { publish: { event: price.set, key: one, data: "${{ input }}" } } ]
`
	h := start(t, project)
	h.post("/set", `{"p":1}`)
	h.settle()
	h.clock.Advance(time.Second)
	h.post("/set", `{"p":2}`)
	h.settle()
	h.advance(time.Minute, 10*time.Second)
	if d := h.docs("prices"); len(d) != 1 || d[0]["p"] != 2.0 {
		t.Errorf("the state went back: %v", d)
	}
	rec := h.docs("price_errors")
	if len(rec) != 1 || rec[0]["status"] != "discarded" || !strings.Contains(fmt.Sprint(rec[0]["history"]), "skip_stale") {
		t.Errorf("the record of what was dropped: %v", rec)
	}
}
