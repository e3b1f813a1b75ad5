package attempt_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
)

// counts reads a document, looks around, and writes it one higher; the document is the
// one that input names, or one.
const counts = `steps:
  - name: c
    object_store.get: { collection: counters, id: "${{ input.id ?? 'one' }}" }
  - probe: { do: look, with: "${{ input.id ?? 'one' }}" }
  - object_store.put: { collection: counters, id: "${{ input.id ?? 'one' }}", document: { n: "${{ (steps.c.n ?? 0) + 1 }}" } }
  - respond: { body: "${{ (steps.c.n ?? 0) + 1 }}" }
`

// twice reads a document, looks around, and reads it again.
const twice = `steps:
  - name: a
    object_store.get: { collection: counters, id: one }
  - probe: { do: look }
  - name: b
    object_store.get: { collection: counters, id: one }
  - object_store.put: { collection: counters, id: seen, document: { n: "${{ steps.b.n }}" } }
`

// interferes has another execution change the document while each of the first n runs
// looks around; a negative n is all of them.
func interferes(r *enginetest.Room, n int) {
	r.Probe.On("look", func(context.Context, any) (any, error) {
		if run := r.Probe.Calls("look"); n < 0 || run <= n {
			r.Seed("counters", "one", fmt.Sprintf(`{"n":%d}`, run*10))
		}
		return nil, nil
	})
}

// TestAConflictThatARerunMendsIsNobodysFailure, whether it is met in the flow or at the
// commit, and however often.
func TestAConflictThatARerunMendsIsNobodysFailure(t *testing.T) {
	t.Parallel()
	for where, rest := range map[string]string{"at the commit": counts, "in the flow": twice} {
		for _, conflicts := range []int{1, 3, 50} {
			t.Run(fmt.Sprint(where, ", ", conflicts), func(t *testing.T) {
				t.Parallel()
				everyWay(t, func(t *testing.T, k kind, start start) {
					r := enginetest.New(t, k.project(rest))
					interferes(r, conflicts)
					a, _ := k.attempt(r)
					e := start(t.Context(), r, a)
					if e.Err != nil || e.Status != attempt.StatusOK || cause(r) != "settled ok" {
						t.Errorf("it came to %s, %v; the cause is %q", e.Status, e.Err, cause(r))
					}
					if s := r.Stats("work"); s.Reruns != int64(conflicts) || s.OK != 1 || s.Failed+s.Taken != 0 || len(failures(r)) > 0 {
						t.Errorf("%+v\n%s", s, r.Logs)
					}
					want := map[string]map[string]any{"one": {"n": float64(conflicts*10 + 1)}}
					if rest == twice {
						want = map[string]map[string]any{"one": {"n": float64(conflicts * 10)}, "seen": {"n": float64(conflicts * 10)}}
					}
					if got := r.Documents("counters"); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("left are %v, want %v", got, want)
					}
				})
			})
		}
	}
}

// TestRerunsAreBounded: after 50 of them the attempt fails like any other, with on_error,
// retry, record or letter.
func TestRerunsAreBounded(t *testing.T) {
	t.Parallel()
	for where, rest := range map[string]string{"at the commit": counts, "in the flow": twice} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			everyKind(t, func(t *testing.T, k kind, start start) {
				r := enginetest.New(t, k.project(rest))
				interferes(r, -1)
				a, c := k.attempt(r)
				e := start(t.Context(), r, a)
				if n := r.Probe.Calls("look"); n != 51 {
					t.Errorf("the flow ran %d times", n)
				}
				again := k.name == "delivery that may come again"
				if e.Err != nil || e.Problem == nil || e.Problem.Type != pipelined.TypeConflict || e.Problem.Status != 409 || !e.Problem.Retriable {
					t.Fatalf("it came to %v, %+v", e.Err, e.Problem)
				}
				if again == c.due.IsZero() || (len(r.Documents("dead_letters")) == 1) == again {
					t.Errorf("put off to %s, with the letters %v", c.due, r.Documents("dead_letters"))
				}
				if s := r.Stats("work"); s.Reruns != 50 || s.Failed+s.Retrying != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestAPipelinesTimeBoundsItsReruns: no run begins when the pipeline's time, or its
// trigger's, is over.
func TestAPipelinesTimeBoundsItsReruns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pipeline string
		trigger  time.Duration
		runs     int // of three seconds each
	}{
		{"", 0, 51},
		{"timeout: 1h\n", 0, 51},
		{"timeout: 10s\n", 0, 4},
		{"timeout: 1h\n", 10 * time.Second, 4},
		{"timeout: 7s\n", 10 * time.Second, 3},
		{"timeout: 3s\n", 0, 1},
		{"", time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q and %s", tt.pipeline, tt.trigger), func(t *testing.T) {
			t.Parallel()
			k := kindOf("request")
			r := enginetest.New(t, k.project(tt.pipeline+counts+"on_error: [ { respond: { status: 409, body: \"${{ error.detail }}\" } } ]\n"))
			r.Probe.On("look", func(context.Context, any) (any, error) {
				r.Seed("counters", "one", fmt.Sprintf(`{"n":%d}`, r.Probe.Calls("look")))
				r.Clock.Advance(3 * time.Second)
				return nil, nil
			})
			a, _ := k.attempt(r)
			a.Timeout = tt.trigger
			e := r.Runner.Run(t.Context(), a)
			if n := r.Probe.Calls("look"); n != tt.runs {
				t.Errorf("the flow ran %d times, want %d", n, tt.runs)
			}
			if e.Err != nil || e.Handled != "on_error" || e.Reply == nil || e.Problem.Type != pipelined.TypeConflict {
				t.Errorf("it came to %v, %+v", e.Err, e.Outcome)
			}
		})
	}
}

// TestAFailureThatCannotBeStoredEither ends, too: its own writes meet others at every run.
func TestAFailureThatCannotBeStoredEither(t *testing.T) {
	t.Parallel()
	everyKind(t, func(t *testing.T, k kind, start start) {
		if k.name == "delivery that may come again" {
			return // put off, it writes nothing of its own
		}
		r := enginetest.New(t, k.project(counts+`on_error:
  - name: d
    object_store.get: { collection: counters, id: one }
  - probe: { do: look }
  - object_store.put: { collection: counters, id: one, document: { failed: true, before: "${{ steps.d.n }}" } }
`))
		interferes(r, -1)
		a, _ := k.attempt(r)
		e := start(t.Context(), r, a)
		if n := r.Probe.Calls("look"); !errors.Is(e.Err, store.ErrConflict) || n < 52 || n > 51+50 {
			t.Errorf("it ended with %v after %d looks", e.Err, n)
		}
		if p := attempt.CommitProblem(e.Err); p.Status != 409 || cause(r) != "" || len(failures(r)) > 0 {
			t.Errorf("a caller is told %v; the cause is %q\n%s", p, cause(r), r.Logs)
		}
	})
}

const users = `steps:
  - object_store.insert: { collection: users, id: "${{ 'u-' + input.id }}", document: { email: ada@example.com } }
  - probe: { do: look }
`

// TestAUniqueValueThatIsTaken is met at the commit once, and then by the step; where the
// step cannot see it, running again is soon given up.
func TestAUniqueValueThatIsTaken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		declared string
		runs     int
	}{
		"by the step":                      {"collections: { users: { unique: [email] } }\n", 1},
		"by the store alone, at no commit": {"", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := kindOf("manual")
			r := enginetest.New(t, "-- pipelined.yaml --\n"+tt.declared+"project: shop\n-- work.yaml --\npipeline: work\n"+users)
			if err := r.Store.Prepare(t.Context(), "r", []store.Collection{{Name: "users", Unique: []string{"email"}}}); err != nil {
				t.Fatal(err)
			}
			r.Probe.On("look", func(context.Context, any) (any, error) {
				if r.Probe.Calls("look") == 1 {
					r.Seed("users", "u-0", `{"email":"ada@example.com"}`)
				}
				return nil, nil
			})
			a, _ := k.attempt(r)
			a.Input = map[string]any{"id": "1"}
			e := r.Runner.Run(t.Context(), a)
			if n := r.Probe.Calls("look"); n != tt.runs || e.Err != nil || e.Problem == nil || e.Problem.Status != 409 || e.Problem.Title != "A value is taken" {
				t.Errorf("after %d looks it came to %v, %v", n, e.Err, e.Problem)
			}
			if len(r.Documents("users")) != 1 || len(r.Documents("dead_letters")) != 1 {
				t.Errorf("%v", r.Documents("users"))
			}
		})
	}
}

// TestTurnsAreTakenFromTheThirdRunOn: who met others at a document twice waits for its
// turn there, and nobody else does.
func TestTurnsAreTakenFromTheThirdRunOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := enginetest.New(t, kindOf("manual").project(counts))
		var mu sync.Mutex
		runs := map[string]int{}
		release := make(chan struct{})
		r.Probe.On("look", func(_ context.Context, with any) (any, error) {
			id := fmt.Sprint(with)
			mu.Lock()
			runs[id]++
			n := runs[id]
			mu.Unlock()
			switch {
			case id == "a" && n == 3: // it has the turn, and keeps it until released
				<-release
			case n < 3 || id == "a" && n < 6:
				r.Seed("counters", id, fmt.Sprintf(`{"n":%d}`, n*10))
			}
			return nil, nil
		})
		ended := make(chan string, 3)
		begin := func(name, id string) {
			a, _ := kindOf("manual").attempt(r)
			a.Input = map[string]any{"id": id}
			go func() {
				e := r.Runner.Run(context.Background(), a)
				if e.Err != nil || e.Status != attempt.StatusOK {
					t.Errorf("%s came to %v, %v", name, e.Err, e.Problem)
				}
				ended <- name
			}()
		}
		begin("first", "a")
		synctest.Wait() // it runs for the third time
		begin("elsewhere", "b")
		if got := <-ended; got != "elsewhere" {
			t.Errorf("%s ended first", got)
		}
		begin("second", "a")
		synctest.Wait()
		mu.Lock()
		if runs["a"] != 5 { // the second's first two are free
			t.Errorf("there were %d runs at a", runs["a"])
		}
		mu.Unlock()
		close(release)
		<-ended
		<-ended
	})
}
