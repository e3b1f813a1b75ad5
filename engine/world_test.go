package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pipelined"
	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// world is what is outside: it writes down what is done to it, and outlives every engine.
//
//   - world: { do: reserve, with: "${{ input.n }}" }
//
// `undo x` undoes what `do x` did. What a test gives a reaction to may fail or look around.
type world struct {
	mu    sync.Mutex
	lines []string
	keys  []string
	react map[string]func(n int) error // by what is done; n counts from 1
	times map[string]int
}

type worldParams struct {
	Do   string `yaml:"do" required:"" doc:"What to do."`
	With any    `yaml:"with" doc:"What with."`
}

func newWorld() *world {
	return &world{react: map[string]func(int) error{}, times: map[string]int{}}
}

func (*world) Close() error { return nil }

func (w *world) call(ctx context.Context, p worldParams) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := p.Do
	if p.With != nil {
		text, err := value.JSON(p.With)
		if err != nil {
			return nil, err
		}
		line += " " + string(text)
	}
	w.lines = append(w.lines, line)
	w.keys = append(w.keys, connectors.CallOf(ctx).Idempotency)
	w.times[p.Do]++
	if f := w.react[p.Do]; f != nil {
		if err := f(w.times[p.Do]); err != nil {
			return nil, err
		}
	}
	return map[string]any{"with": p.With, "id": fmt.Sprintf("%s-%d", strings.ReplaceAll(p.Do, " ", "-"), w.times[p.Do])}, nil
}

// fails has something fail the first n times; below 0 always.
func (w *world) fails(what string, n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.react[what] = func(times int) error {
		if n < 0 || times <= n {
			return err
		}
		return nil
	}
}

var errAway = pipelined.NewProblem("world/away", "The world is away", 503, "db.internal:5432 says: password wrong").Transient()

func (w *world) set() *connectors.Set {
	c := connectors.Define("world", connectors.Doc{Summary: "Is outside."},
		func(context.Context, connectors.None, connectors.Env) (*world, error) { return w, nil },
		connectors.Op("", connectors.Doc{Summary: "Does.", Result: "`id`"},
			func(any, worldParams) connectors.Effect { return connectors.Effect{Outside: true, Writes: true} }, (*world).call))
	return connectors.NewSet(append(connectorsall.Set().Families(), c)...)
}

// did is what was done, and forgets it.
func (w *world) did() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := strings.Join(w.lines, ", ")
	w.lines, w.keys = nil, nil
	return out
}

// open lists what was done and not undone after, in order.
func (w *world) open() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.lines {
		what, undoes := strings.CutPrefix(line, "undo ")
		what, _, _ = strings.Cut(what, " ")
		out = slices.DeleteFunc(out, func(s string) bool { return s == what })
		if !undoes {
			out = append(out, what)
		}
	}
	return out
}

// rows are the keys of what sagas and executions left in the store.
func rows(t *testing.T, s store.Store) (out []string) {
	t.Helper()
	for _, prefix := range []string{"saga/", "left/"} {
		list, err := s.Metas(context.Background(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			out = append(out, m.Key)
		}
	}
	claims, err := s.Claims(context.Background(), store.AfterClaim, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claims {
		out = append(out, c.String())
	}
	return out
}
