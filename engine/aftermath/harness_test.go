package aftermath_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/aftermath"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// bench is an Aftermath in a room, and what was done on it.
type bench struct {
	*enginetest.Room
	aftermath *aftermath.Aftermath

	mu   sync.Mutex
	did  []string
	fail map[string]error
}

// project is a pipeline that books twice and fails, and one that ends well; what undoes the
// first, and what follows the second, is the probe's.
const project = `-- fails.yaml --
pipeline: fails
trigger: { http: { method: POST, path: /fails } }
steps:
  - name: one
    probe: { do: note, with: "one ${{ input.n }}" }
    compensate: [ { probe: { do: note, with: "undo one ${{ input.n }}" } } ]
  - name: two
    probe: { do: note, with: "two ${{ input.n }}" }
    compensate: [ { probe: { do: note, with: "undo two ${{ input.n }}" } } ]
  - fail: { type: job/broken }
-- ends.yaml --
pipeline: ends
trigger: { http: { method: POST, path: /ends } }
steps:
  - probe: { do: note, with: "run ${{ input.n }}" }
after_commit:
  - probe: { do: note, with: "after ${{ input.n }}" }
  - object_store.put: { collection: done, id: "${{ input.n }}", document: {} }
`

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{Room: enginetest.New(t, text), fail: map[string]error{}}
	b.Probe.On("note", b.note)
	b.again()
	return b
}

// again makes another Aftermath on what is in the store, as the next process would.
func (b *bench) again() {
	b.Helper()
	b.Runner.Sagas = attempt.Sagas{}
	b.aftermath = aftermath.New(b.Runner, &b.Current)
	b.Runner.Leave, b.Runner.Give = b.aftermath.Leave, b.aftermath.Give
	orphans, err := b.Runner.Adopt(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := b.aftermath.Begin(b.Context(), orphans); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) note(_ context.Context, with any) (any, error) {
	text, err := value.Text(value.Scalar(with))
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.did = append(b.did, text)
	return nil, b.fail[text]
}

// breaks has what the probe does fail; nil mends it.
func (b *bench) breaks(what string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail[what] = err
}

// done is what was done since it was asked.
func (b *bench) done() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := fmt.Sprint(b.did)
	b.did = nil
	return out
}

// run has a pipeline run for an input, and returns how it ended.
func (b *bench) run(pipeline string, n int) attempt.Ending {
	b.Helper()
	a := b.Attempt(pipeline, nothing{})
	a.Trigger, a.Input = "http", value.Raw(fmt.Sprintf(`{"n":%d}`, n))
	return b.Runner.Run(b.Context(), a)
}

// due does what is due.
func (b *bench) due() string {
	b.Helper()
	if _, err := b.aftermath.RunDue(b.Context(), b.Context()); err != nil {
		b.Fatal(err)
	}
	return b.done()
}

// rows are the keys of what is left.
func (b *bench) rows() (out []string) {
	b.Helper()
	for _, prefix := range []string{attempt.LeftPrefix, attempt.SagaPrefix} {
		list, err := b.Store.Metas(b.Context(), prefix)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range list {
			out = append(out, m.Key)
		}
	}
	return out
}

// letters are the dead letters of a trigger.
func (b *bench) letters(trigger string) (out []map[string]any) {
	b.Helper()
	for _, d := range b.Documents("dead_letters") {
		if d["trigger"] == trigger {
			out = append(out, d)
		}
	}
	return out
}

// nothing is a cause that nobody has to settle.
type nothing struct{}

func (nothing) Settle(*attempt.Outcome, *store.Batch) {}

func (nothing) PutOff(*store.Batch, time.Time, *pipelined.Problem) bool { return false }
