package crashtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// settings are what differs between projects.
type settings struct {
	concurrency int // of the subscriptions that may run beside each other
	retries     int // attempts at which a flaky event succeeds, at most
	limit       int // attempts of the reprocessor
	bulk        int // items of a bulk
	every       int // commit_every
	missed      string
	world       string // address of what is outside
}

func generate(r *rand.Rand) settings {
	s := settings{
		concurrency: 1 + r.IntN(16), retries: 2 + r.IntN(3), limit: 2 + r.IntN(2),
		bulk: 20 + r.IntN(200), every: 1 + r.IntN(40), missed: "all",
	}
	if r.IntN(3) == 0 { // more of one tenant than waits in memory
		s.bulk, s.every = 2500, 100+r.IntN(400)
	}
	return s
}

// count is the step pair that makes a doubled effect visible: how often the flow
// was committed for an id.
func count(collection, id, more string) string {
	return fmt.Sprintf(`  - name: seen_%[1]s
    object_store.get: { collection: %[1]s, id: "${{ %[2]s }}" }
  - object_store.put:
      collection: %[1]s
      id: ${{ %[2]s }}
      document: { times: "${{ (steps.seen_%[1]s.times ?? 0) + 1 }}"%[3]s }
`, collection, id, more)
}

// files are the project: every way a message can take.
func (s settings) files() map[string]string {
	files := map[string]string{
		"pipelined.yaml": "project: crash\nhistory: errors\ncollections:\n  people: { unique: [email] }\n",
		// answers when the order and its event are durable
		"orders.yaml": `pipeline: orders
trigger: { http: { method: POST, path: /orders } }
steps:
` + count("orders", "input.id", "") + `  - publish: { event: order.received, key: "${{ input.key }}" }
  - respond: { status: 200, body: { id: "${{ input.id }}" } }
`,
		// asked again and again with the same key until there is an answer
		"pay.yaml": `pipeline: pay
trigger: { http: { method: POST, path: /pay, idempotency: { required: true } } }
steps:
` + count("paid", "input.id", "") + `  - respond: { status: 200, body: { id: "${{ input.id }}" } }
`,
		// answers 202 and works after
		"accepted.yaml": `pipeline: accepted
trigger: { http: { method: POST, path: /accepted, respond: accepted } }
steps:
` + count("accepted", "input.id", ""),
		// fan-out: three events for each order, and back together
		"spread.yaml": fmt.Sprintf(`pipeline: spread
trigger: { event: { types: [order.received], concurrency: %d } }
steps:
  - foreach: 1..3
    as: n
    steps:
      - publish: { event: order.part, key: "${{ input.id }}", data: { id: "${{ input.id }}", part: "${{ n }}" } }
`, s.concurrency),
		"gather.yaml": fmt.Sprintf(`pipeline: gather
trigger: { event: { types: [order.part], concurrency: %d } }
steps:
`, s.concurrency) + count("gathered", "input.id", ""),
		// one after the other for each key
		"ordered.yaml": fmt.Sprintf(`pipeline: ordered
trigger: { event: { types: [order.received], concurrency: %d, order_by: input.key } }
steps:
  - name: lane
    object_store.get: { collection: lanes, id: "${{ input.key }}" }
  - object_store.put:
      collection: lanes
      id: ${{ input.key }}
      document: { seen: "${{ concat(steps.lane.seen ?? [], [input.n]) }}" }
`, s.concurrency),
		// one after the other for each key, with failures in between
		"stubborn.yaml": fmt.Sprintf(`pipeline: stubborn
trigger:
  event: { types: [order.received], concurrency: %d, order_by: input.key, retry: { attempts: 9, initial: 30ms, max: 60ms } }
steps:
  - when: event.attempt < 1 + input.n %% %d
    fail: { type: crash/flaky, title: Not yet, status: 503, retriable: true }
  - name: lane
    object_store.get: { collection: stubborn, id: "${{ input.key }}" }
  - object_store.put:
      collection: stubborn
      id: ${{ input.key }}
      document: { seen: "${{ concat(steps.lane.seen ?? [], [input.n]) }}" }
`, s.concurrency, s.retries),
		// durable retry: how many attempts it took is known
		"flaky.yaml": fmt.Sprintf(`pipeline: flaky
trigger:
  event: { types: [order.received], concurrency: %d, retry: { attempts: 9, initial: 30ms, max: 100ms } }
steps:
  - when: event.attempt < 1 + input.n %% %d
    fail: { type: crash/flaky, title: Not yet, status: 503, retriable: true }
`, s.concurrency, s.retries) + count("flaky", "input.id", `, attempt: "${{ event.attempt }}", n: "${{ input.n }}"`),
		// delayed events
		"later.yaml": `pipeline: later
trigger: { event: { types: [order.received], concurrency: 4 } }
steps:
  - publish: { event: order.later, delay: 80ms }
`,
		"late.yaml": `pipeline: late
trigger: { event: { types: [order.later], concurrency: 4 } }
steps:
` + count("late", "input.id", ""),
		// failures are recorded, sent again, and given up at the limit
		"fragile.yaml": fmt.Sprintf(`pipeline: fragile
trigger: { event: { types: [order.received], concurrency: %d } }
on_failure: { collection: failures }
steps:
  - when: input.n %% 5 == 0 and event.attempt < 1 + input.n %% 4
    fail: { type: crash/fragile, title: Broken, status: 500 }
`, s.concurrency) + count("fragile", "input.id", `, attempt: "${{ event.attempt }}"`),
		"again.yaml": fmt.Sprintf(`pipeline: again
trigger: { cron: { schedule: "@every 1s", missed: latest } }
steps:
  - reprocess:
      collection: failures
      batch: 500
      max_attempts: %d
      backoff: { initial: 10ms, max: 20ms }
      exhausted:
        - publish: { event: order.given_up, data: { id: "${{ item.input.id }}", attempts: "${{ item.attempts }}" } }
`, s.limit),
		"given_up.yaml": `pipeline: given_up
trigger: { event: { types: [order.given_up] } }
steps:
` + count("given_up", "input.id", `, attempts: "${{ input.attempts }}"`),
		// failures nobody records reach the error trigger
		"broken.yaml": `pipeline: broken
trigger: { event: { types: [order.received], concurrency: 4 } }
steps:
  - when: input.n % 7 == 0
    fail: { type: crash/broken, title: Broken, status: 500 }
`,
		"handler.yaml": `pipeline: handler
trigger: { error: { pipelines: [broken] } }
steps:
` + count("incidents", "input.input.id", ""),
		// every second once
		"ticks.yaml": fmt.Sprintf(`pipeline: ticks
trigger: { cron: { schedule: "@every 1s", missed: %s, overlap: queue } }
steps:
  - object_store.insert: { collection: ticks, id: "${{ schedule.time }}", document: { attempt: "${{ run.attempt }}" } }
`, s.missed),
		// a long list, committed on its way
		"bulk.yaml": fmt.Sprintf(`pipeline: bulk
trigger: { http: { method: POST, path: /bulk, respond: accepted } }
steps:
  - name: items
    foreach: 1..%d
    as: n
    commit_every: %d
    steps:
      - publish: { event: bulk.item, data: { id: "${{ input.id }}", n: "${{ n }}" } }
      - object_store.insert: { collection: bulk, id: "${{ input.id }}-${{ n }}", document: { id: "${{ input.id }}" } }
`, s.bulk, s.every),
		"bulk_item.yaml": fmt.Sprintf(`pipeline: bulk_item
trigger: { event: { types: [bulk.item], concurrency: %d, fair_by: input.id } }
steps:
  - object_store.insert: { collection: bulk_items, id: "${{ input.id }}-${{ input.n }}", document: { id: "${{ input.id }}" } }
`, s.concurrency),
	}
	maps.Copy(files, s.sagaFiles())
	maps.Copy(files, s.fileFiles())
	return files
}

// write puts the project into a folder. touched differs between two revisions that
// do the same.
func (s settings) write(dir string, touched int) error {
	for name, text := range s.files() {
		if name == "broken.yaml" {
			text = strings.Replace(text, "trigger:", fmt.Sprintf("description: Revision %d.\ntrigger:", touched), 1)
		}
		path := filepath.Join(dir, name)
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the project: %w", err)
		}
	}
	return nil
}
