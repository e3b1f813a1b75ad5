package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestEventsReachTheirSubscribersOnce(t *testing.T) {
	t.Parallel()
	h := start(t, `-- in.yaml --
pipeline: in
trigger:
  http: { method: POST, path: /run }
steps:
  - foreach: input.list
    as: n
    steps:
      - publish: { event: number.seen, data: { n: "${{ n }}" } }
  - respond: { body: ok }
-- even.yaml --
pipeline: even
trigger:
  event: { types: ["number.*"], where: input.n % 2 == 0 }
steps:
  - object_store.insert: { collection: even, id: "${{ string(input.n) }}", document: { n: "${{ input.n }}", attempt: "${{ event.attempt }}" } }
-- all.yaml --
pipeline: all
trigger:
  event: { types: [number.seen], concurrency: 4 }
steps:
  - object_store.insert: { collection: everything, id: "${{ string(input.n) }}", document: { n: "${{ input.n }}" } }
`)
	h.run(`{"list":[1,2,3,4]}`)
	h.settle()
	if n := len(h.docs("even")); n != 2 {
		t.Errorf("even took %d", n)
	}
	if n := len(h.docs("everything")); n != 4 {
		t.Errorf("all took %d", n)
	}
	h.restart()
	if n := h.settle(); n != 0 {
		t.Errorf("after a restart %d executions ran again", n)
	}
	if n := len(h.docs("dead_letters")); n != 0 {
		t.Errorf("%d dead letters: %s", n, h.log)
	}
}

// failing fails as long as input.fail is true and the attempt is below ok_at.
const failing = `pipeline: work
trigger:
  event:
    types: [job.new]
    retry: { attempts: 3, backoff: exponential, initial: 10s, max: 1h, jitter: none }
steps:
  - object_store.put: { collection: tries, id: "${{ string(event.attempt) }}", document: { at: "${{ now() }}" } }
  - when: event.attempt < input.ok_at
    fail: { type: job/busy, status: 503, retriable: "${{ input.retriable }}" }
  - object_store.put: { collection: done, id: "${{ event.id }}", document: { attempt: "${{ event.attempt }}" } }
on_error:
  - object_store.put: { collection: failed, id: "${{ event.id }}", document: { attempt: "${{ event.attempt }}", type: "${{ error.type }}" } }
`

func TestDurableRetry(t *testing.T) {
	t.Parallel()
	t.Run("a retriable failure comes again with attempt + 1, holding nothing", func(t *testing.T) {
		t.Parallel()
		h := start(t, failing)
		h.publish("job.new", `{"ok_at":3,"retriable":true}`)
		h.settle()
		if n := len(h.docs("tries")); n != 0 {
			t.Errorf("the failed try left %d documents", n)
		}
		h.restart() // the wait survives
		h.advance(9*time.Second, time.Second)
		if n := len(h.docs("done")); n != 0 {
			t.Fatal("came too early")
		}
		h.advance(21*time.Second, time.Second)
		docs := h.docs("done")
		if len(docs) != 1 || docs[0]["attempt"] != 3.0 {
			t.Errorf("done: %v\n%s", docs, h.log)
		}
	})
	t.Run("the last attempt's failure runs on_error", func(t *testing.T) {
		t.Parallel()
		h := start(t, failing)
		h.publish("job.new", `{"ok_at":99,"retriable":true}`)
		h.settle()
		h.advance(time.Minute, time.Second)
		docs := h.docs("failed")
		if len(docs) != 1 || docs[0]["attempt"] != 3.0 || docs[0]["type"] != "job/busy" {
			t.Errorf("failed: %v", docs)
		}
	})
	t.Run("a failure that is not retriable is the last", func(t *testing.T) {
		t.Parallel()
		h := start(t, failing)
		h.publish("job.new", `{"ok_at":99,"retriable":false}`)
		h.settle()
		if docs := h.docs("failed"); len(docs) != 1 || docs[0]["attempt"] != 1.0 {
			t.Errorf("failed: %v", docs)
		}
	})
}

func TestOrderPerKeyHoldsAcrossRetries(t *testing.T) {
	t.Parallel()
	project := func(while string) string {
		return `pipeline: ordered
trigger:
  event:
    types: [step.next]
    concurrency: 8
    order_by: input.key
    while_waiting: ` + while + `
    retry: { attempts: 2, initial: 10s, jitter: none }
steps:
  - when: input.n == 1 and event.attempt == 1
    fail: { type: demo/once, status: 503, retriable: true }
  - name: before
    object_store.get: { collection: seen, id: "${{ input.key }}" }
  - object_store.put:
      collection: seen
      id: ${{ input.key }}
      document: { order: "${{ (steps.before.order ?? \"\") + string(input.n) }}" }
`
	}
	for while, want := range map[string]string{"block": "123", "skip": "231"} {
		t.Run(while, func(t *testing.T) {
			t.Parallel()
			h := start(t, project(while))
			for _, key := range []string{"a", "b"} {
				for n := 1; n <= 3; n++ {
					h.publish("step.next", fmt.Sprintf(`{"key":%q,"n":%d}`, key, n))
				}
			}
			h.settle()
			h.restart()
			h.settle()
			h.advance(11*time.Second, time.Second)
			for _, d := range h.docs("seen") {
				if d["order"] != want {
					t.Errorf("key %v: %v, want %s", d["_id"], d["order"], want)
				}
			}
			if n := len(h.docs("seen")); n != 2 {
				t.Errorf("%d keys", n)
			}
		})
	}
}

func TestUnhandledFailuresBecomeDeadLettersAndReachTheErrorTrigger(t *testing.T) {
	t.Parallel()
	h := start(t, `-- work.yaml --
pipeline: work
trigger: { event: { types: [job.new] } }
steps:
  - name: breaks
    fail: { type: job/broken, title: Broken }
-- handler.yaml --
pipeline: handler
trigger: { error: {} }
steps:
  - object_store.put:
      collection: alerts
      id: ${{ input.id }}
      document: { pipeline: "${{ input.pipeline }}", type: "${{ error.type }}", step: "${{ error.step }}", input: "${{ input.input }}" }
`)
	h.publish("job.new", `{"n":7}`)
	h.settle()
	letters, alerts := h.docs("dead_letters"), h.docs("alerts")
	if len(letters) != 1 || len(alerts) != 1 {
		t.Fatalf("%d dead letters, %d alerts\n%s", len(letters), len(alerts), h.log)
	}
	a := alerts[0]
	if a["pipeline"] != "work" || a["type"] != "job/broken" || a["step"] != "breaks" || fmt.Sprint(a["input"]) != "map[n:7]" {
		t.Errorf("alert: %v", a)
	}
	if text := h.log.String(); strings.Count(text, "an execution failed") != 1 || !strings.Contains(text, `handled_by="error trigger"`) {
		t.Errorf("the log does not have one line with what handled it:\n%s", text)
	}
	if l := letters[0]; l["status"] != "resolved" || l["trigger"] != "event" || l["attempts"] != 1.0 {
		t.Errorf("the letter of a failure that a handler took care of: %v", l)
	}
}

func TestOnFailureAndReprocess(t *testing.T) {
	t.Parallel()
	project := `-- work.yaml --
pipeline: work
trigger: { event: { types: [job.new] } }
on_failure: { collection: job_errors, permanent: error.status == 422 }
steps:
  - when: input.status == 422 or event.attempt < input.ok_at
    fail: { type: job/broken, status: "${{ input.status }}", retriable: "${{ input.status == 503 }}" }
  - object_store.insert: { collection: done, id: "${{ event.id }}", document: { attempt: "${{ event.attempt }}" } }
-- again.yaml --
pipeline: again
trigger: { cron: { schedule: "* * * * *" } }
steps:
  - reprocess:
      collection: job_errors
      max_attempts: 3
      backoff: { initial: 90s, max: 1h, jitter: none }
      exhausted:
        - publish: { event: job.failed, data: { attempts: "${{ item.attempts }}", n: "${{ item.input.n }}" } }
-- failed.yaml --
pipeline: failed
trigger: { event: { types: [job.failed] } }
steps:
  - object_store.put: { collection: given_up, id: "${{ event.id }}", document: "${{ input }}" }
`
	t.Run("a failure is recorded, republished with the same id, and resolved", func(t *testing.T) {
		t.Parallel()
		h := start(t, project)
		id := h.publish("job.new", `{"n":1,"status":503,"ok_at":3}`)
		h.settle()
		recs := h.docs("job_errors")
		if len(recs) != 1 || recs[0]["status"] != "pending" || recs[0]["attempts"] != 1.0 || recs[0]["id"] != id {
			t.Fatalf("records: %v", recs)
		}
		h.advance(time.Minute, 10*time.Second)
		if h.docs("job_errors")[0]["attempts"] != 1.0 {
			t.Error("republished before its backoff was over")
		}
		h.advance(10*time.Minute, 10*time.Second)
		if recs = h.docs("job_errors"); recs[0]["status"] != "resolved" {
			t.Errorf("record: %v", recs[0])
		}
		if done := h.docs("done"); len(done) != 1 || done[0]["_id"] != id || done[0]["attempt"] != 3.0 {
			t.Errorf("done: %v", done)
		}
	})
	t.Run("at the limit it is exhausted, once", func(t *testing.T) {
		t.Parallel()
		h := start(t, project)
		h.publish("job.new", `{"n":2,"status":503,"ok_at":99}`)
		h.settle()
		h.advance(time.Hour, 30*time.Second)
		recs, up := h.docs("job_errors"), h.docs("given_up")
		if recs[0]["status"] != "exhausted" || recs[0]["attempts"] != 3.0 {
			t.Errorf("record: %v", recs[0])
		}
		if len(up) != 1 || up[0]["n"] != 2.0 || up[0]["attempts"] != 3.0 {
			t.Errorf("given up: %v", up)
		}
	})
	t.Run("a permanent failure is given up without another attempt", func(t *testing.T) {
		t.Parallel()
		h := start(t, project)
		h.publish("job.new", `{"n":3,"status":422,"ok_at":1}`)
		h.settle()
		h.advance(2*time.Minute, 10*time.Second)
		if recs := h.docs("job_errors"); recs[0]["status"] != "exhausted" || recs[0]["attempts"] != 1.0 {
			t.Errorf("record: %v", recs[0])
		}
	})
}

func TestDelayedAndDeduplicatedEvents(t *testing.T) {
	t.Parallel()
	h := start(t, `-- in.yaml --
pipeline: in
trigger: { http: { method: POST, path: /run } }
steps:
  - publish: { event: mail.due, id: "mail-${{ input.n }}", data: { n: "${{ input.n }}" } }
  - publish: { event: mail.late, delay: 1h, data: { n: "${{ input.n }}" } }
  - respond: { body: ok }
-- out.yaml --
pipeline: out
trigger: { event: { types: ["mail.*"] } }
steps:
  - object_store.insert: { collection: sent, id: "${{ event.id }}", document: { type: "${{ event.type }}" } }
`)
	h.run(`{"n":1}`)
	h.run(`{"n":1}`)
	h.settle()
	if n := len(h.docs("sent")); n != 1 {
		t.Errorf("%d mails at once, want the one that is not a duplicate", n)
	}
	h.restart()
	h.advance(time.Hour, 10*time.Minute)
	if n := len(h.docs("sent")); n != 3 {
		t.Errorf("%d mails after an hour, want 3", n)
	}
}

func TestAcceptedRequestsAreDurableBeforeTheyRun(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: later
trigger: { http: { method: POST, path: /run, respond: accepted } }
steps:
  - object_store.put: { collection: got, id: "${{ request.headers[\"x-id\"] ?? \"none\" }}", document: "${{ input }}" }
`)
	a := h.post("/run", `{"big":9007199254740993}`)
	if a.status != 202 || !strings.Contains(a.body, `"id"`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if n := len(h.docs("got")); n != 0 {
		t.Fatal("it ran before it was asked to")
	}
	h.restart()
	h.settle()
	if n := len(h.docs("got")); n != 1 {
		t.Errorf("%d documents after the restart\n%s", n, h.log)
	}
}

func TestConflictsRunTheExecutionAgain(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: count
trigger: { http: { method: POST, path: /run } }
steps:
  - name: c
    object_store.get: { collection: counters, id: one }
  - when: steps.c == nil
    object_store.insert: { collection: counters, id: one, document: { n: 1 } }
  - when: steps.c != nil
    object_store.put: { collection: counters, id: one, document: { n: "${{ steps.c.n + 1 }}" }, if_version: "${{ steps.c._version }}" }
  - respond: { body: ok }
`)
	const n = 20
	done := make(chan answer, n)
	for range n {
		go func() { done <- h.request("POST", "/run", `{}`) }()
	}
	for range n {
		if a := <-done; a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if docs := h.docs("counters"); docs[0]["n"] != float64(n) {
		t.Errorf("counter: %v, want %d", docs[0], n)
	}
}

// TestWhileWaiting has the first event of a key fail and wait: block keeps the key
// closed until it is over, skip lets the key's next events pass.
func TestWhileWaiting(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]struct{ during, after string }{
		"block": {"b1", "b1 a1 a2 a3"},
		"skip":  {"b1 a2 a3", "b1 a2 a3 a1"},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			h := start(t, `pipeline: keyed
trigger: { event: { types: [go], concurrency: 1, order_by: event.key, while_waiting: `+policy+`, retry: { attempts: 3, initial: 4m } } }
steps:
  - when: input.name == "a1" and event.attempt == 1
    fail: { type: x/later, title: Later, retriable: true }
  - name: before
    object_store.get: { collection: order, id: all }
  - object_store.put: { collection: order, id: all, document: { names: "${{ concat(steps.before.names ?? [], [input.name]) }}" } }
`)
			for _, name := range []string{"a1", "a2", "a3", "b1"} {
				ev := newEvent("go", `{"name":"`+name+`"}`)
				ev.Key = name[:1]
				if _, err := h.engine.Publish(t.Context(), ev); err != nil {
					t.Fatal(err)
				}
			}
			seen := func() string {
				list := h.docs("order")
				if len(list) == 0 {
					return ""
				}
				var names []string
				for _, n := range list[0]["names"].([]any) {
					names = append(names, n.(string))
				}
				return strings.Join(names, " ")
			}
			h.settle()
			if got := seen(); got != want.during {
				t.Errorf("while it waits: %s, want %s", got, want.during)
			}
			h.crash()
			h.settle()
			if got := seen(); got != want.during {
				t.Errorf("after a crash: %s, want %s", got, want.during)
			}
			h.advance(time.Hour, 10*time.Minute)
			if got := seen(); got != want.after {
				t.Errorf("at the end: %s, want %s", got, want.after)
			}
		})
	}
}
