package execution_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/expression"
	"pipelined/internal/value"
)

// journal is a Journal that remembers what it was told, and fails on demand.
type journal struct {
	told []string
	fail error
}

func (j *journal) Begin(_ context.Context, _ *execution.Execution, deeds []*execution.Deed) error {
	names := []string{"begin"}
	for _, d := range deeds {
		names = append(names, d.Later.Name)
	}
	j.told = append(j.told, strings.Join(names, " "))
	return j.fail
}

func (j *journal) Done(_ context.Context, _ *execution.Execution, d *execution.Deed) error {
	j.told = append(j.told, "done "+d.Later.Name)
	return j.fail
}

func later(name string, slot int, flow execution.Flow) *execution.Later {
	return &execution.Later{Step: name, Name: name, Pipeline: "work", Flow: flow, Slot: slot, Reads: []execution.Ref{{Name: "steps." + name, Slot: slot}}}
}

// TestDeedsAreUndone last first, each with the values of its time; one that fails leaves
// nothing of its own and keeps no other from being undone.
func TestDeedsAreUndone(t *testing.T) {
	t.Parallel()
	slot := execution.BaseSlots
	x, log := begin(t, &execution.Callee{Slots: slot + 1})
	var saw []string
	undo := func(name string, end func() error) steps {
		return func(_ context.Context, y *execution.Execution) error {
			saw = append(saw, fmt.Sprint(name, " ", y.Frame.Slots[slot], " ", y.Problem().Type))
			writes(t, y, name)
			return end()
		}
	}
	well := func() error { return nil }
	for i, u := range []steps{undo("one", well), undo("two", func() error { return errBroken }), undo("three", func() error { panic("three") }), undo("four", func() error { return execution.ErrStop })} {
		d, end := x.Attempt(later(fmt.Sprint("s", i), slot, u))
		x.Set(slot, i)
		if err := x.Succeed(t.Context(), d); err != nil || d.Durable() || !d.Done() {
			t.Errorf("%v, %+v", err, d)
		}
		end()
	}
	x.Set(slot, "later")
	x.Effects.Drop()
	deeds, failed := x.Run.Deeds()
	if len(deeds) != 4 || len(failed) != 0 {
		t.Fatalf("%d deeds, %d failed", len(deeds), len(failed))
	}
	slices.SortFunc(deeds, func(a, b *execution.Deed) int { return b.Order() - a.Order() })
	var ends []string
	for _, d := range deeds {
		ends = append(ends, ended(d.At().Undo(t.Context(), x.Effects, d.Later, errBroken)))
	}
	if got := strings.Join(saw, ", "); got != "four 3 a/broken, three 2 a/broken, two 1 a/broken, one 0 a/broken" {
		t.Errorf("they saw %s", got)
	}
	if ends[0] != "" || ends[1] != "A step panicked" || ends[2] == "" || ends[3] != "" || len(log.Lines("a step panicked")) != 1 {
		t.Errorf("they ended as %q\n%s", ends, log)
	}
	if got := left(x); got != "c/four c/one four one later four later one" && got != "c/one c/four four one later four later one" {
		t.Errorf("they left %q", got)
	}
	if again, _ := x.Run.Deeds(); len(again) != 0 {
		t.Errorf("they are to be undone twice: %v", again)
	}
}

// TestWhatBecomesOfADeed: what certainly did not happen is not undone, what may have
// happened is, and its result is null then.
func TestWhatBecomesOfADeed(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tt := range map[string]struct {
		ctx   context.Context
		err   error
		doubt bool
	}{
		"refused":                    {nil, pipelined.NewProblem("rest/status", "Refused", 422, ""), false},
		"an error of the service's":  {nil, pipelined.NewProblem("rest/status", "Broken", 500, ""), false},
		"a plain error":              {nil, errors.New("no such host"), false},
		"a timeout":                  {nil, pipelined.NewProblem(pipelined.TypeTimeout, "Too slow", 504, ""), true},
		"a gateway's timeout":        {nil, pipelined.NewProblem("rest/status", "Too slow", 504, ""), true},
		"canceled":                   {nil, pipelined.NewProblem(pipelined.TypeCanceled, "Canceled", 499, ""), true},
		"cut off":                    {over, errors.New("connection closed"), true},
		"cut off by a drain":         {nil, pipelined.ErrStopping, true},
		"stopped by a branch beside": {nil, execution.ErrStop, true},
	} {
		slot := execution.BaseSlots
		x, _ := begin(t, &execution.Callee{Slots: slot + 1})
		j := &journal{}
		x.Run.Journal = j
		d, end := x.Attempt(later("book", slot, nil))
		if err := x.Leaving(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.Set(slot, "half a result")
		ctx := tt.ctx
		if ctx == nil {
			ctx = t.Context()
		}
		x.Fail(ctx, d, tt.err)
		end()
		undo, failed := x.Run.Deeds()
		if (len(undo) == 1) != tt.doubt || (len(failed) == 1) == tt.doubt || d.Done() {
			t.Errorf("%s: %d to undo, %d not", name, len(undo), len(failed))
		}
		if tt.doubt && d.At().Frame.Slots[slot] != nil {
			t.Errorf("%s: its result is %v", name, d.At().Frame.Slots[slot])
		}
		if got := strings.Join(j.told, ", "); got != "begin book" {
			t.Errorf("%s: the journal was told %q", name, got)
		}
	}
}

// TestTheJournalIsToldOnce of each deed, before the first call that leaves the process, in
// one commit for all that the call belongs to; of a deed that never leaves, nothing.
func TestTheJournalIsToldOnce(t *testing.T) {
	t.Parallel()
	x, _ := begin(t, &execution.Callee{})
	j := &journal{}
	x.Run.Journal = j
	outer, endOuter := x.Attempt(later("outer", -1, nil))
	inner, endInner := x.Attempt(later("inner", -1, nil))
	for range 3 {
		if err := x.Leaving(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Succeed(t.Context(), inner); err != nil {
		t.Fatal(err)
	}
	endInner()
	if err := x.Leaving(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.Succeed(t.Context(), outer); err != nil {
		t.Fatal(err)
	}
	endOuter()
	pure, endPure := x.Attempt(later("pure", -1, nil))
	if err := x.Succeed(t.Context(), pure); err != nil || pure.Durable() {
		t.Fatal(err)
	}
	endPure()
	if err := x.Leaving(t.Context()); err != nil { // of no deed
		t.Fatal(err)
	}
	if got := strings.Join(j.told, ", "); got != "begin outer inner, done inner, done outer" {
		t.Errorf("the journal was told %q", got)
	}
	if deeds, _ := x.Run.Deeds(); len(deeds) != 3 || !(inner.Order() < outer.Order() && outer.Order() < pure.Order()) {
		t.Errorf("%d deeds, in the order %d %d %d", len(deeds), inner.Order(), outer.Order(), pure.Order())
	}

	j.fail = errBroken
	d, end := x.Attempt(later("unheard", -1, nil))
	defer end()
	if err := x.Leaving(t.Context()); err != errBroken || d.Durable() {
		t.Errorf("a call goes out though the journal failed: %v", err)
	}
}

// random is a value as an expression or a connector may give it.
func random(r *rand.Rand, depth int) any {
	n := 11
	if depth == 0 {
		n = 9
	}
	switch r.IntN(n) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return r.IntN(1<<62) - 1<<61
	case 3:
		return r.Float64()
	case 4:
		return []string{"", "a", "é\"\\\n", "null", "1.10"}[r.IntN(5)]
	case 5:
		return value.Raw([]string{"1.10", "9007199254740993", `{"b": 1, "a": [1.0]}`, "[]", `"x"`, "null"}[r.IntN(6)])
	case 6:
		return time.Date(2026, 3, 8, 9, 30, r.IntN(60), r.IntN(1e9), time.UTC)
	case 7:
		return time.Duration(r.IntN(1e12))
	case 8:
		return []byte{0, 255, byte(r.IntN(256))}
	case 9:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = random(r, depth-1)
		}
		return list
	}
	m := map[string]any{}
	for range r.IntN(4) {
		m[fmt.Sprint("k", r.IntN(9))] = random(r, depth-1)
	}
	return m
}

// same compares two values by what they are written as, and by their kinds where those
// are not JSON's.
func same(a, b any) bool {
	switch x := a.(type) {
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	case time.Duration, []byte:
		return fmt.Sprintf("%T %v", a, a) == fmt.Sprintf("%T %v", b, b)
	}
	p, err1 := value.JSON(a)
	q, err2 := value.JSON(b)
	return err1 == nil && err2 == nil && (p == q || len(p) > 0 && p[0] == '{' && value.Equal(p, q))
}

// TestWhatIsKeptComesBack: any value, through the text it is kept as, byte for byte where
// it is a document.
func TestWhatIsKeptComesBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	slot := execution.BaseSlots
	l := later("it", slot, nil)
	for range 3000 {
		v := random(r, 3)
		x, _ := frameless(slot + 1)
		x.Set(slot, v)
		values, err := x.Keep(l)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		var again execution.Values
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		y, _ := frameless(slot + 1)
		if err := y.Restore(l, again); err != nil || !same(v, y.Frame.Slots[slot]) || !same(v, again.Get("steps.it")) {
			t.Fatalf("%#v comes back as %#v (%v)", v, y.Frame.Slots[slot], err)
		}
		if raw, ok := v.(value.Raw); ok && raw[0] == '{' && y.Frame.Slots[slot] != v {
			t.Fatalf("%s comes back as %v", raw, y.Frame.Slots[slot])
		}
	}
}

// frameless is an execution that only holds values.
func frameless(slots int) (*execution.Execution, *execution.Run) {
	run := &execution.Run{}
	return execution.New(run, &execution.Callee{Slots: slots}), run
}

// TestWhatCannotBeKept is told by its name: a stream, at any depth. What was never set is
// left out, and what is missing later is named.
func TestWhatCannotBeKept(t *testing.T) {
	t.Parallel()
	slot := execution.BaseSlots
	l := later("rows", slot, nil)
	for _, v := range []any{stream{}, map[string]any{"rows": stream{}}, []any{1, stream{}}} {
		x, _ := frameless(slot + 1)
		x.Set(slot, v)
		var u *execution.UnkeptError
		if _, err := x.Keep(l); !errors.As(err, &u) || u.Name != "steps.rows" || u.Unwrap() == nil {
			t.Errorf("%#v: %v", v, err)
		}
		if err := x.Defer(&execution.Callee{Name: "work", After: l}); err == nil || !strings.Contains(err.Error(), "steps.rows") {
			t.Errorf("after the commit of %#v: %v", v, err)
		}
	}
	x, _ := frameless(slot + 1)
	x.Set(slot, expression.Unset)
	values, err := x.Keep(l)
	if err != nil || len(values) != 0 || values.Get("steps.rows") != nil {
		t.Errorf("%v, %v", values, err)
	}
	if name := l.Missing(values, nil); name != "steps.rows" {
		t.Errorf("missing is %q", name)
	}
	if name := l.Missing(values, []int{slot}); name != "" {
		t.Errorf("a variable that was not set is missing: %q", name)
	}
	if ok, err := values.Set("steps.rows", 1); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

type stream struct{}

func (stream) Next(context.Context) (any, bool, error) { return nil, false, nil }
func (stream) Close() error                            { return nil }

// TestAfterCommitIsBounded: what all of an execution keeps for it, whose value is named.
func TestAfterCommitIsBounded(t *testing.T) {
	t.Parallel()
	slot := execution.BaseSlots
	x, _ := frameless(slot + 1)
	c := &execution.Callee{Name: "work", After: later("report", slot, nil)}
	x.Set(slot, strings.Repeat("x", execution.MaxAfter/3))
	for i := range 4 {
		err := x.Defer(c)
		if p := pipelined.AsProblem(err); (err != nil) != (i == 3-1 || i == 3) || err != nil && (p.Type != "after_commit/too-large" || !strings.Contains(p.Detail, "steps.report")) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if d := x.Effects.TakeDeferred(); len(d) != 2 || d[0].String() != "after_commit of work" || len(x.Effects.TakeDeferred()) != 0 {
		t.Errorf("%v", d)
	}
	if err := x.Defer(&execution.Callee{Name: "work"}); err != nil || len(x.Effects.TakeDeferred()) != 0 {
		t.Errorf("one that has none: %v", err)
	}
}

// TestResumedExecutionsHaveTheirKeys: what is done later has the keys that it had there.
func TestResumedExecutionsHaveTheirKeys(t *testing.T) {
	t.Parallel()
	called := &execution.Callee{Name: "inner", Slots: execution.BaseSlots}
	x, run := frameless(execution.BaseSlots)
	run.ID, run.Pipeline = "run-1", "work"
	end := x.BeginTurns()
	x.Turn(4)
	y := x.Enter("price", called, nil)
	key, at := y.Key("book"), y.Place()
	end()
	z := execution.Resume(run, called, true, at)
	if got := z.Key("book"); got != key || z.Depth() != 1 || z.Pipeline() != "inner" {
		t.Errorf("%s at depth %d of %s, it was %s", got, z.Depth(), z.Pipeline(), key)
	}
	z.Respond(&pipelined.Reply{Status: 200})
	if z.Reply() != nil || z.Answer().Status != 200 {
		t.Error("what a called pipeline answers later reaches the caller")
	}
}
