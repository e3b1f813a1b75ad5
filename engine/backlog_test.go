package engine_test

import (
	"strings"
	"testing"
	"time"
)

// TestABacklogReachesThePublisher fills what a pipeline lets wait: a caller is told
// when to come again, a publisher with a retry waits, and nothing is dropped.
func TestABacklogReachesThePublisher(t *testing.T) {
	t.Parallel()
	h := start(t, `
-- slow.yaml --
pipeline: slow
trigger: { event: { types: ["job.*"], max_backlog: 3 } }
steps:
  - object_store.put: { collection: done, id: "${{ event.id }}", document: {} }
-- ask.yaml --
pipeline: ask
trigger: { http: { method: POST, path: /run } }
steps:
  - publish: { event: job.new }
  - respond: { status: 202, body: ok }
-- relay.yaml --
pipeline: relay
trigger: { event: { types: [relay], retry: { attempts: 5, initial: 1m } } }
steps:
  - publish: { event: job.relayed }
`)
	for i := range 3 {
		if a := h.post("/run", `{}`); a.status != 202 {
			t.Fatalf("request %d: %d %s", i, a.status, a.body)
		}
		if err := h.dispatch(); err != nil {
			t.Fatal(err)
		}
	}
	a := h.post("/run", `{}`)
	if a.status != 503 || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, "publish/backlog") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if _, err := h.engine.Publish(t.Context(), newEvent("job.new", `{}`)); err == nil || !strings.Contains(err.Error(), "3 events wait for slow") {
		t.Errorf("from outside: %v", err)
	}
	h.publish("relay", `{}`)
	h.settle()
	if n := h.count("done"); n != 3 {
		t.Errorf("%d done, want the 3 that waited: the relay waits for its retry\n%s", n, h.log)
	}
	if a := h.post("/run", `{}`); a.status != 202 {
		t.Errorf("with room again: %d %s", a.status, a.body)
	}
	h.settle()
	h.advance(time.Minute, time.Minute)
	if n := h.count("done"); n != 5 {
		t.Errorf("%d done, want the 4 that were taken and the one that was relayed", n)
	}
}
