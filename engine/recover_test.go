package engine_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// crash drops the engine as a kill would: nothing is drained, nothing is noted.
func (h *harness) crash() {
	h.t.Helper()
	if err := h.store.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

// stuck is a service that never answers, and says when somebody asks.
func stuck(t *testing.T) (url string, asked <-chan struct{}) {
	ch, over := make(chan struct{}, 100), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ch <- struct{}{}
		<-over
	}))
	t.Cleanup(func() { close(over); s.Close() })
	return s.URL, ch
}

// dieIn runs what is due until the stuck service is asked, and crashes there.
func (h *harness) dieIn(asked <-chan struct{}) {
	h.t.Helper()
	e := h.engine
	go func() { _, _ = e.RunDue(h.t.Context()) }()
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		h.t.Fatalf("the step did not run\n%s", h.log)
	}
	h.crash()
}

const poison = `
-- poison.yaml --
pipeline: poison
trigger: { event: { types: [go], concurrency: 4 } }
on_failure: { collection: failures }
steps:
  - when: input.deadly == true
    rest: { url: "URL" }
  - name: before
    object_store.get: { collection: seen, id: "${{ event.id }}" }
  - object_store.put: { collection: seen, id: "${{ event.id }}", document: { times: "${{ (steps.before.times ?? 0) + 1 }}", attempt: "${{ event.attempt }}" } }
`

// TestPoisonIsQuarantined has one event kill the process each time it runs. The
// others are processed, once, and that one ends as a failure.
func TestPoisonIsQuarantined(t *testing.T) {
	t.Parallel()
	url, asked := stuck(t)
	h := start(t, strings.ReplaceAll(poison, "URL", url))
	for i := range 3 {
		h.publish("go", fmt.Sprintf(`{"n":%d}`, i))
	}
	h.publish("go", `{"deadly":true}`)
	for i := range 3 {
		h.publish("go", fmt.Sprintf(`{"n":%d}`, 10+i))
	}
	crashes := 0
	for ; len(h.docs("failures")) == 0; crashes++ {
		if crashes == 10 {
			t.Fatalf("still crashing\n%s", h.log)
		}
		e := h.engine
		done := make(chan struct{})
		go func() { defer close(done); _, _ = e.RunDue(t.Context()) }()
		select {
		case <-asked:
			h.crash()
			continue
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("stuck\n%s", h.log)
		}
		break
	}
	if crashes != 5 { // twice among others, three times alone
		t.Errorf("%d crashes", crashes)
	}
	list := h.docs("failures")
	if len(list) != 1 || list[0]["error"].(map[string]any)["type"] != "engine/interrupted" || list[0]["input"].(map[string]any)["deadly"] != true {
		t.Fatalf("failures: %v\n%s", list, h.log)
	}
	if n := list[0]["attempts"].(float64); n != 1 {
		t.Errorf("%v attempts recorded", n)
	}
	seen := h.docs("seen")
	if len(seen) != 6 {
		t.Errorf("%d of 6 others were processed", len(seen))
	}
	for _, d := range seen {
		if d["times"] != 1.0 {
			t.Errorf("processed more than once: %v", d)
		}
	}
	h.crash()
	if h.settle(); len(h.docs("failures")) != 1 {
		t.Error("the failure came again")
	}
}

// TestInnocentSuspectsRun crashes often while nothing of it is an event's fault.
func TestInnocentSuspectsRun(t *testing.T) {
	t.Parallel()
	h := start(t, poison)
	for i := range 6 {
		h.publish("go", fmt.Sprintf(`{"n":%d}`, i))
	}
	for range 5 {
		h.crash()
	}
	if a := h.request("POST", "/nothing", ""); a.status != 404 {
		t.Errorf("a route that is not there: %d", a.status)
	}
	h.settle()
	for _, d := range h.docs("seen") {
		if d["times"] != 1.0 || d["attempt"] != 1.0 {
			t.Errorf("%v", d)
		}
	}
	if n := len(h.docs("seen")); n != 6 {
		t.Errorf("%d of 6 processed", n)
	}
	h.restart() // in order: nothing is suspected any more
	if strings.Count(h.log.String(), "did not stop in order") != 5 {
		t.Errorf("%s", h.log)
	}
}

// TestRequestsWaitForRecovery refuses requests while suspects run alone.
func TestRequestsWaitForRecovery(t *testing.T) {
	t.Parallel()
	url, asked := stuck(t)
	h := start(t, strings.ReplaceAll(poison, "URL", url)+`
-- hello.yaml --
pipeline: hello
trigger: { http: { method: POST, path: /hello } }
steps:
  - respond: { body: hello }
`)
	h.publish("go", `{"deadly":true}`)
	h.dieIn(asked)
	h.dieIn(asked)
	a := h.post("/hello", "")
	if a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "recovering from a crash") {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.dieIn(asked)
	h.dieIn(asked)
	h.dieIn(asked)
	h.settle()
	if a := h.post("/hello", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestInterruptedTick starts a tick again that the process died in, whatever missed
// says, and fails it when that happens again and again.
func TestInterruptedTick(t *testing.T) {
	t.Parallel()
	url, asked := stuck(t)
	h := start(t, strings.ReplaceAll(`
pipeline: nightly
trigger: { cron: { schedule: "@every 1h", missed: skip } }
steps:
  - rest: { url: "URL" }
on_error:
  - object_store.put: { collection: failed, id: "${{ schedule.time }}", document: "${{ error }}" }
`, "URL", url))
	h.clock.Advance(30 * time.Minute)
	for range 5 {
		h.dieIn(asked)
		h.clock.Advance(7 * time.Minute)
	}
	h.settle()
	list := h.docs("failed")
	if len(list) != 1 || list[0]["type"] != "engine/interrupted" {
		t.Errorf("%v\n%s", list, h.log)
	}
	h.crash()
	if h.settle(); len(h.docs("failed")) != 1 {
		t.Errorf("the tick came again: %v", h.docs("failed"))
	}
}

// TestOverlappingTicksSurvive kills the process while an older tick still runs and
// a newer one is done: the older one is not forgotten.
func TestOverlappingTicksSurvive(t *testing.T) {
	t.Parallel()
	url, asked := stuck(t)
	h := start(t, strings.ReplaceAll(`
pipeline: hourly
trigger: { cron: { schedule: "0 * * * *", overlap: allow, missed: skip } }
steps:
  - when: schedule.time.Hour() == 10
    rest: { url: "URL" }
  - object_store.insert: { collection: ticks, id: "${{ schedule.time }}", document: {} }
`, "URL", url))
	h.clock.Advance(30 * time.Minute) // ten o'clock
	e := h.engine
	go func() { _, _ = e.RunDue(h.t.Context()) }()
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		t.Fatalf("the tick does not run\n%s", h.log)
	}
	h.clock.Advance(time.Hour)
	h.settle()
	if n := len(h.docs("ticks")); n != 1 {
		t.Fatalf("%d ticks done", n)
	}
	h.crash()
	go func() { _, _ = h.engine.RunDue(h.t.Context()) }()
	select {
	case <-asked: // ten o'clock runs again
	case <-time.After(10 * time.Second):
		t.Errorf("the older tick is lost\n%s", h.log)
	}
}
