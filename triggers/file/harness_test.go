package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/internal/clock"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/triggers"
	"pipelined/triggers/file"
)

// bench is an engine on a project with one pipeline that takes files.
type bench struct {
	*testing.T
	dir    string
	probe  *enginetest.Probe
	clock  *clock.Fake
	disk   *enginetest.Disk
	store  store.Store
	engine *engine.Engine
	log    *enginetest.Log
	down   *pipelined.Problem // what the step fails of; nil: it does not
}

// newBench makes the folder in.
func newBench(t *testing.T, trigger string) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), probe: enginetest.NewProbe(), clock: clock.NewFake(enginetest.Epoch), log: &enginetest.Log{}}
	mkdir(t, b.dir, "in")
	b.probe.On("step", func(context.Context, any) (any, error) {
		if b.down != nil {
			return nil, b.down
		}
		return nil, nil
	})
	b.open(trigger)
	return b
}

func (b *bench) open(trigger string) {
	b.Helper()
	p := enginetest.CompileWith(b, "-- work.yaml --\npipeline: work\ntrigger: { file: { "+trigger+" } }\nsteps: [ { probe: { do: step } } ]\n",
		program.Sets{Connectors: connectors.NewSet(b.probe.Connector()), Triggers: triggers.NewSet(file.Trigger)})
	if b.disk == nil {
		b.disk = enginetest.NewDisk(b)
	}
	s := b.disk.Open(b.clock)
	b.store = s
	var err error
	b.engine, err = engine.New(b.Context(), p, engine.Config{Store: s, Clock: b.clock, Dir: b.dir, Logger: b.log.Logger(), Random: func() float64 { return 0.5 }})
	if err != nil {
		b.Fatal(err)
	}
	e := b.engine
	b.Cleanup(func() { e.Close(); s.Close() })
}

func (b *bench) restart(trigger string) {
	b.Helper()
	b.engine.Close()
	if err := b.store.Close(); err != nil {
		b.Fatal(err)
	}
	b.open(trigger)
}

func (b *bench) put(name, text string) {
	b.Helper()
	at := filepath.Join(b.dir, name)
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	now := b.clock.Now()
	if err := os.Chtimes(at, now, now); err != nil {
		b.Fatal(err)
	}
}

// looks runs what is due, a look of the folder apart.
func (b *bench) looks(n int) {
	b.Helper()
	for range n {
		if _, err := b.engine.RunDue(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.clock.Advance(5 * time.Second)
	}
}

// came is what was delivered, in order: what input is, or why it is none.
func (b *bench) came() string {
	b.Helper()
	list, err := b.store.FindEvents(b.Context(), store.EventQuery{Types: []string{"pipelined.file.work"}, Limit: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, ev := range list {
		text := ev.Data
		if path, ok := value.Get(value.Raw(ev.Data), value.NewPath("path")).(string); ok {
			text = path
		}
		if why := ev.Headers[pipelined.ProblemHeader]; why != "" {
			text = fmt.Sprint(value.Get(value.Raw(why), value.NewPath("type")))
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// where is what is where: in, done, failed.
func (b *bench) where() string {
	b.Helper()
	var out []string
	for _, folder := range []string{"in", "done", "failed"} {
		for _, name := range names(b.T, b.dir, folder) {
			out = append(out, folder+"/"+name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// expect compares what came, and what is where.
func (b *bench) expect(when, came, where string) {
	b.Helper()
	if got := b.came(); got != came {
		b.Errorf("%s: there came %q, want %q\n%s", when, got, came, b.log)
	}
	if got := b.where(); got != where {
		b.Errorf("%s: there are %q, want %q\n%s", when, got, where, b.log)
	}
}

// said holds how often the log says something.
func (b *bench) said(times int, texts ...string) {
	b.Helper()
	if got := b.log.Lines(texts...); len(got) != times {
		b.Errorf("%d lines say %q, want %d\n%s", len(got), texts, times, b.log)
	}
}

// failures is how many executions failed for good.
func (b *bench) failures() int64 {
	b.Helper()
	n, err := b.store.Count(b.Context(), "dead_letters", store.Exact)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// find visits the documents of a collection.
func (b *bench) find(collection string, visit func(body string)) error {
	return b.store.Find(b.Context(), store.Query{Collection: collection}, func(d *store.Document) (bool, error) {
		visit(d.Body)
		return true, nil
	})
}
