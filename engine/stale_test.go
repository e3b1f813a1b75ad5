package engine_test

import (
	"strings"
	"testing"
	"time"

	"pipelined"
)

func TestStaleEventsAreSkipped(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: latest
trigger: { event: { types: [price.set], order_by: event.key, skip_stale: true } }
steps:
  - object_store.put: { collection: prices, id: "${{ event.key }}", document: { price: "${{ input.price }}" } }
`)
	set := func(key string, price string, at time.Time) {
		t.Helper()
		if _, err := h.engine.Publish(t.Context(), &pipelined.Event{Type: "price.set", Key: key, Time: at, Data: `{"price":` + price + `}`}); err != nil {
			t.Fatal(err)
		}
		h.settle()
	}
	set("a", "2", epoch.Add(time.Minute))
	h.restart()
	set("a", "1", epoch)
	set("b", "7", epoch)
	docs := h.docs("prices")
	if len(docs) != 2 || docs[0]["price"] != 2.0 || docs[1]["price"] != 7.0 || !strings.Contains(h.log.String(), "skip_stale") {
		t.Errorf("%v\n%s", docs, h.log)
	}
}

func TestTheTriggersTimeoutEndsAnExecution(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: slow
trigger: { http: { method: POST, path: /run, timeout: 20ms } }
steps:
  - while: true
    max_iterations: 10000000
    steps: [ { set: { x: 1 } } ]
on_error:
  - respond: { status: 504, body: "${{ error.type }}" }
`)
	if a := h.post("/run", `{}`); a.status != 504 || a.body != `"engine/timeout"` {
		t.Errorf("%d %s", a.status, a.body)
	}
}
