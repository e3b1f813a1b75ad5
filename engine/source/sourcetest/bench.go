package sourcetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/internal/clock"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// bench is an engine on a project with one source.
type bench struct {
	t      *testing.T
	c      Case
	name   string
	dir    string
	text   string
	probe  *enginetest.Probe
	clock  *clock.Fake
	disk   *enginetest.Disk
	store  store.Store
	cut    *cut
	engine *engine.Engine
	log    *enginetest.Log
	closed bool
}

func newBench(t *testing.T, c Case, options string) *bench {
	t.Helper()
	b := &bench{t: t, c: c, name: "the source", dir: t.TempDir(), clock: clock.NewFake(enginetest.Epoch), log: &enginetest.Log{}, probe: enginetest.NewProbe()}
	b.text = fmt.Sprintf("-- work.yaml --\npipeline: work\ntrigger: { %s: { %s%s } }\nsteps:\n  - probe: { do: step }\n", c.Trigger.Name, c.YAML, options)
	b.cut = &cut{}
	if c.Prepare != nil {
		c.Prepare(t, b.dir)
	}
	b.open()
	t.Cleanup(b.close)
	return b
}

func (b *bench) open() {
	b.t.Helper()
	set := program.Sets{Connectors: connectors.NewSet(b.probe.Connector()), Triggers: triggers.NewSet(b.c.Trigger)}
	p := enginetest.CompileWith(b.t, b.text, set)
	if err := os.MkdirAll(filepath.Join(b.dir, ".pipelined"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if b.disk == nil {
		b.disk = enginetest.NewDisk(b.t)
	}
	s := b.disk.Open(b.clock)
	var err error
	b.store, b.cut.Store, b.closed = s, s, false
	b.engine, err = engine.New(b.t.Context(), p, engine.Config{Store: b.cut, Clock: b.clock, Dir: b.dir, Logger: b.log.Logger(), Random: func() float64 { return 0.5 }})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) close() {
	if b.closed {
		return
	}
	b.closed = true
	b.engine.Close()
	if err := b.store.Close(); err != nil {
		b.t.Error(err)
	}
}

// restart ends the process and starts the next one.
func (b *bench) restart() {
	b.t.Helper()
	b.close()
	b.open()
}

// beats runs what is due, a beat of the clock apart; a store that was cut off ends it.
func (b *bench) beats(n int) {
	b.t.Helper()
	for range n {
		if _, err := b.engine.RunDue(b.t.Context()); err != nil && !b.cut.dead() {
			b.t.Fatal(err)
		}
		b.clock.Advance(b.c.Beat)
	}
}

// failing has every execution fail, so that it is tried again.
func (b *bench) failing(on bool) {
	b.probe.On("step", func(context.Context, any) (any, error) {
		if on {
			return nil, pipelined.NewProblem("test/down", "Not now", 503, "").Transient()
		}
		return nil, nil
	})
}

// events are the inputs of the source's events in the log, by partition; without those
// that could not be decoded.
func (b *bench) events() map[string][]string {
	b.t.Helper()
	typ := triggers.EventType(b.c.Trigger.Name, "work")
	list, err := b.store.FindEvents(context.Background(), store.EventQuery{Types: []string{typ}, Limit: 100_000})
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string][]string{}
	for _, ev := range list {
		if ev.Headers[pipelined.ProblemHeader] != "" {
			continue
		}
		partition := ev.Headers[pipelined.PartitionHeader]
		out[partition] = append(out[partition], compact(b.t, ev.Data))
	}
	return out
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s is not JSON: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// cut is a store that ends at a commit of a source, as if the process had died there.
type cut struct {
	store.Store
	steal bool // another takes every partition as soon as it is held

	mu       sync.Mutex
	count    int
	end      int // the commit to end at, from 1; 0: none
	after    bool
	over     bool
	refusals int
}

// at says at which commit of the source to end, and whether that one still happens.
func (c *cut) at(n int, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count, c.end, c.after, c.over = 0, n, after, false
}

// refuse has the next commits of the source fail.
func (c *cut) refuse(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals = n
}

func (c *cut) dead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// pass counts a commit of the source: whether it happens, and what is told of it.
func (c *cut) pass(source bool) (happens bool, told error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false, store.ErrClosed
	}
	if !source {
		return true, nil
	}
	if c.refusals > 0 {
		c.refusals--
		return false, errDisk
	}
	if c.count++; c.count == c.end {
		c.over = true
		return c.after, store.ErrClosed
	}
	return true, nil
}

// Submit submits what is not cut off.
func (c *cut) Submit(b *store.Batch, done func(store.Result, error)) {
	happens, told := c.pass(len(b.Cursors)+len(b.Drop) > 0)
	switch {
	case !happens:
		go done(store.Result{}, told)
	case told != nil:
		c.Store.Submit(b, func(store.Result, error) { done(store.Result{}, told) })
	default:
		c.Store.Submit(b, done)
	}
}

// Commit commits what is not cut off.
func (c *cut) Commit(ctx context.Context, b *store.Batch) (store.Result, error) {
	if happens, told := c.pass(false); !happens {
		return store.Result{}, told
	}
	return c.Store.Commit(ctx, b)
}

// Claim acquires claims, and may have them taken by another at once.
func (c *cut) Claim(ctx context.Context, claims []store.Claim) ([]store.Claimed, error) {
	source := len(claims) > 0 && claims[0].Kind == store.CursorClaim
	happens, told := c.pass(source)
	if !happens {
		return nil, told
	}
	got, err := c.Store.Claim(ctx, claims)
	if err == nil && source && c.steal {
		_, err = c.Store.Claim(ctx, claims)
	}
	if told != nil {
		return nil, told
	}
	return got, err
}

// Health is that of the store, or that it is cut off.
func (c *cut) Health() error {
	if c.dead() {
		return store.ErrClosed
	}
	return c.Store.Health()
}
