package engine_test

import (
	"testing"
	"time"
)

// TestReprocessedEventsReachOnlyWhoFailed has two pipelines take the same event,
// fail on it and record it in one collection: each has its own record, and each
// record's event goes to its own pipeline alone.
func TestReprocessedEventsReachOnlyWhoFailed(t *testing.T) {
	t.Parallel()
	pipeline := func(name, fails string) string {
		return "-- " + name + ".yaml --\npipeline: " + name + `
trigger: { event: { types: [go] } }
on_failure: { collection: failures }
steps:
  - when: ` + fails + `
    fail: { type: x/broken, title: Broken, status: 500 }
  - name: before
    object_store.get: { collection: runs, id: ` + name + ` }
  - object_store.put: { collection: runs, id: ` + name + `, document: { n: "${{ (steps.before.n ?? 0) + 1 }}", attempt: "${{ event.attempt }}" } }
`
	}
	h := start(t, pipeline("fine", "false")+pipeline("second", "event.attempt < 2")+pipeline("third", "event.attempt < 3")+`
-- again.yaml --
pipeline: again
trigger: { cron: { schedule: "@every 1m" } }
steps:
  - reprocess:
      collection: failures
      max_attempts: 5
      backoff: { initial: 1s }
      exhausted: [ { log: { message: over } } ]
`)
	h.publish("go", `{}`)
	h.settle()
	if n := len(h.docs("failures")); n != 2 {
		t.Fatalf("%d records of two failed pipelines", n)
	}
	h.advance(5*time.Minute, time.Minute)
	for _, d := range h.docs("failures") {
		if d["status"] != "resolved" {
			t.Errorf("%v", d)
		}
	}
	want := map[string]float64{"fine": 1, "second": 2, "third": 3}
	for _, d := range h.docs("runs") {
		name := d["_id"].(string)
		if d["n"] != 1.0 || d["attempt"] != want[name] {
			t.Errorf("%s: %v", name, d)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("did not run: %v\n%s", want, h.log)
	}
}
