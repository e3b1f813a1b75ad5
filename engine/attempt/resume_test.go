package attempt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
)

// rows reads ten rows and publishes each, three to a commit.
const rows = `steps:
  - name: read
    foreach: 1..10
    as: n
    commit_every: 3
    steps:
      - probe: { do: look, with: "${{ n }}" }
      - publish: { event: row.read, data: { n: "${{ n }}" } }
`

const progress = "progress/of/work"

// read are the rows that were published, in order.
func read(r *enginetest.Room) (out []int64) {
	r.Helper()
	for _, ev := range r.Events("row.read") {
		var row struct{ N int64 }
		if err := json.Unmarshal([]byte(ev.Data), &row); err != nil {
			r.Fatal(err)
		}
		out = append(out, row.N)
	}
	return out
}

func upTo(n int64) (out []int64) {
	for i := range n {
		out = append(out, i+1)
	}
	return out
}

// left is the note of how far the attempt is; empty if there is none.
func left(r *enginetest.Room) string {
	r.Helper()
	text, err := r.Store.Meta(r.Context(), progress)
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// resumable are the kinds of causes whose attempts go on where they were.
func resumable() []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return k.name == "request" || k.name == "manual" })
}

// TestALoopGoesOnWhereItWas: whatever ends an attempt between its parts, the next one goes
// on after the last part that is durable, no row is published twice, and at the end the
// note of it is gone.
func TestALoopGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		at      int64 // the row at which it ends, the first time
		durable int64
	}{
		{"in the first part", 2, 0},
		{"at the beginning of the second", 4, 3},
		{"at the end of the second", 6, 3},
		{"in what is left over", 10, 9},
	}
	for _, k := range resumable() {
		for _, tt := range tests {
			for way, start := range ways {
				t.Run(k.name+", "+tt.name+", "+way, func(t *testing.T) {
					t.Parallel()
					r := enginetest.New(t, k.project(rows))
					ctx, cut := context.WithCancelCause(t.Context())
					r.Probe.On("look", func(_ context.Context, with any) (any, error) {
						if fmt.Sprint(with) != fmt.Sprint(tt.at) {
							return nil, nil
						}
						cut(pipelined.ErrStopping) // as a drain does at its limit, or a crash
						return nil, pipelined.ErrStopping
					})
					a, _ := k.attempt(r)
					a.Progress = progress
					if e := start(ctx, r, a); !e.Aborted || cause(r) != "" {
						t.Fatalf("it came to %s, %v", e.Status, e.Err)
					}
					if got := read(r); !slices.Equal(got, upTo(tt.durable)) || (left(r) != "") != (tt.durable > 0) {
						t.Errorf("read are %v; left is %q", got, left(r))
					}
					r.Reopen()
					r.Probe.On("look", nil)
					before := r.Probe.Calls("look")
					b := *a
					if e := start(t.Context(), r, &b); e.Err != nil || e.Status != attempt.StatusOK {
						t.Fatal(e.Err, e.Problem)
					}
					if got, ran := read(r), int64(r.Probe.Calls("look")-before); !slices.Equal(got, upTo(10)) || ran != 10-tt.durable || left(r) != "" {
						t.Errorf("read are %v, after %d more turns; left is %q", got, ran, left(r))
					}
				})
			}
		}
	}
}

// TestAConflictBetweenPartsGoesOn: the parts before it stand, and only what is not durable
// runs again; so it does when the last commit is the one that is refused.
func TestAConflictBetweenPartsGoesOn(t *testing.T) {
	t.Parallel()
	for batch, again := range map[int]int{1: 3, 2: 3, 3: 3, 4: 1} { // three parts and the end
		for way, start := range ways {
			t.Run(fmt.Sprintf("at commit %d, %s", batch, way), func(t *testing.T) {
				t.Parallel()
				k := kindOf("delivery")
				r := enginetest.New(t, k.project(rows))
				a, _ := k.attempt(r)
				a.Progress = progress
				refused := make([]error, batch)
				refused[batch-1] = &store.ConflictError{Collection: "c", ID: "d", Reason: "version"}
				r.Store.Refuse(refused...)
				e := start(t.Context(), r, a)
				if e.Err != nil || e.Status != attempt.StatusOK || !slices.Equal(read(r), upTo(10)) || left(r) != "" {
					t.Errorf("it came to %s, %v; read are %v; left is %q", e.Status, e.Err, read(r), left(r))
				}
				if n := r.Probe.Calls("look"); n != 10+again || r.Stats("work").Reruns != 1 {
					t.Errorf("%d turns, %+v", n, r.Stats("work"))
				}
			})
		}
	}
}

// TestAnEventThatIsPutOffKeepsItsProgress: the next delivery goes on, and the last failure
// ends it.
func TestAnEventThatIsPutOffKeepsItsProgress(t *testing.T) {
	t.Parallel()
	k := kindOf("delivery that may come again")
	r := enginetest.New(t, k.project(rows))
	failing := map[string]bool{"5": true, "8": true, "9": true}
	r.Probe.On("look", func(_ context.Context, with any) (any, error) {
		n := fmt.Sprint(with)
		if failing[n] {
			delete(failing, n)
			return nil, pipelined.NewProblem("job/busy", "Busy", 503, "").Transient()
		}
		return nil, nil
	})
	first, _ := k.attempt(r)
	first.Progress = progress
	wants := []struct {
		status string
		read   int64
		left   bool
	}{{attempt.StatusRetrying, 3, true}, {attempt.StatusRetrying, 6, true}, {attempt.StatusFailed, 6, false}}
	for i, want := range wants {
		a := *first
		a.Deliveries, a.Number = i+1, i+1
		e := r.Runner.Run(t.Context(), &a)
		if e.Status != want.status || !slices.Equal(read(r), upTo(want.read)) || (left(r) != "") != want.left {
			t.Errorf("delivery %d came to %s, %v; read are %v; left is %q", i+1, e.Status, e.Err, read(r), left(r))
		}
	}
}

// TestAnotherTicksProgressIsNotTaken: a tick that was given up leaves its note behind, and
// the next one begins at the beginning.
func TestAnotherTicksProgressIsNotTaken(t *testing.T) {
	t.Parallel()
	k := kindOf("tick")
	for _, same := range []bool{true, false} {
		t.Run(fmt.Sprint("the same: ", same), func(t *testing.T) {
			t.Parallel()
			r := enginetest.New(t, k.project(rows))
			ctx, cut := context.WithCancelCause(t.Context())
			r.Probe.On("look", func(_ context.Context, with any) (any, error) {
				if fmt.Sprint(with) == "5" {
					cut(pipelined.ErrStopping)
					return nil, pipelined.ErrStopping
				}
				return nil, nil
			})
			a, _ := k.attempt(r)
			a.Progress = progress
			r.Runner.Run(ctx, a)
			if at, err := attempt.ReadProgress(t.Context(), r.Store, progress); err != nil || !at.Equal(enginetest.Epoch) {
				t.Errorf("the tick on its way is %s, %v", at, err)
			}
			r.Probe.On("look", nil)
			b, _ := k.attempt(r)
			b.Progress = progress
			want := upTo(10)
			if !same {
				b.Tick.Scheduled = b.Tick.Scheduled.Add(time.Hour)
				want = append(upTo(3), upTo(10)...)
			}
			if e := r.Runner.Run(t.Context(), b); e.Err != nil || !slices.Equal(read(r), want) || left(r) != "" {
				t.Errorf("%v; read are %v; left is %q", e.Err, read(r), left(r))
			}
			if at, err := attempt.ReadProgress(t.Context(), r.Store, progress); err != nil || !at.IsZero() {
				t.Errorf("at the end the tick on its way is %s, %v", at, err)
			}
		})
	}
}

// TestAFailureBetweenPartsIsKept: the parts stand, the rest is dropped, and the note of
// how far it was goes with the failure.
func TestAFailureBetweenPartsIsKept(t *testing.T) {
	t.Parallel()
	for _, k := range resumable()[:1] {
		r := enginetest.New(t, k.project(rows))
		r.Probe.On("look", func(_ context.Context, with any) (any, error) {
			if fmt.Sprint(with) == "8" {
				return nil, errors.New("broken")
			}
			return nil, nil
		})
		a, _ := k.attempt(r)
		a.Progress = progress
		e := r.Runner.Run(t.Context(), a)
		if e.Status != attempt.StatusFailed || !slices.Equal(read(r), upTo(6)) || left(r) != "" || len(r.Documents("dead_letters")) != 1 {
			t.Errorf("%s came to %s; read are %v; left is %q", k.name, e.Status, read(r), left(r))
		}
	}
}

// TestAnUnreadableProgressIsAFailure that says of what.
func TestAnUnreadableProgressIsAFailure(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*enginetest.Room){
		"which is not one": func(r *enginetest.Room) {
			r.Commit(&store.Batch{Meta: []store.Meta{{Key: progress, Value: "no JSON"}}})
		},
		"which cannot be read": func(r *enginetest.Room) { r.Store.Break("Meta", errors.New("the disk does not answer")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := kindOf("tick")
			r := enginetest.New(t, k.project(rows))
			spoil(r)
			a, _ := k.attempt(r)
			a.Progress = progress
			e := r.Runner.Run(t.Context(), a)
			if e.Problem == nil || r.Probe.Calls("look") > 0 || len(r.Documents("dead_letters")) != 1 {
				t.Fatalf("it came to %+v", e.Outcome)
			}
			if text := e.Problem.Error(); name == "which is not one" && !strings.Contains(text, progress) || name != "which is not one" && !strings.Contains(text, "does not answer") {
				t.Errorf("it says %s", text)
			}
		})
	}
}
