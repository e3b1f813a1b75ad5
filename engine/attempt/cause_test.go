package attempt_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// claim is a cause that notes in the batch what became of it, so that a test sees whether
// that is durable.
type claim struct {
	never   bool // it cannot be put off
	settled int
	due     time.Time
}

func (c *claim) Settle(o *attempt.Outcome, b *store.Batch) {
	c.settled++
	b.Meta = append(b.Meta, store.Meta{Key: "cause", Value: "settled " + o.Status})
}

func (c *claim) PutOff(b *store.Batch, due time.Time, p *pipelined.Problem) bool {
	if c.never {
		return false
	}
	c.due = due
	b.Meta = append(b.Meta, store.Meta{Key: "cause", Value: "put off because of " + p.Type})
	return true
}

// kind is a kind of cause: what triggers a pipeline, and what its attempt is given.
type kind struct {
	name, trigger string
	start         func(r *enginetest.Room, a *attempt.Attempt)
}

// kinds are all there are. A delivery comes with and without a retry.
var kinds = []kind{
	{"request", "trigger: { http: { method: POST, path: /work } }\n", func(_ *enginetest.Room, a *attempt.Attempt) {
		a.Trigger, a.Waiting = "http", true
		a.Request = func() any { return map[string]any{"method": "POST", "path": "/work"} }
	}},
	{"delivery", "trigger: { event: { types: [job.new] } }\n", deliver},
	{"delivery that may come again", "trigger: { event: { types: [job.new], retry: { attempts: 3, backoff: constant, initial: 10s, jitter: none } } }\n", deliver},
	{"tick", "trigger: { cron: { schedule: \"@hourly\" } }\n", func(_ *enginetest.Room, a *attempt.Attempt) {
		a.Trigger, a.Input = "cron", nil
		a.Tick = &attempt.Tick{Scheduled: enginetest.Epoch, Previous: enginetest.Epoch.Add(-time.Hour)}
	}},
	{"manual", "", func(*enginetest.Room, *attempt.Attempt) {}},
}

func deliver(r *enginetest.Room, a *attempt.Attempt) {
	ev := r.Publish(r.Event("job.new", "k-1", `{"n":7,"password":"hush"}`))
	a.Trigger, a.Deliveries, a.Event, a.Input = "event", 1, &ev, value.Raw(ev.Data)
}

func kindOf(name string) kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	panic("no such kind: " + name)
}

// project is the pipeline work with a kind's trigger; rest is everything from steps on,
// and what further files there are.
func (k kind) project(rest string) string {
	head := "-- pipelined.yaml --\nproject: shop\nredact: [password]\n-- work.yaml --\npipeline: work\n"
	return head + k.trigger + rest
}

// attempt is one of the pipeline work.
func (k kind) attempt(r *enginetest.Room) (*attempt.Attempt, *claim) {
	c := &claim{}
	a := r.Attempt("work", c)
	a.Input = value.Raw(`{"n":7,"password":"hush"}`)
	k.start(r, a)
	return a, c
}

// run is an attempt of a room's pipeline work, from its start to its end.
func (k kind) run(r *enginetest.Room) (attempt.Ending, *claim) {
	r.Helper()
	a, c := k.attempt(r)
	return r.Runner.Run(r.Context(), a), c
}

// ways are the two ways of running an attempt; they come to the same.
var ways = map[string]start{
	"run": func(ctx context.Context, r *enginetest.Room, a *attempt.Attempt) attempt.Ending {
		return r.Runner.Run(ctx, a)
	},
	"start": func(ctx context.Context, r *enginetest.Room, a *attempt.Attempt) attempt.Ending {
		done := make(chan attempt.Ending, 2)
		r.Runner.Start(ctx, a, func(e attempt.Ending) { done <- e })
		e := <-done
		if len(done) > 0 {
			r.Error("done is called twice")
		}
		return e
	},
}

// start runs an attempt in one of the ways.
type start = func(ctx context.Context, r *enginetest.Room, a *attempt.Attempt) attempt.Ending

// everyKind runs a test for each kind of cause, started in the two ways in turn.
func everyKind(t *testing.T, test func(t *testing.T, k kind, start start)) {
	t.Helper()
	for i, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, k, ways[[]string{"run", "start"}[i%2]])
		})
	}
}

// everyWay runs a test for each kind of cause, started in each way.
func everyWay(t *testing.T, test func(t *testing.T, k kind, start start)) {
	t.Helper()
	for _, k := range kinds {
		for way, start := range ways {
			t.Run(k.name+", "+way, func(t *testing.T) {
				t.Parallel()
				test(t, k, start)
			})
		}
	}
}

// cause is what is durable of the cause.
func cause(r *enginetest.Room) string {
	r.Helper()
	text, err := r.Store.Meta(r.Context(), "cause")
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// failures are the lines that tell of a failed execution.
func failures(r *enginetest.Room) (out []string) {
	for _, line := range r.Logs.Lines("pipeline=work") {
		if strings.Contains(line, "an execution failed") {
			out = append(out, line)
		}
	}
	return out
}
