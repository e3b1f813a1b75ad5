package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pipelined/engine"
	"pipelined/internal/store"
)

// breaking is a store that fails where it is told.
type breaking struct {
	store.Store
	at atomic.Pointer[string] // the method that fails
}

var errDisk = errors.New("disk full")

func (b *breaking) fails(method string) error {
	if at := b.at.Load(); at != nil && *at == method {
		return fmt.Errorf("%s: %w", method, errDisk)
	}
	return nil
}

func (b *breaking) Prepare(ctx context.Context, revision string, c []store.Collection) error {
	return errors.Join(b.fails("Prepare"), b.Store.Prepare(ctx, revision, c))
}

func (b *breaking) Subscribe(ctx context.Context, name string, from int64) error {
	if err := b.fails("Subscribe"); err != nil {
		return err
	}
	return b.Store.Subscribe(ctx, name, from)
}

func (b *breaking) Acquire(ctx context.Context, name string) ([]store.Lease, error) {
	if err := b.fails("Acquire"); err != nil {
		return nil, err
	}
	return b.Store.Acquire(ctx, name)
}

func (b *breaking) Deferred(ctx context.Context, q store.WaitQuery) ([]store.Deferred, error) {
	if err := b.fails("Deferred"); err != nil {
		return nil, err
	}
	return b.Store.Deferred(ctx, q)
}

func (b *breaking) ParkedGroups(ctx context.Context, name string, partition int) (map[string]int, error) {
	if err := b.fails("ParkedGroups"); err != nil {
		return nil, err
	}
	return b.Store.ParkedGroups(ctx, name, partition)
}

func (b *breaking) LastTick(ctx context.Context, name string) (time.Time, error) {
	if err := b.fails("LastTick"); err != nil {
		return time.Time{}, err
	}
	return b.Store.LastTick(ctx, name)
}

func (b *breaking) Claims(ctx context.Context, kind, prefix string) ([]store.Claimed, error) {
	if err := b.fails("Claims"); err != nil {
		return nil, err
	}
	return b.Store.Claims(ctx, kind, prefix)
}

// revisionOf is a project whose every part says which revision it is of.
func revisionOf(name string) string {
	return strings.ReplaceAll(`-- web.yaml --
pipeline: web
trigger: { http: { method: POST, path: /NAME } }
steps: [ { respond: { body: NAME } } ]
-- same.yaml --
pipeline: same
trigger: { http: { method: POST, path: /same, body: { schema: schemas/NAME.json } } }
steps: [ { respond: { body: "${{ input.v }} NAME" } } ]
-- schemas/NAME.json --
{ "type": "object", "properties": { "v": { "const": "NAME" } }, "required": ["v"] }
-- work.yaml --
pipeline: work
trigger: { event: { types: [job.new] } }
steps: [ { object_store.put: { collection: work, id: "${{ event.id }}", document: { by: NAME } } } ]
-- only.yaml --
pipeline: only_NAME
trigger: { event: { types: [job.new] } }
steps: [ { object_store.put: { collection: only, document: { by: NAME } } } ]
-- hourly.yaml --
pipeline: hourly
trigger: { cron: { schedule: "@hourly" } }
steps: [ { object_store.put: { collection: ticks, document: { by: NAME } } } ]
-- tick.yaml --
pipeline: tick_NAME
trigger: { cron: { schedule: "@hourly" } }
steps: [ { object_store.put: { collection: only, document: { tick: NAME } } } ]
`, "NAME", name)
}

// by tells which revisions left documents in a collection.
func (h *harness) by(collection string) string {
	var out []string
	for _, d := range h.docs(collection) {
		out = append(out, fmt.Sprint(d["by"], d["tick"]))
	}
	return strings.Join(out, ",")
}

// TestASwapIsAllOrNothing: wherever the store fails, what ran before goes on as it was,
// and the swap works when the store does.
func TestASwapIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Prepare", "Subscribe", "Acquire", "Deferred", "ParkedGroups", "LastTick", "Claims"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b := &breaking{}
			h := startOn(t, revisionOf("old"), func(s store.Store) store.Store { b.Store = s; return b })
			before := h.engine.Program()
			h.write(revisionOf("new"))
			next := h.compile()
			b.at.Store(&method)
			if err := h.engine.Swap(t.Context(), next); !errors.Is(err, errDisk) {
				t.Fatalf("the swap says %v", err)
			}
			if h.engine.Program() != before {
				t.Error("the new program is in use")
			}
			h.is("old")
			b.at.Store(nil)
			if err := h.engine.Swap(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			h.is("new")
		})
	}
}

// is checks that every part is of one revision: routes, schemas, subscriptions, schedules.
func (h *harness) is(name string) {
	h.t.Helper()
	other := map[string]string{"old": "new", "new": "old"}[name]
	for path, want := range map[string]int{"/" + name: 200, "/" + other: 404} {
		if a := h.post(path, `{}`); a.status != want {
			h.t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := h.post("/same", `{"v":"`+name+`"}`); a.body != `"`+name+` `+name+`"` {
		h.t.Errorf("/same: %s", a.body)
	}
	if a := h.post("/same", `{"v":"`+other+`"}`); a.status != 400 {
		h.t.Errorf("/same with another schema: %d", a.status)
	}
	h.clear("work", "only", "ticks")
	h.publish("job.new", `{}`)
	h.settle()
	h.advance(time.Hour, time.Hour)
	if got := h.by("work") + " " + h.by("ticks"); got != name+"<nil> "+name+"<nil>" {
		h.t.Errorf("what there is in both ran as %s", got)
	}
	if got := h.by("only"); got != name+"<nil>,<nil>"+name && got != "<nil>"+name+","+name+"<nil>" {
		h.t.Errorf("what there is in one ran as %s", got)
	}
}

func (h *harness) clear(collections ...string) {
	h.t.Helper()
	b := &store.Batch{}
	for _, c := range collections {
		for _, d := range h.docs(c) {
			b.Documents = append(b.Documents, store.Write{Kind: store.Delete, Collection: c, ID: d["_id"].(string)})
		}
	}
	if _, err := h.store.Commit(h.t.Context(), b); err != nil {
		h.t.Fatal(err)
	}
}

// TestARequestKeepsItsRevision: what is checked by one revision's schema is run by the
// same revision's flow, though another is loaded while the body arrives.
func TestARequestKeepsItsRevision(t *testing.T) {
	t.Parallel()
	h := start(t, revisionOf("old"))
	h.write(revisionOf("new"))
	next := h.compile()
	body, in := io.Pipe()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/same", body)
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = -1
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); h.engine.ServeHTTP(w, r) }()
	if _, err := io.WriteString(in, `{"v":`); err != nil { // it is being read, so it was routed
		t.Fatal(err)
	}
	if err := h.engine.Swap(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if a := h.post("/same", `{"v":"new"}`); a.body != `"new new"` {
		t.Errorf("a request after the swap: %s", a.body)
	}
	fmt.Fprint(in, `"old"}`)
	in.Close()
	<-done
	if got := w.Body.String(); got != `"old old"` {
		t.Errorf("got %s", got)
	}
}

var reloading = flag.Duration("reloading", time.Second, "how long TestReloadsUnderLoad reloads")

// TestReloadsUnderLoad reloads in a loop while requests, events and ticks run: nothing is
// lost, nothing runs twice, and under the race detector nothing is touched by two.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	h := start(t, loaded(0))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.engine.Run(ctx) }()
	var sent, answered atomic.Int64
	var load sync.WaitGroup
	end := time.Now().Add(*reloading)
	for range 4 {
		load.Go(func() {
			for time.Now().Before(end) {
				if a := h.post("/jobs", fmt.Sprintf(`{"id":"%d"}`, sent.Add(1))); a.status != 202 {
					t.Errorf("%d %s", a.status, a.body)
					return
				}
				answered.Add(1)
			}
		})
	}
	load.Go(func() {
		for n := 1; time.Now().Before(end); n++ {
			h.write(loaded(n))
			if err := h.engine.Swap(ctx, h.compile()); err != nil {
				t.Error(err)
				return
			}
			h.clock.Advance(time.Second)
		}
	})
	load.Wait()
	for limit := time.Now().Add(20 * time.Second); int64(len(h.docs("done"))) < answered.Load() && time.Now().Before(limit); <-time.After(20 * time.Millisecond) {
		h.clock.Advance(time.Second)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	docs := h.docs("done")
	if int64(len(docs)) != answered.Load() {
		t.Errorf("%d of %d jobs were done", len(docs), answered.Load())
	}
	for _, d := range docs {
		if d["times"] != 1.0 {
			t.Errorf("job %v was done %v times", d["_id"], d["times"])
		}
	}
	if l := h.docs(engine.DeadLetters); len(l) > 0 {
		t.Errorf("%d failed: %v", len(l), l[0])
	}
}

// loaded is the project under load; every revision has other settings.
func loaded(n int) string {
	return fmt.Sprintf(`-- jobs.yaml --
pipeline: jobs
trigger: { http: { method: POST, path: /jobs } }
steps:
  - publish: { event: job.new, data: { id: "${{ input.id }}", n: %d }, key: "${{ input.id }}" }
  - respond: { status: 202 }
-- work.yaml --
pipeline: work
trigger: { event: { types: [job.new], concurrency: %d, order_by: event.key, where: "input.n >= 0" } }
steps:
  - name: seen
    object_store.get: { collection: done, id: "${{ input.id }}" }
  - object_store.put: { collection: done, id: "${{ input.id }}", document: { by: %d, times: "${{ (steps.seen?.times ?? 0) + 1 }}" } }
-- tick.yaml --
pipeline: tick
trigger: { cron: { schedule: "@every 2s" } }
steps: [ { object_store.put: { collection: ticks, id: one, document: { by: %d } } } ]
`, n, n%3*4+1, n, n)
}
