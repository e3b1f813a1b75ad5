package step_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/revision"
)

const declared = `-- pipelined.yaml --
project: shop
events:
  job.done: { schema: done.json, key: data.id, dedupe: 1h }
  job.free: {}
-- done.json --
{ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] }
-- work.yaml --
pipeline: work
steps:
`

// TestPublish: everything an event is made of.
func TestPublish(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, publish string
		want          pipelined.Event
	}{
		{"input by default", "{ event: job.free }", pipelined.Event{Type: "job.free", ID: "id-0002", Data: input}},
		{"data, byte for byte", "{ event: job.free, data: { a: 1.10, b: \"${{ input.n }}\", z: null } }", pipelined.Event{Type: "job.free", ID: "id-0002", Data: `{"a":1.10,"b":7,"z":null}`}},
		{"the key that is declared", "{ event: job.done, data: { id: k } }", pipelined.Event{Type: "job.done", ID: "id-0002", Key: "k", Data: `{"id":"k"}`}},
		{"a key of its own", "{ event: job.done, data: { id: k }, key: \"x${{ input.n }}\" }", pipelined.Event{Type: "job.done", ID: "id-0002", Key: "x7", Data: `{"id":"k"}`}},
		{"an id", "{ event: job.done, id: \"once-${{ input.n }}\" }", pipelined.Event{Type: "job.done", ID: "once-7", Key: "a", Data: input}},
		{"headers", "{ event: job.free, data: 1, headers: { Trace: \"t${{ input.n }}\" } }", pipelined.Event{Type: "job.free", ID: "id-0002", Data: "1", Headers: map[string]string{"Trace": "t7"}}},
		{"a type that is computed", "{ event: \"job.${{ replace(input.id, 'a', 'done') }}\" }", pipelined.Event{Type: "job.done", ID: "id-0002", Key: "a", Data: input}},
		{"no delay", "{ event: job.free, data: 1, delay: 0s }", pipelined.Event{Type: "job.free", ID: "id-0002", Data: "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := run(t, declared+it(2, "publish: "+tt.publish)+say(2, "steps.it.event_id")).ok()
			list := p.Room.Events(tt.want.Type)
			if len(list) != 1 {
				t.Fatalf("%d events", len(list))
			}
			got := list[0].Event
			want := tt.want
			want.Source, want.Time, want.Attempt = "/shop/work", p.Clock.Now(), 1
			got.DedupeID, got.Time = "", got.Time.UTC()
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("published is %+v, want %+v", got, want)
			}
			if fmt.Sprint(p.said) != `["`+want.ID+`"]` {
				t.Errorf("its result is %v", p.said)
			}
		})
	}
}

// TestWhatCannotBePublished is an error of the step, before anything is.
func TestWhatCannotBePublished(t *testing.T) {
	t.Parallel()
	for publish, typ := range map[string]string{
		"{ event: \"${{ 'No ' + input.text }}\" }":                       "publish/type",
		"{ event: \"${{ 'pipelined.' + input.text }}\" }":                "publish/type",
		"{ event: job.done, data: \"${{ input.list }}\" }":               "event/invalid",
		"{ event: job.done, id: \"${{ input.missing }}\" }":              "publish/id",
		"{ event: job.free, delay: \"${{ input.n }}\" }":                 "expression/failed",
		"{ event: job.free, delay: \"${{ 'soon' + input.text }}\" }":     "expression/failed",
		"{ event: job.free, key: \"${{ 1 / input.zero }}\" }":            "expression/failed",
		"{ event: job.free, headers: { a: \"${{ 1 / input.zero }}\" } }": "expression/failed",
	} {
		p := run(t, declared+it(2, "publish: "+publish))
		if p.Problem == nil || p.Problem.Step != "it" || typ != "event/invalid" && p.Problem.Type != typ || p.Problem.Rejected {
			t.Errorf("%s: it ended %s, want %s", publish, p.outcome(), typ)
		}
		if n := len(p.Room.Events("job.done", "job.free")); n != 0 {
			t.Errorf("%s: %d events", publish, n)
		}
	}
}

// TestAPublishThatWasThereBefore is dropped within the window, whatever it was published
// by; each is counted once and a line for who debugs, and the step's result is the same.
func TestAPublishThatWasThereBefore(t *testing.T) {
	t.Parallel()
	p := stage(t, declared+it(2, "publish: { event: job.done, id: once }")+"  - publish: { event: job.done, id: once }\n  - publish: { event: job.done, id: once, delay: 1m }\n  - publish: { event: job.free, id: once }\n"+say(2, "steps.it.event_id"))
	p.again(0).ok()
	dropped := func(done, free int64) {
		t.Helper()
		got := p.Runner.Counters.Duplicates()
		if got["job.done"] != done || got["job.free"] != free {
			t.Errorf("dropped are %v, want %d and %d", got, done, free)
		}
		if n := int64(len(p.Logs.Lines("level=DEBUG", "its publish.id was there", "id=once"))); n != done+free {
			t.Errorf("%d lines tell of them", n)
		}
	}
	dropped(2, 0)
	p.again(0).ok()
	dropped(5, 1)
	p.Clock.Advance(time.Hour)
	p.again(0).ok()
	dropped(7, 2) // the window of job.done is over, not that of job.free
	if done, free := len(p.Room.Events("job.done")), len(p.Room.Events("job.free")); done != 2 || free != 1 || fmt.Sprint(p.said) != `["once" "once" "once"]` {
		t.Errorf("%d and %d events, results %v", done, free, p.said)
	}
}

// TestADelayedEventWaits outside of the log.
func TestADelayedEventWaits(t *testing.T) {
	t.Parallel()
	p := run(t, declared+"  - publish: { event: job.free, delay: \"${{ string(input.n) }}m\" }\n").ok()
	due, err := p.Store.NextDelayed(t.Context())
	if err != nil || !due.Equal(p.Clock.Now().Add(7*time.Minute)) || len(p.Room.Events("job.free")) != 0 {
		t.Errorf("it is due at %s (%v), and %d are there", due, err, len(p.Room.Events("job.free")))
	}
}

// TestAFullBacklogReachesThePublisher as an error that may be retried.
func TestAFullBacklogReachesThePublisher(t *testing.T) {
	t.Parallel()
	p := stage(t, declared+it(2, "publish: { event: job.free }\nretry: { attempts: 3, initial: 1m, max: 1m, jitter: none }"))
	refused := 0
	p.Runner.Refuse = func(*revision.Revision) func(string) *pipelined.Problem {
		return func(typ string) *pipelined.Problem {
			if refused++; refused > 2 {
				return nil
			}
			return pipelined.NewProblem("publish/backlog", "Too many "+strings.ToUpper(typ), 503, "").Transient()
		}
	}
	if p.again(0).ok(); p.took() != 2*time.Minute || len(p.Room.Events("job.free")) != 1 {
		t.Errorf("after %s, %d events", p.took(), len(p.Room.Events("job.free")))
	}
}
