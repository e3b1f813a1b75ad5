package source_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pipelined/connectors"
	"pipelined/engine"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/engine/source"
	"pipelined/internal/clock"
	"pipelined/internal/store"
	"pipelined/triggers"
	"pipelined/triggers/event"
)

// bench is an engine on projects whose sources are feeds.
type bench struct {
	*testing.T
	dir    string
	feeds  *enginetest.Feeds
	feed   *enginetest.Feed
	probe  *enginetest.Probe
	clock  *clock.Fake
	disk   *enginetest.Disk
	store  *enginetest.Store
	engine *engine.Engine
	log    *enginetest.Log
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), feeds: enginetest.NewFeeds(), probe: enginetest.NewProbe(), clock: clock.NewFake(enginetest.Epoch), log: &enginetest.Log{}}
	b.feed = b.feeds.Of(b.dir)
	b.open(text)
	return b
}

func (b *bench) compile(text string) *program.Program {
	b.Helper()
	return enginetest.CompileWith(b, text, program.Sets{
		Connectors: connectors.NewSet(b.probe.Connector()), Triggers: triggers.NewSet(b.feeds.Trigger(), event.Trigger)})
}

func (b *bench) open(text string) {
	b.Helper()
	if b.disk == nil {
		b.disk = enginetest.NewDisk(b)
	}
	s := b.disk.Open(b.clock)
	var err error
	b.store = &enginetest.Store{Store: s}
	b.engine, err = engine.New(b.Context(), b.compile(text), engine.Config{
		Store: b.store, Clock: b.clock, Dir: b.dir, Logger: b.log.Logger(), Random: func() float64 { return 0.5 }})
	if err != nil {
		b.Fatal(err)
	}
	e := b.engine
	b.Cleanup(func() { e.Close(); s.Close() })
}

// restart ends the process and starts the next one.
func (b *bench) restart(text string) {
	b.Helper()
	b.engine.Close()
	if err := b.store.Close(); err != nil {
		b.Fatal(err)
	}
	b.open(text)
}

func (b *bench) swap(text string) {
	b.Helper()
	if err := b.engine.Swap(b.Context(), b.compile(text)); err != nil {
		b.Fatal(err)
	}
}

// beat runs what is due and moves the clock to the next look of the feeds.
func (b *bench) beat(times int) {
	b.Helper()
	for range times {
		if _, err := b.engine.RunDue(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.clock.Advance(1e9)
	}
}

// inputs are what a pipeline was brought, in the order of the log.
func (b *bench) inputs(pipeline string) string {
	b.Helper()
	list, err := b.store.FindEvents(context.Background(), store.EventQuery{Types: []string{triggers.EventType("feed", pipeline)}, Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, ev := range list {
		out = append(out, ev.Data)
	}
	return strings.Join(out, " ")
}

// status is how the source of a pipeline stands.
func (b *bench) status(pipeline string) source.Status {
	b.Helper()
	for _, s := range b.engine.View().Sources {
		if s.Pipeline == pipeline {
			return s
		}
	}
	return source.Status{}
}

// reads is a pipeline with a feed.
func reads(name, options string) string {
	return fmt.Sprintf("-- %s.yaml --\npipeline: %s\ntrigger: { feed: { blocks: false%s } }\nsteps: [ { probe: { do: step, with: \"${{ input }}\" } } ]\n", name, name, options)
}

// idle is a project without sources.
const idle = "-- idle.yaml --\npipeline: idle\ntrigger: { event: { types: [a.b] } }\nsteps: [ { stop: true } ]\n"
