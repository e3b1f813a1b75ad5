package consumer_test

import (
	"fmt"
	"slices"
	"testing"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/internal/store"
)

// TestWhatPipelinesSubscribeTo: each kind of trigger, with what it says of itself.
func TestWhatPipelinesSubscribeTo(t *testing.T) {
	t.Parallel()
	type wants struct {
		concurrency         int
		from                int64
		skip                bool
		order, tenant, keep bool
		takes, leaves       []string // event types
	}
	tests := []struct {
		name, trigger string
		want          *wants // nil: nothing
	}{
		{"an event", "event: { types: [job.new, \"order.*\"] }",
			&wants{concurrency: 16, from: -1, takes: []string{"job.new", "order.line.new"}, leaves: []string{"job.old", "pipelined.redrive", attempt.FailedType}}},
		{"an event, with all it can say", "event: { types: [job.new], concurrency: 3, from: beginning, order_by: event.key, fair_by: input.tenant, while_waiting: skip, where: input.n > 1 }",
			&wants{concurrency: 3, skip: true, order: true, tenant: true, keep: true, takes: []string{"job.new"}, leaves: []string{"order.new"}}},
		{"a request that is accepted", "http: { method: POST, path: /work, respond: accepted }",
			&wants{concurrency: 16, from: -1, takes: []string{"pipelined.http.work", "pipelined.request.work"}, leaves: []string{"pipelined.http.other", "pipelined.request.other", "pipelined.cron.work", "job.new"}}},
		{"a source", "feed: { concurrency: 3, where: input.n > 1, order_by: event.key }",
			&wants{concurrency: 3, from: -1, order: true, keep: true, takes: []string{"pipelined.feed.work"}, leaves: []string{"pipelined.feed.other", "pipelined.request.work", "pipelined.http.work", "job.new"}}},
		{"failures", "error: {}",
			&wants{concurrency: 4, from: -1, keep: true, takes: []string{attempt.FailedType}, leaves: []string{"job.new", "pipelined.redrive"}}},
		{"a request that is waited for", "http: { method: POST, path: /work }", nil},
		{"a schedule", "cron: { schedule: \"@hourly\" }", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "-- work.yaml --\npipeline: work\ntrigger: { "+tt.trigger+" }\nsteps: [ { stop: true } ]\n-- sub.yaml --\npipeline: sub\nsteps: [ { stop: true } ]\n")
			list := b.consumer.Subscriptions(b.Current.Load())
			if len(list) == 0 || list[0].Name != redrives || !list[0].Matches(attempt.RedriveType) || list[0].Matches("job.new") || list[0].Concurrency != 4 {
				t.Fatalf("the first is %+v", list)
			}
			if list = list[1:]; (len(list) == 1) != (tt.want != nil) {
				t.Fatalf("wanted are %+v", list)
			}
			if tt.want == nil {
				return
			}
			c, w := list[0], tt.want
			if c.Name != "work" || c.Concurrency != w.concurrency || c.From != w.from || c.Skip != w.skip ||
				(c.OrderKey != nil) != w.order || (c.Tenant != nil) != w.tenant || (c.Where != nil) != w.keep {
				t.Errorf("wanted is %+v", c)
			}
			if slices.ContainsFunc(w.takes, func(typ string) bool { return !c.Matches(typ) }) || slices.ContainsFunc(w.leaves, c.Matches) {
				t.Error("it takes other types")
			}
		})
	}
}

// TestTheErrorTriggerTakesTheFailuresThatAreIts, by the pipeline that failed.
func TestTheErrorTriggerTakesTheFailuresThatAreIts(t *testing.T) {
	t.Parallel()
	b := newBench(t, `-- all.yaml --
pipeline: all
trigger: { error: {} }
steps: [ { stop: true } ]
-- some.yaml --
pipeline: some
trigger: { error: { pipelines: [work] } }
steps: [ { stop: true } ]
`+work("", "steps: [ { stop: true } ]\n"))
	want := map[string]map[string]bool{"work": {"some": true}, "other": {"all": true}, "some": {"all": true}, "all": {}}
	for _, c := range b.consumer.Subscriptions(b.Current.Load()) {
		if c.Where == nil {
			continue
		}
		for failed, takes := range want {
			got, err := c.Where(&store.StoredEvent{Event: pipelined.Event{Type: attempt.FailedType, Key: failed}})
			if err != nil || got != takes[c.Name] {
				t.Errorf("%s takes the failures of %s: %v, %v", c.Name, failed, got, err)
			}
		}
	}
}

// TestWhereKeepsOut: what it keeps out is counted, and nobody's to do any more.
func TestWhereKeepsOut(t *testing.T) {
	t.Parallel()
	b := newBench(t, work("where: input.n > 1 and event.key == 'k' and globals.limit == 3", looks)+"-- pipelined.yaml --\nglobals: { limit: 3 }\n")
	for n := range 4 {
		b.publish("job.new", "k", fmt.Sprintf(`{"n":%d}`, n))
	}
	b.publish("job.new", "other", `{"n":9}`)
	b.publish("job.old", "k", `{"n":9}`)
	if n := b.settle(); n != 2 || b.Probe.Calls("look") != 2 || b.Stats("work").Filtered != 3 {
		t.Errorf("%d ran, %+v", n, b.Stats("work"))
	}
}
