package engine_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
)

// where is a connector that notes the calls it stands in.
type where struct {
	mu    sync.Mutex
	calls map[string][]string // by pipeline, outermost first
	seen  chan string
}

type whereParams struct {
	Say string `yaml:"say" doc:"Nothing that matters."`
}

func (*where) Close() error { return nil }

func (w *where) call(ctx context.Context, _ whereParams) (any, error) {
	pcs := make([]uintptr, 100)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	var calls []string
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); strings.HasPrefix(f.Function, "pipelined/") {
			calls = append(calls, f.Function)
		}
	}
	slices.Reverse(calls)
	pipeline := connectors.CallOf(ctx).Pipeline
	w.mu.Lock()
	w.calls[pipeline] = calls
	w.mu.Unlock()
	w.seen <- pipeline
	return nil, nil
}

func (w *where) connector() *connectors.Connector {
	return connectors.Define("where", connectors.Doc{Summary: "Says where it is called."},
		func(context.Context, connectors.None, connectors.Env) (*where, error) { return w, nil },
		connectors.Op("", connectors.Doc{Summary: "Says."}, connectors.Pure, (*where).call))
}

// TestTheWayToTheFlowIsShortAndOne: from the socket, the delivery and the tick to the flow
// it is at most twelve functions in six packages, and from the runner on the same ones.
func TestTheWayToTheFlowIsShortAndOne(t *testing.T) {
	t.Parallel()
	w := &where{calls: map[string][]string{}, seen: make(chan string, 10)}
	h := startWith(t, `-- request.yaml --
pipeline: request
trigger: { http: { method: POST, path: /run } }
steps: [ { where: { say: a } } ]
-- delivery.yaml --
pipeline: delivery
trigger: { event: { types: [job.new] } }
steps: [ { where: { say: a } } ]
-- tick.yaml --
pipeline: tick
trigger: { cron: { schedule: "@hourly" } }
steps: [ { where: { say: a } } ]
`, connectors.NewSet(append(connectorsall.Set().Families(), w.connector())...))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.engine.Run(ctx) }()
	server := httptest.NewServer(h.engine)
	defer server.Close()
	if _, err := http.Post(server.URL+"/run", "application/json", strings.NewReader(`{}`)); err != nil {
		t.Fatal(err)
	}
	h.publish("job.new", `{}`)
	for n, armed := h.clock.Timers(); n < 2; n, armed = h.clock.Timers() { // the scheduler and the housekeeping wait
		<-armed
	}
	h.clock.Advance(time.Hour)
	for range 3 {
		<-w.seen
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ways := map[string]string{}
	for cause, calls := range w.calls {
		way := toFlow(calls)
		packages := map[string]bool{}
		for _, c := range way {
			packages[packageOf(c)] = true
		}
		if len(way) < 3 || len(way) > 12 || len(packages) > 6 {
			t.Errorf("%s: %d functions in %d packages:\n%s", cause, len(way), len(packages), strings.Join(way, "\n"))
		}
		ways[cause] = strings.Join(way[slices.IndexFunc(way, func(c string) bool { return strings.HasSuffix(c, "(*Runner).once") }):], "\n")
	}
	if len(ways) != 3 || ways["request"] != ways["delivery"] || ways["request"] != ways["tick"] {
		t.Errorf("the ways from the runner on: %v", ways)
	}
}

// toFlow are the calls before the flow; what a goroutine was started with counts as one.
func toFlow(calls []string) []string {
	end := slices.IndexFunc(calls, func(c string) bool { return strings.HasSuffix(c, "execution.RunMain") })
	return calls[:end+1]
}

// packageOf is the package of a function, such as pipelined/engine/edge.
func packageOf(function string) string {
	slash := strings.LastIndex(function, "/")
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + name
}
