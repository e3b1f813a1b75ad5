package engine_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pipelined/engine"
)

func TestStepsRetryInMemory(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if n := calls.Add(1); n < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, `{"ok":true}`)
	}))
	t.Cleanup(server.Close)
	h := start(t, flow+`
  - name: called
    rest: { url: "`+server.URL+`/x" }
    retry: { attempts: 3, backoff: constant, initial: 10s, jitter: none, when: error.status == 503 }
    timeout: 1m
  - respond: { body: "${{ steps.called.body }}" }
`)
	done := make(chan answer, 1)
	go func() { done <- h.request("POST", "/run", `{}`) }()
	for range 2 { // it waits on the clock between its tries
		for n, armed := h.clock.Timers(); n == 0; n, armed = h.clock.Timers() {
			<-armed
		}
		h.clock.Advance(10 * time.Second)
	}
	if a := <-done; a.status != 200 || a.body != `{"ok":true}` || calls.Load() != 3 {
		t.Errorf("%d %s after %d calls", a.status, a.body, calls.Load())
	}
}

func TestFurtherSteps(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, steps, want string }{
		{"delete, distinct and count", `
  - foreach: '["x", "y", "x"]'
    steps:
      - object_store.put: { collection: c, id: "${{ string(index) }}", document: { k: "${{ item }}" } }
  - name: kinds
    object_store.distinct: { collection: c, field: k }
  - name: gone
    object_store.delete: { collection: c, where: doc.k == "x" }
  - name: left
    object_store.count: { collection: c }
  - name: page
    object_store.find: { collection: c, offset: "${{ 1 }}" }
  - respond: { body: [ "${{ steps.kinds.values }}", "${{ steps.gone.deleted }}", "${{ steps.left.count }}", "${{ steps.page.count }}" ] }
`, `[["x","y"],2,1,0]`},
		{"a stream of documents", `
  - foreach: 1..5
    steps: [ { object_store.put: { collection: c, document: { n: "${{ item }}" } } } ]
  - name: all
    object_store.find: { collection: c, stream: true, order_by: [-n], limit: 3 }
  - set: { s: "" }
  - name: loop
    foreach: steps.all.documents
    steps: [ { set: { s: "${{ vars.s }}${{ item.n }}" } } ]
  - respond: { body: [ "${{ vars.s }}", "${{ steps.loop.total }}" ] }
`, `["543",3]`},
		{"versions of named writes are known", `
  - name: one
    object_store.put: { collection: c, id: a, document: { n: 1 } }
  - name: two
    object_store.put: { collection: c, id: a, document: { n: 2 }, if_version: "${{ steps.one._version }}" }
  - respond: { body: [ "${{ steps.one._version }}", "${{ steps.two._version }}" ] }
`, `[1,2]`},
		{"the run describes itself", `
  - respond: { body: [ "${{ run.pipeline }}", "${{ run.attempt }}", "${{ len(run.id) }}", "${{ run.started_at }}" ] }
`, `["flow",1,36,"2026-03-08T09:30:00Z"]`},
		{"compensation that fails does not hide the error", `
  - try:
      - fail: { type: demo/x, retriable: "${{ 1 == 1 }}" }
    catch:
      - respond: { body: "${{ error.retriable }}" }
`, `true`},
		{"db.batch writes every item or none", `
  - db.exec: { connection: d, sql: create table t (a integer primary key) }
  - db.batch: { connection: d, sql: insert into t (a) values (:a), items: [ { a: 1 }, { a: 2 } ] }
  - db.batch: { connection: d, sql: insert into t (a) values (:a), items: [ { a: 3 }, { a: 1 } ] }
    on_error: continue
  - name: rows
    db.query: { connection: d, sql: "select a from t where a >= ? order by a", values: [1] }
  - respond: { body: "${{ steps.rows.rows }}" }
`, `[{"a":1},{"a":2}]`},
		{"a stream of rows", `
  - name: rows
    db.query: { connection: d, stream: true, sql: "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i, 'x' as t from n" }
  - set: { sum: 0 }
  - name: all
    foreach: steps.rows.rows
    as: row
    steps: [ { set: { sum: "${{ vars.sum + row.i }}" } } ]
  - respond: { body: [ "${{ vars.sum }}", "${{ steps.all.total }}", "${{ steps.all.items }}" ] }
`, `[500500,1000,null]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := start(t, "-- pipelined.yaml --\nconnections: { d: { db: { driver: sqlite, path: d.db, create: true } } }\n-- a.yaml --\n"+flow+strings.TrimPrefix(tt.steps, "\n"))
			same(t, h.run(`{}`), tt.want)
		})
	}
}

func TestLogsAndProblemsForCallers(t *testing.T) {
	t.Parallel()
	h := start(t, "-- pipelined.yaml --\nredact: [password]\n-- a.yaml --\n"+flow+`
  - log: { level: debug, message: quiet }
  - log: { level: warn, message: "order ${{ input.id }}", fields: { password: hush, n: 1.10 } }
  - delay: "${{ duration(\"0s\") }}"
  - respond: { problem: { type: shop/closed, title: Closed, status: 451, data: inside } }
`)
	a := h.post("/run", `{"id":"o-1"}`)
	same(t, a.body, `{"type":"shop/closed","title":"Closed","status":451}`)
	if a.status != 451 || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", a.status, a.header)
	}
	log := h.log.String()
	if !strings.Contains(log, "order o-1") || strings.Contains(log, "hush") || strings.Contains(log, "quiet") || !strings.Contains(log, "1.10") {
		t.Errorf("log: %s", log)
	}
}

func TestAPanicIsThatExecutionsProblem(t *testing.T) {
	t.Parallel()
	h := start(t, flow+"  - set: { x: \"${{ input.a.b }}\" }\n  - respond: { body: 1 }\n")
	deep := strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300)
	if a := h.post("/run", deep); a.status != 400 && a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := h.post("/run", `{"a":{"b":1}}`); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

func TestEventsThatAreTooOldAreDroppedLoudly(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: work
trigger: { event: { types: [job.new], max_age: 1h } }
steps:
  - object_store.put: { collection: done, document: "${{ input }}" }
`)
	h.publish("job.new", `{"n":1}`)
	h.clock.Advance(2 * time.Hour)
	h.publish("job.new", `{"n":2}`)
	h.settle()
	if n := len(h.docs("done")); n != 1 {
		t.Errorf("%d done", n)
	}
	if s := h.engine.View().Pipelines; len(s) != 1 || s[0].Expired != 1 || s[0].OK != 1 || !strings.Contains(h.log.String(), "max_age") {
		t.Errorf("%+v\n%s", s, h.log)
	}
}

func TestEventsOfDeclaredTypesAreChecked(t *testing.T) {
	t.Parallel()
	h := start(t, `-- pipelined.yaml --
events: { job.new: { schema: schemas/job.json, key: data.id } }
-- schemas/job.json --
{ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } }
-- in.yaml --
pipeline: in
trigger: { http: { method: POST, path: /run } }
steps:
  - publish: { event: job.new, data: "${{ input }}" }
  - respond: { body: ok }
-- work.yaml --
pipeline: work
trigger: { event: { types: [job.new] } }
steps:
  - object_store.put: { collection: done, id: "${{ event.key }}", document: "${{ input }}" }
`)
	if a := h.post("/run", `{"id":7}`); a.status != 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.run(`{"id":"j-1"}`)
	h.settle()
	if d := h.docs("done"); len(d) != 1 || d[0]["_id"] != "j-1" {
		t.Errorf("%v", d)
	}
	if !strings.Contains(h.log.String(), "/id") {
		t.Errorf("the log does not say where: %s", h.log)
	}
}

func TestConflictingEventsAllTakeEffect(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: count
trigger: { event: { types: [add.one], concurrency: 16 } }
steps:
  - name: c
    object_store.get: { collection: counters, id: one }
  - object_store.put: { collection: counters, id: one, document: { n: "${{ (steps.c.n ?? 0) + 1 }}" } }
`)
	for range 60 {
		h.publish("add.one", `{}`)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.engine.Run(ctx) }()
	for end := time.Now().Add(20 * time.Second); h.engine.View().Published["add.one"] >= 0 && time.Now().Before(end); {
		if s := h.engine.View().Pipelines; len(s) == 1 && s[0].OK == 60 {
			break
		}
		<-time.After(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d := h.docs("counters"); len(d) != 1 || d[0]["n"] != 60.0 {
		t.Errorf("%v, %+v", d, h.engine.View().Pipelines)
	}
}

func TestDrainPutsBackWhatIsNotDone(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: slow
trigger: { event: { types: [job.new] } }
steps:
  - delay: 1h
  - object_store.put: { collection: done, document: { n: 1 } }
`)
	h.publish("job.new", `{}`)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.engine.Run(ctx) }()
	waiting := func(n int) {
		for got, armed := h.clock.Timers(); got < n; got, armed = h.clock.Timers() {
			<-armed
		}
	}
	waiting(3) // the step, the scheduler, the housekeeping
	stop()
	for end := time.Now().Add(10 * time.Second); len(done) == 0 && time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		h.clock.Advance(time.Second) // until the drain limit is over
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := len(h.docs("done")) + len(h.docs("dead_letters")); n != 0 {
		t.Errorf("%d outcomes of work that was cut off", n)
	}
	if a := h.request("GET", "/x", ""); a.status != 503 {
		t.Errorf("a request after the stop: %d", a.status)
	}
	h.restart()
	go h.clock.Advance(0)
	subs := h.engine.View().Subscriptions
	if len(subs) != 1 {
		t.Fatalf("%+v", subs)
	}
}

func TestReloadKeepsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	h := start(t, `-- work.yaml --
pipeline: work
trigger: { event: { types: [job.new], concurrency: 1 } }
steps:
  - object_store.insert: { collection: done, id: "${{ event.id }}", document: { by: old } }
-- tick.yaml --
pipeline: tick
trigger: { cron: { schedule: "@hourly" } }
steps: [ { object_store.put: { collection: ticks, document: { n: 1 } } } ]
`)
	for range 3 {
		h.publish("job.new", `{}`)
	}
	h.write("-- work.yaml --\n" + `pipeline: work
trigger: { event: { types: [job.new, job.other] } }
steps:
  - object_store.insert: { collection: done, id: "${{ event.id }}", document: { by: new } }
`)
	if err := h.engine.Swap(t.Context(), h.compile()); err != nil {
		t.Fatal(err)
	}
	h.publish("job.other", `{}`)
	h.settle()
	if d := h.docs("done"); len(d) != 4 || d[0]["by"] != "new" {
		t.Errorf("%v", d)
	}
	h.write("-- work.yaml --\npipeline: other\nsteps: [ { stop: true } ]\n")
	if err := h.engine.Swap(t.Context(), h.compile()); err != nil {
		t.Fatal(err)
	}
	h.publish("job.new", `{}`) // nobody takes it now
	h.settle()
	h.write("-- work.yaml --\n" + `pipeline: work
trigger: { event: { types: [job.new] } }
steps:
  - object_store.insert: { collection: done, id: "${{ event.id }}", document: { by: third } }
`)
	if err := h.engine.Swap(t.Context(), h.compile()); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if d := h.docs("done"); len(d) != 5 {
		t.Errorf("%d done after the pipeline came back", len(d))
	}
	h.advance(time.Hour, 10*time.Minute)
	if n := len(h.docs("ticks")); n != 1 {
		t.Errorf("%d ticks", n)
	}
}

func TestTidyAppliesRetentionToIdleSubscriptions(t *testing.T) {
	t.Parallel()
	h := start(t, `-- pipelined.yaml --
events: { job.new: { retain: 1h } }
-- in.yaml --
pipeline: in
trigger: { http: { method: POST, path: /run } }
steps: [ { publish: { event: job.new } }, { respond: { body: ok } } ]
-- idle.yaml --
pipeline: idle
trigger: { event: { types: [job.other] } }
steps: [ { stop: true } ]
`)
	for range 5 {
		h.run(`{}`)
	}
	h.settle()
	h.clock.Advance(2 * time.Hour)
	if err := h.engine.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(h.events("job.new")); n != 0 {
		t.Errorf("%d events are kept though nobody has to see them", n)
	}
	h.restart()
	h.run(`{}`)
	if list := h.events("job.new"); len(list) != 1 || list[0].Seq != 6 {
		t.Errorf("%+v", list)
	}
}

func TestAStoreThatCannotCommitIsA503(t *testing.T) {
	t.Parallel()
	h := start(t, flow+"  - publish: { event: a.b }\n  - respond: { status: 202 }\n")
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	a := h.post("/run", `{}`)
	if a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "engine/unavailable") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if _, err := h.engine.Publish(t.Context(), newEvent("a.b", `{}`)); err == nil {
		t.Error("an event was published into a closed store")
	}
}

func TestFairnessBetweenTenants(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: fair
trigger: { event: { types: [job.new], concurrency: 1, fair_by: input.tenant } }
steps:
  - name: n
    object_store.get: { collection: order, id: all }
  - object_store.put: { collection: order, id: all, document: { s: "${{ (steps.n.s ?? \"\") + input.tenant }}" } }
`)
	for range 5 {
		h.publish("job.new", `{"tenant":"a"}`)
	}
	h.publish("job.new", `{"tenant":"b"}`)
	h.settle()
	if got := h.docs("order")[0]["s"]; got != "abaaaa" {
		t.Errorf("in the order %v", got)
	}
}

func TestATriggersOwnExpressionThatFailsIsAFailure(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: picky
trigger: { event: { types: [job.new], where: input.n > 1 } }
steps: [ { object_store.put: { collection: done, document: { a: 1 } } } ]
`)
	h.publish("job.new", `{"n":2}`)
	h.publish("job.new", `{"n":1}`)
	h.publish("job.new", `{}`)
	h.settle()
	s := h.engine.View().Pipelines
	if len(h.docs("done")) != 1 || len(h.docs("dead_letters")) != 1 || s[0].Filtered != 1 || s[0].Failed != 1 {
		t.Errorf("%+v, dead letters %v", s, h.docs("dead_letters"))
	}
}

func TestNewIDsSortByTime(t *testing.T) {
	t.Parallel()
	before := ""
	for range 100 {
		id := engine.NewID()
		if id <= before {
			t.Fatalf("%s after %s", id, before)
		}
		before = id
	}
}
