package execution_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/enginetest"
	"pipelined/engine/execution"
	"pipelined/internal/clock"
	"pipelined/internal/expression"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// steps is a flow that a test writes as a function.
type steps func(ctx context.Context, x *execution.Execution) error

func (s steps) Run(ctx context.Context, x *execution.Execution) error { return s(ctx, x) }

// begin is the outermost branch of a run, on a store in a folder of the test's.
func begin(t *testing.T, c *execution.Callee) (*execution.Execution, *enginetest.Log) {
	t.Helper()
	r := enginetest.New(t, "pipeline: work\nsteps: [ { stop: true } ]\n")
	if c.Slots == 0 {
		c.Slots = execution.BaseSlots
	}
	run := &execution.Run{ID: "run-1", Pipeline: "work", Project: "shop", Clock: r.Clock, Values: r.Runner.Values,
		Host: execution.Machine{Clock: r.Clock}, Logger: r.Logs.Logger(), Store: r.Store}
	return execution.New(run, c), r.Logs
}

// left is what the effects come to: documents and events, in order.
func left(x *execution.Execution) string {
	var b store.Batch
	x.Effects.Fill(&b)
	var out []string
	for _, d := range b.Documents {
		out = append(out, d.Collection+"/"+d.ID)
	}
	for _, ev := range b.Events {
		out = append(out, ev.ID)
	}
	for _, d := range b.Delayed {
		out = append(out, "later "+d.Event.ID)
	}
	return strings.Join(out, " ")
}

// writes has x write a document and publish an event, now and later, called name.
func writes(t *testing.T, x *execution.Execution, name string) {
	t.Helper()
	if _, err := x.Effects.Documents().Put(t.Context(), "c", name, "{}", 0); err != nil {
		t.Error(err)
	}
	x.Effects.Publish(&pipelined.Event{ID: name}, time.Time{})
	x.Effects.Publish(&pipelined.Event{ID: name}, enginetest.Epoch)
}

// TestEffectsRollBack to each mark, nested or not, with documents made before or after it.
func TestEffectsRollBack(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		x, _ := begin(t, &execution.Callee{})
		if first {
			writes(t, x, "a")
		}
		outer := x.Effects.Begin()
		writes(t, x, "b")
		mark := x.Effects.Mark()
		writes(t, x, "c")
		x.Effects.Rollback(mark)
		inner := x.Effects.Begin()
		writes(t, x, "d")
		x.Effects.Rollback(inner)
		kept := x.Effects.Begin()
		writes(t, x, "e")
		_ = kept
		x.Effects.Keep()
		var doc any
		doc, ok, err := x.Effects.Documents().Get(t.Context(), "c", "d")
		if ok || err != nil {
			t.Errorf("what was rolled back is read: %v %v", doc, err)
		}
		x.Effects.Rollback(outer)
		want := ""
		if first {
			want = "c/a a later a"
		}
		if got := left(x); got != want {
			t.Errorf("it left %q, want %q", got, want)
		}
		if got := left(x); got != "" {
			t.Errorf("filled twice, it gives %q", got)
		}
	}
	x, _ := begin(t, &execution.Callee{})
	writes(t, x, "a")
	if x.Effects.Drop(); left(x) != "" {
		t.Error("dropped effects are there")
	}
}

// TestBranchesJoin: the frame is a copy, documents are shared, and the events of those that
// stay come in the order given to Close.
func TestBranchesJoin(t *testing.T) {
	t.Parallel()
	x, _ := begin(t, &execution.Callee{Slots: execution.BaseSlots + 1})
	slot := execution.BaseSlots
	x.Set(slot, "outer")
	x.Set(-1, "nowhere")
	writes(t, x, "before")
	f := x.Fork()
	a, b, c := f.Branch(objectstore.Branch{Name: "a"}), f.Branch(objectstore.Branch{Name: "b"}), f.Branch(objectstore.Branch{Turn: 2})
	for i, y := range []*execution.Execution{b, a, c} {
		if y.Frame.Slots[slot] != "outer" {
			t.Errorf("a branch begins with %v", y.Frame.Slots[slot])
		}
		y.Set(slot, i)
	}
	writes(t, b, "b")
	writes(t, a, "a")
	if _, ok, err := a.Effects.Documents().Get(t.Context(), "c", "b"); !ok || err != nil {
		t.Errorf("a branch does not see what its sibling wrote: %v", err)
	}
	hidden := c.Effects.Begin()
	writes(t, c, "c")
	if _, ok, err := a.Effects.Documents().Get(t.Context(), "c", "c"); ok || err != nil {
		t.Errorf("a branch sees what its sibling may yet drop: %v", err)
	}
	c.Effects.Rollback(hidden)
	f.Close(a, b)
	if x.Frame.Slots[slot] != "outer" {
		t.Error("a branch changed the frame it is of")
	}
	if got := left(x); !strings.HasSuffix(got, " before a b later before later a later b") {
		t.Errorf("it left %q", got)
	}
}

// TestKeys: the same for the same run of a step, another for any other.
func TestKeys(t *testing.T) {
	t.Parallel()
	x, _ := begin(t, &execution.Callee{})
	if got := x.Key("s"); got != "run-1/s" {
		t.Errorf("without an event it is %s", got)
	}
	x.Run.EventID = "e-1"
	end := x.BeginTurns()
	x.Turn(3)
	y := x.Enter("call", &execution.Callee{Name: "sub", Slots: execution.BaseSlots}, nil)
	inner := y.BeginTurns()
	y.Turn(1)
	if got := y.Key("s"); got != "e-1/call/s/3/1" || y.Depth() != 1 || y.Pipeline() != "sub" || x.Pipeline() != "work" {
		t.Errorf("in a called pipeline it is %s, depth %d, of %s", got, y.Depth(), y.Pipeline())
	}
	inner()
	f := x.Fork()
	b := f.Branch(objectstore.Branch{Name: "b"})
	endBranch := b.BeginTurns()
	b.Turn(9)
	if got := x.Key("s"); got != "e-1/s/3" {
		t.Errorf("a turn of a branch shows outside: %s", got)
	}
	if got := b.Key("s"); got != "e-1/s/3/9" {
		t.Errorf("in a branch it is %s", got)
	}
	endBranch()
	f.Close()
	end()
	if got := x.Key("s"); got != "e-1/s" {
		t.Errorf("after the loop it is %s", got)
	}
	if x.Run.Source() != "/shop/work" {
		t.Errorf("the source is %s", x.Run.Source())
	}
}

var errBroken = pipelined.NewProblem("a/broken", "Broken", 500, "")

// TestListsEnd: each kind of list over each way to end.
func TestListsEnd(t *testing.T) {
	t.Parallel()
	stale := fmt.Errorf("reading: %w", objectstore.ErrStale)
	for name, err := range map[string]error{"ok": nil, "stop": execution.ErrStop, "a failure": errBroken, "stale": stale, "a drain": pipelined.ErrStopping} {
		x, _ := begin(t, &execution.Callee{})
		flow := steps(func(context.Context, *execution.Execution) error { return err })
		want := err
		if name == "stop" {
			want = nil
		}
		if got := execution.RunMain(t.Context(), x, flow); !errors.Is(got, want) || (got == nil) != (want == nil) {
			t.Errorf("RunMain: %s ends as %v", name, got)
		}
		if got := execution.RunList(t.Context(), x, flow); !errors.Is(got, want) || (got == nil) != (want == nil) {
			t.Errorf("RunList: %s ends as %v", name, got)
		}
		if got := execution.RunHandler(t.Context(), x, steps(func(ctx context.Context, x *execution.Execution) error {
			if x.Failed() != errBroken || x.Problem() != errBroken || x.Frame.Slots[execution.SlotError] == nil {
				t.Error("a handler does not see what failed")
			}
			return err
		}), errBroken); !errors.Is(got, want) || x.Failed() != nil || x.Problem() != nil || x.Frame.Slots[execution.SlotError] != nil {
			t.Errorf("RunHandler: %s ends as %v, and shows %v", name, got, x.Problem())
		}
		if signal := err != nil && name != "a failure"; execution.Signal(err) != signal {
			t.Errorf("%s is a signal: %v", name, !signal)
		}
		if beyond := name == "stale" || name == "a drain"; execution.Beyond(t.Context(), err) != beyond {
			t.Errorf("%s is beyond the flow: %v", name, !beyond)
		}
	}
}

// TestACalledPipelineHandles what is a failure of its own, and nothing else; its effects go
// with its failure.
func TestACalledPipelineHandles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		flow, handler error
		handled       bool
		want          string // the end; empty: well
		left          string
	}{
		"ok":                      {nil, errBroken, false, "", "c/flow flow later flow"},
		"stop":                    {execution.ErrStop, errBroken, false, "", "c/flow flow later flow"},
		"a failure":               {errBroken, nil, true, "", "c/handler handler later handler"},
		"a failure, and stop":     {errBroken, execution.ErrStop, true, "", "c/handler handler later handler"},
		"a failure, and another":  {errBroken, pipelined.NewProblem("b/worse", "Worse", 500, ""), true, "Worse < Broken", "c/handler handler later handler"},
		"stale":                   {objectstore.ErrStale, nil, false, objectstore.ErrStale.Error(), ""},
		"a drain":                 {pipelined.ErrStopping, nil, false, pipelined.ErrStopping.Error(), ""},
		"a failure, then a drain": {errBroken, pipelined.ErrStopping, true, pipelined.ErrStopping.Error(), "c/handler handler later handler"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, _ := begin(t, &execution.Callee{})
			handled := false
			y := x.Enter("call", &execution.Callee{Name: "sub", Slots: execution.BaseSlots,
				Flow: steps(func(_ context.Context, y *execution.Execution) error { writes(t, y, "flow"); return tt.flow }),
				OnError: steps(func(_ context.Context, y *execution.Execution) error {
					handled = true
					writes(t, y, "handler")
					return tt.handler
				})}, nil)
			err := execution.RunCalled(t.Context(), y)
			if handled != tt.handled || ended(err) != tt.want {
				t.Errorf("handled: %v, it ended %q, want %q", handled, ended(err), tt.want)
			}
			if got := left(x); got != tt.left {
				t.Errorf("it left %q, want %q", got, tt.left)
			}
		})
	}
}

// ended is an end as titles, the cause behind what it led to.
func ended(err error) string {
	var p *pipelined.Problem
	if err == nil {
		return ""
	}
	if !errors.As(err, &p) {
		return err.Error()
	}
	s := p.Title
	for ; p.Cause != nil; p = p.Cause {
		s += " < " + p.Cause.Title
	}
	return s
}

// TestBecause keeps what happened first as the last cause, once, and changes neither.
func TestBecause(t *testing.T) {
	t.Parallel()
	problem := func(title string, cause *pipelined.Problem) *pipelined.Problem {
		return &pipelined.Problem{Type: title, Title: title, Cause: cause}
	}
	first := problem("first", nil)
	for _, tt := range []struct {
		last *pipelined.Problem
		want string
	}{
		{problem("last", nil), "last < first"},
		{problem("last", problem("middle", nil)), "last < middle < first"},
		{problem("last", first), "last < first"},
		{problem("last", problem("first", nil)), "last < first"}, // passed on as it was
		{first, "first"},
	} {
		before := ended(tt.last)
		if got := ended(execution.Because(tt.last, first)); got != tt.want {
			t.Errorf("%s because of first is %s, want %s", before, got, tt.want)
		}
		if after := ended(tt.last); after != before || first.Cause != nil {
			t.Errorf("%s was changed to %s", before, after)
		}
	}
}

// TestAPanicEndsAtProtect, as a problem, with one line and a stack.
func TestAPanicEndsAtProtect(t *testing.T) {
	t.Parallel()
	x, log := begin(t, &execution.Callee{})
	var none map[string]int
	err := execution.Protect(x, "s", func() error { none["x"] = 1; return nil })
	if p := pipelined.AsProblem(err); p.Type != pipelined.TypeInternal || p.Status != 500 || !strings.Contains(p.Detail, "nil map") || p.Retriable {
		t.Errorf("it is %+v", p)
	}
	if len(log.Lines("a step panicked", "step=s", "pipeline=work", "execution=run-1", "execution_test.go")) != 1 {
		t.Errorf("the log is %s", log)
	}
	if err := execution.Protect(x, "s", func() error { return errBroken }); err != errBroken {
		t.Errorf("an error becomes %v", err)
	}
	if err := execution.RunMain(t.Context(), x, steps(func(context.Context, *execution.Execution) error { panic("outside of any step") })); ended(err) != "A step panicked" {
		t.Errorf("RunMain lets a panic through: %v", err)
	}
}

// TestAnswers: a called pipeline's is its caller's result, not the request's answer; the
// last one counts.
func TestAnswers(t *testing.T) {
	t.Parallel()
	x, _ := begin(t, &execution.Callee{})
	if x.Reply() != nil {
		t.Errorf("before anything it answers %v", x.Reply())
	}
	x.Respond(&pipelined.Reply{Body: "1"})
	x.Respond(&pipelined.Reply{Body: "2"})
	y := x.Enter("call", &execution.Callee{Name: "sub", Slots: execution.BaseSlots}, value.Raw("7"))
	y.Respond(&pipelined.Reply{Body: "3"})
	if x.Reply().Body != "2" || y.Answer().Body != "3" || y.Frame.Slots[execution.SlotInput] != value.Raw("7") {
		t.Errorf("the request gets %s, the caller %s", x.Reply().Body, y.Answer().Body)
	}
	if x.DropReply(); x.Reply() != nil {
		t.Errorf("dropped, it is %v", x.Reply())
	}
}

// shut is a stream that counts how often it is closed.
type shut struct {
	closed int
	err    error
}

func (s *shut) Next(context.Context) (any, bool, error) { return nil, false, nil }
func (s *shut) Close() error                            { s.closed++; return s.err }

// TestFrames: variables begin as unset, what a trigger gives is passed on to a callee, and
// what is open at the end is closed, and told where that fails.
func TestFrames(t *testing.T) {
	t.Parallel()
	n := execution.BaseSlots
	x, log := begin(t, &execution.Callee{Slots: n + 3, VarSlots: []int{n + 1}})
	if x.Frame.Slots[n] != nil || x.Frame.Slots[n+1] != expression.Unset {
		t.Errorf("it begins as %v", x.Frame.Slots[n:])
	}
	x.Set(execution.SlotGlobals, "globals")
	y := x.Enter("call", &execution.Callee{Slots: n}, nil)
	if y.Frame.Slots[execution.SlotGlobals] != "globals" || y.Effects != x.Effects {
		t.Error("a callee has other globals, or effects of its own")
	}
	good, bad := &shut{}, &shut{err: errors.New("stuck")}
	x.Set(n, map[string]any{"rows": good, "n": 1})
	x.Set(n+2, map[string]any{"rows": bad})
	x.Close()
	if good.closed != 1 || bad.closed != 1 || len(log.Lines("a stream did not close", "stuck")) != 1 {
		t.Errorf("closed %d and %d times\n%s", good.closed, bad.closed, log)
	}
	v, ok := execution.ProblemValue(&pipelined.Problem{Type: "a/b", Data: []byte(`{"n":1}`), Cause: errBroken}).(map[string]any)
	if !ok || v["data"] != value.Raw(`{"n":1}`) || v["cause"].(map[string]any)["type"] != "a/broken" || v["type"] != "a/b" {
		t.Errorf("a problem as a value is %v", v)
	}
}

// TestTheMachineAsHost: timeouts with their cause, sleeps on the clock, branches within
// their limit.
func TestTheMachineAsHost(t *testing.T) {
	t.Parallel()
	now := clock.NewFake(enginetest.Epoch)
	h := execution.Machine{Clock: now}
	ctx, cancel := h.WithTimeout(t.Context(), time.Nanosecond, errBroken)
	defer cancel()
	if err := h.Sleep(ctx, time.Hour); !errors.Is(err, errBroken) {
		t.Errorf("a sleep that is cut off says %v", err)
	}
	if err := h.Sleep(t.Context(), 0); err != nil {
		t.Errorf("no sleep says %v", err)
	}
	if v, err := h.Outside(t.Context(), func() (any, error) { return 1, errBroken }); v != 1 || err != errBroken {
		t.Errorf("a call outside gives %v, %v", v, err)
	}
	h.Point("execute.done")
	for _, limit := range []int{0, 1, 3} {
		var running, most, all atomic.Int64
		var mu sync.Mutex
		b := h.Branches(limit)
		for range 20 {
			b.Go(func() {
				n := running.Add(1)
				mu.Lock()
				most.Store(max(most.Load(), n))
				mu.Unlock()
				running.Add(-1)
				all.Add(1)
			})
		}
		if b.Wait(); all.Load() != 20 || limit > 0 && most.Load() > int64(limit) {
			t.Errorf("limit %d: %d ran, %d at a time", limit, all.Load(), most.Load())
		}
	}
	stopped, stop := context.WithCancelCause(t.Context())
	draining, drain := context.WithCancelCause(t.Context())
	stop(execution.ErrStop)
	drain(pipelined.ErrStopping)
	if !execution.Stopped(stopped) || execution.Stopping(stopped) || !execution.Stopping(draining) || execution.Stopped(draining) ||
		execution.Stopped(t.Context()) || execution.Stopping(t.Context()) || !execution.Beyond(draining, errBroken) || execution.Beyond(stopped, errBroken) {
		t.Error("a stop and a drain are taken for each other")
	}
}
