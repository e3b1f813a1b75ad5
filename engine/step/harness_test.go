package step_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/engine/execution"
	"pipelined/engine/scenario"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// cause starts a pipeline by hand.
type cause struct{}

func (cause) Settle(*attempt.Outcome, *store.Batch)                           {}
func (cause) PutOff(*store.Batch, time.Time, *pipelined.Problem) (comes bool) { return false }

// play is a room in which the pipeline work is run, on virtual time.
type play struct {
	*enginetest.Room
	attempt.Ending
	host  *scenario.Host
	ended bool          // false: it was stopped at a fault point
	drain time.Duration // how long until the runtime drains; 0: it does not

	mu   sync.Mutex
	said []string // what steps of the probe with do: say were given
	keys []string // the idempotency keys of those with do: key
}

// input is what every pipeline is given.
const input = `{"n":7,"zero":0,"list":[1,2,3],"id":"a","text":"x"}`

// files is a project of a pipeline work of these steps, and others that it may call.
func files(steps string, more ...string) string {
	return "-- pipelined.yaml --\nproject: shop\n-- work.yaml --\npipeline: work\n" + steps + "\n" + strings.Join(more, "\n")
}

// stage puts a project on; nothing has run yet.
func stage(t *testing.T, project string) *play {
	t.Helper()
	p := &play{Room: enginetest.New(t, project)}
	p.Probe.On("say", func(_ context.Context, with any) (any, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.said = append(p.said, text(with))
		return with, nil
	})
	p.Probe.On("key", func(ctx context.Context, with any) (any, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		call := connectors.CallOf(ctx)
		p.keys = append(p.keys, call.Idempotency)
		return with, nil
	})
	p.Probe.On("echo", func(_ context.Context, with any) (any, error) { return with, nil })
	p.Probe.On("fail", func(context.Context, any) (any, error) { return nil, errors.New("the probe fails") })
	p.Probe.On("panic", func(context.Context, any) (any, error) { panic("the probe panics") })
	p.Probe.On("wait", func(ctx context.Context, _ any) (any, error) {
		return nil, p.host.Sleep(ctx, time.Hour)
	})
	p.Probe.On("stream", func(_ context.Context, with any) (any, error) {
		return map[string]any{"rows": &rows{list: elements(with)}}, nil
	})
	return p
}

// run runs a project's pipeline work once.
func run(t *testing.T, project string) *play { t.Helper(); return stage(t, project).again(0) }

// again runs the pipeline, up to a fault point; 0 is to its end. What started it is the
// same event each time.
func (p *play) again(stopAt int) *play {
	p.Helper()
	p.host = scenario.NewHost(p.Clock, 1).StopAt(stopAt)
	p.Runner.Host = p.host
	p.ended = p.host.Run(func() {
		a := p.Attempt("work", cause{})
		a.Input = value.Raw(input)
		a.Event = &store.StoredEvent{Seq: 1, Event: pipelined.Event{ID: "e-1", Type: "job.new", Data: input}}
		ctx := p.Context()
		if p.drain > 0 {
			var cancel context.CancelFunc
			ctx, cancel = p.host.WithTimeout(ctx, p.drain, pipelined.ErrStopping)
			defer cancel()
		}
		p.Ending = p.Runner.Run(ctx, a)
	})
	return p
}

// ok demands that the run succeeded.
func (p *play) ok() *play {
	p.Helper()
	if p.Outcome == nil || p.Status != attempt.StatusOK || p.Err != nil {
		p.Fatalf("it ended %s\n%s\n%s", p.outcome(), p.Logs, p.host.Transcript())
	}
	return p
}

// took is how long it took, on the room's clock.
func (p *play) took() time.Duration { return p.Clock.Now().Sub(enginetest.Epoch) }

// failed demands that the run failed with a type and a status.
func (p *play) failed(typ string, status int) *pipelined.Problem {
	p.Helper()
	if p.Outcome == nil || p.Problem == nil || p.Problem.Type != typ || p.Problem.Status != status {
		p.Fatalf("it ended %s, it was to fail of %s (%d)\n%s", p.outcome(), typ, status, p.Logs)
	}
	return p.Problem
}

func (p *play) outcome() string {
	if p.Outcome == nil {
		return "nowhere"
	}
	if p.Problem == nil {
		return p.Status
	}
	raw, _ := json.Marshal(p.Problem)
	return p.Status + " " + string(raw)
}

// left is what a run left: documents by collection and id, and events.
func (p *play) left(collections ...string) string {
	p.Helper()
	out := map[string]any{}
	for _, c := range collections {
		for id, d := range p.Documents(c) {
			out[c+"/"+id] = d
		}
	}
	for _, ev := range p.Room.Events("job.done") {
		out["event "+ev.ID] = value.Raw(ev.Data)
	}
	return text(out)
}

// text is a value as JSON.
func text(v any) string {
	raw, err := value.JSON(v)
	if err != nil {
		return "!" + err.Error()
	}
	return string(raw)
}

func elements(v any) []any {
	list, err := value.Elements(v)
	if err != nil {
		panic(err)
	}
	return list
}

// rows is a stream of a list. A text among its values is what it does in its place:
// panic, or fail.
type rows struct {
	list   []any
	closed int
	meet   func() // called before a panic; may be nil
}

func (r *rows) Next(ctx context.Context) (any, bool, error) {
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	if len(r.list) == 0 {
		return nil, false, nil
	}
	v := r.list[0]
	r.list = r.list[1:]
	switch value.Scalar(v) {
	case "panic":
		if r.meet != nil {
			r.meet()
		}
		panic("the stream panics")
	case "fail":
		return nil, false, errors.New("the stream fails")
	}
	return v, true, nil
}

func (r *rows) Close() error { r.closed++; return nil }

// it is a step called it, as an element of a list, so far to the right.
func it(indent int, body string) string { return list(indent, "name: it\n"+body) }

// list is a step as an element of a list.
func list(indent int, body string) string {
	pad := strings.Repeat(" ", indent)
	var b strings.Builder
	for i, line := range strings.Split(strings.Trim(body, "\n"), "\n") {
		lead := "  "
		if i == 0 {
			lead = "- "
		}
		fmt.Fprintf(&b, "%s%s%s\n", pad, lead, line)
	}
	return b.String()
}

// settled waits until as few goroutines run as before, of which the process has others.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines more than before\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
}

var _ execution.Host = (*scenario.Host)(nil)

// rows has steps of the probe with do: rows give a stream that the test looks at.
func (p *play) rows(list ...any) *rows {
	r := &rows{list: list}
	p.Probe.On("rows", func(context.Context, any) (any, error) { return map[string]any{"rows": r}, nil })
	return r
}

// flaky is what a step of the probe does that fails the first n times; it notes its keys.
func (p *play) flaky(n int) enginetest.Call {
	return func(ctx context.Context, _ any) (any, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.keys = append(p.keys, connectors.CallOf(ctx).Idempotency)
		if len(p.keys) <= n {
			return nil, pipelined.NewProblem("probe/flaky", "Not yet", 503, "").Transient()
		}
		return len(p.keys), nil
	}
}

// says are steps and what those of them with do: say are given, which must be that.
type says struct{ name, steps, want string }

// check runs each, which ends well unless its name begins with "fails".
func check(t *testing.T, more string, tests []says) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := stage(t, files("steps:\n"+tt.steps, more)).furnished().again(0)
			if !strings.HasPrefix(tt.name, "fails") {
				p.ok()
			} else if p.Problem == nil {
				t.Errorf("it ended %s", p.outcome())
			}
			if got := strings.Join(p.said, " "); got != tt.want {
				t.Errorf("said is %s, want %s; it ended %s", got, tt.want, p.outcome())
			}
		})
	}
}

// say is a step that says an expression, as an element of a list.
func say(indent int, expression string) string {
	return list(indent, "probe: { do: say, with: '${{ "+strings.ReplaceAll(expression, "'", "''")+" }}' }")
}

// outage is what a step of the probe does whose service says 401.
func outage(context.Context, any) (any, error) {
	p := pipelined.NewProblem("probe/status", "The service said no", 401, "")
	p.Data = json.RawMessage(`{"secret":true}`)
	return nil, p
}
