package engine_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pipelined/internal/store"
)

// outside is a service that counts how often it is called.
type outside struct {
	*httptest.Server
	calls  atomic.Int64
	status atomic.Int64 // it answers; 0: 200
}

func newOutside(t *testing.T) *outside {
	o := &outside{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		o.calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if s := o.status.Load(); s != 0 {
			w.WriteHeader(int(s))
		}
		fmt.Fprint(w, "{}")
	}))
	t.Cleanup(o.Close)
	return o
}

// writes are the steps that write a value that is taken: by another document, or by one
// of the same execution.
var writes = map[string]string{
	"an id that exists": `
  - object_store.insert: { collection: users, id: u-1, document: { email: "new@example.com" } }`,
	"insert of a unique value": `
  - object_store.insert: { collection: users, document: { email: "ada@example.com" } }`,
	"insert under an id": `
  - object_store.insert: { collection: users, id: u-2, document: { email: "ada@example.com" } }`,
	"put of a unique value": `
  - object_store.put: { collection: users, id: u-2, document: { email: "ada@example.com" } }`,
	"update to a unique value": `
  - object_store.put: { collection: users, id: u-3, document: { email: "free@example.com" } }
  - object_store.update: { collection: users, id: u-3, merge: { email: "ada@example.com" } }`,
	"update of many": `
  - object_store.put: { collection: users, id: u-3, document: { email: "free@example.com" } }
  - object_store.update: { collection: users, where: "doc.email == \"free@example.com\"", merge: { email: "ada@example.com" } }`,
	"two of one execution": `
  - object_store.insert: { collection: users, document: { email: "twin@example.com" } }
  - object_store.insert: { collection: users, document: { email: "twin@example.com" } }`,
	"a nested field": `
  - object_store.insert: { collection: users, document: { email: "x@example.com", tax: { id: 7 } } }`,
	"an author's if_version": `
  - object_store.put: { collection: users, id: u-1, if_version: 9, document: { email: "ada@example.com" } }`,
}

const users = `-- pipelined.yaml --
project: shop
collections: { users: { unique: [email, tax.id] } }
`

// TestAValueThatIsTakenIsMetByItsStep: what running again cannot mend never calls the
// outside world again and again; it ends as a failure of its step, whatever started it.
func TestAValueThatIsTakenIsMetByItsStep(t *testing.T) {
	t.Parallel()
	causes := map[string]struct {
		trigger string
		start   func(h *harness)
	}{
		"event": {"event: { types: [user.new], retry: { attempts: 2, initial: 1s } }", func(h *harness) { h.publish("user.new", `{}`) }},
		"cron":  {`cron: { schedule: "@hourly" }`, func(h *harness) { h.clock.Advance(time.Hour) }},
		"http":  {"http: { method: POST, path: /new }", func(h *harness) { same(h.t, fmt.Sprint(h.post("/new", `{}`).status), "409") }},
	}
	for what, steps := range writes {
		for cause, c := range causes {
			t.Run(what+", "+cause, func(t *testing.T) {
				t.Parallel()
				o := newOutside(t)
				h := start(t, users+"-- new.yaml --\npipeline: new_user\ntrigger:\n  "+c.trigger+"\nsteps:\n  - rest: { method: POST, url: \""+o.URL+"\" }"+steps+"\n")
				h.seed("users", "u-1", `{"email":"ada@example.com","tax":{"id":7}}`)
				c.start(h)
				h.advance(time.Minute, 10*time.Second)
				if n := o.calls.Load(); n != 1 {
					t.Errorf("%d calls outside", n)
				}
				if l := h.docs("dead_letters"); len(l) != 1 || l[0]["error"].(map[string]any)["type"] != "object_store/conflict" {
					t.Errorf("dead letters: %v", l)
				}
				if u := h.docs("users"); len(u) != 1 || u[0]["email"] != "ada@example.com" {
					t.Errorf("users: %v", u)
				}
				if s := h.engine.View().Pipelines[0]; s.Failed != 1 || s.OK != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// TestAValueThatIsTakenCanBeHandled: the step's own options see it.
func TestAValueThatIsTakenCanBeHandled(t *testing.T) {
	t.Parallel()
	for what, steps := range writes {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			nested := strings.ReplaceAll(steps, "\n", "\n    ")
			h := start(t, users+"-- run.yaml --\n"+flow+`
  - set: { seen: none }
  - try:`+nested+`
    catch:
      - set: { seen: "${{ error.type }}" }
  - name: loop
    foreach: 1..2
    on_item_error: continue
    steps:`+nested+`
  - respond: { body: { seen: "${{ vars.seen }}", failed: "${{ steps.loop.failed }}" } }
`)
			h.seed("users", "u-1", `{"email":"ada@example.com","tax":{"id":7}}`)
			same(t, h.run(`{}`), `{"seen":"object_store/conflict","failed":2}`)
		})
	}
}

// TestARaceForAValueEnds: two executions that insert one value meet at the commit; the
// later one runs again and then meets it at its step.
func TestARaceForAValueEnds(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	h := start(t, users+"-- run.yaml --\n"+flow+`
  - rest: { method: POST, url: "`+o.URL+`" }
  - object_store.insert: { collection: users, document: { email: "${{ input.email }}" } }
  - respond: { status: 201 }
`)
	const callers = 16
	var answers [callers]int
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() { answers[i] = h.post("/run", `{"email":"ada@example.com"}`).status })
	}
	all.Wait()
	counts := map[int]int{}
	for _, a := range answers {
		counts[a]++
	}
	if counts[201] != 1 || counts[409] != callers-1 {
		t.Errorf("%v", counts)
	}
	if n := o.calls.Load(); n > 2*callers {
		t.Errorf("%d calls outside for %d requests", n, callers)
	}
	if n := len(h.docs("users")); n != 1 {
		t.Errorf("%d users", n)
	}
}

// TestAllCountUpOneDocument: conflicts that a rerun mends are nobody's failure.
func TestAllCountUpOneDocument(t *testing.T) {
	t.Parallel()
	h := start(t, flow+`
  - name: c
    object_store.get: { collection: counters, id: one }
  - object_store.put: { collection: counters, id: one, document: { n: "${{ (steps.c?.n ?? 0) + 1 }}" } }
  - respond: { body: ok }
`)
	const callers = 64
	var all sync.WaitGroup
	var bad atomic.Int64
	for range callers {
		all.Go(func() {
			if h.post("/run", `{}`).status != 200 {
				bad.Add(1)
			}
		})
	}
	all.Wait()
	if d := h.docs("counters"); bad.Load() != 0 || len(d) != 1 || d[0]["n"] != float64(callers) {
		t.Errorf("%d callers were refused; %v", bad.Load(), d)
	}
}

// TestTheTextOfATypeIsNoSignal: an author may name his errors as he likes, but for the
// runtime's own names.
func TestTheTextOfATypeIsNoSignal(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"engine/stopping", "engine/conflict", "engine/canceled", "object_store/conflict", "stopping", "stop"} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			h := start(t, `pipeline: work
trigger: { event: { types: [job.new] } }
steps:
  - object_store.put: { collection: runs, document: { n: 1 } }
  - fail: { type: "${{ input.type }}", title: x }
on_error:
  - object_store.put: { collection: seen, id: one, document: { type: "${{ error.type }}" } }
`)
			h.publish("job.new", `{"type":"`+typ+`"}`)
			h.advance(time.Minute, 10*time.Second)
			want := typ
			if strings.HasPrefix(typ, "engine/") {
				want = "fail/type"
			}
			if d := h.docs("seen"); len(d) != 1 || d[0]["type"] != want || d[0]["_version"] != 1.0 {
				t.Errorf("%v", d)
			}
			if s := h.engine.View().Pipelines; len(s) != 1 || s[0].Failed != 1 || s[0].Reruns != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestAnAnswerThatSomebodyElseStored is what a repeated request gets, though it ran here.
func TestAnAnswerThatSomebodyElseStored(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	h := start(t, `pipeline: pay
trigger: { http: { method: POST, path: /pay, idempotency: { header: Idempotency-Key, ttl: 1h } } }
steps:
  - rest: { method: POST, url: "`+o.URL+`" }
  - respond: { status: 201, body: { paid: here } }
`)
	first := h.keyed("/pay", "Idempotency-Key", "k-0", `{}`)
	doc, err := h.store.Get(t.Context(), "_idempotency", "pay/k-0")
	if err != nil || doc == nil || first.status != 201 {
		t.Fatal(first, doc, err)
	}
	elsewhere := strings.ReplaceAll(doc.Body, "here", "elsewhere")
	var once sync.Once
	h.engine.Close()
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		o.calls.Add(1)
		once.Do(func() { // another process answers the same key while this one is at it
			if _, err := h.store.Commit(t.Context(), &store.Batch{Documents: []store.Write{{Collection: "_idempotency", ID: "pay/k-1", Document: elsewhere}}}); err != nil {
				t.Error(err)
			}
		})
		fmt.Fprint(w, "{}")
	})
	h.restart()
	before := o.calls.Load()
	a := h.keyed("/pay", "Idempotency-Key", "k-1", `{}`)
	if a.status != 201 || !strings.Contains(a.body, "elsewhere") || a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	if n := o.calls.Load() - before; n != 1 {
		t.Errorf("%d calls outside", n)
	}
}
