package enginetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
	"pipelined/engine/attempt"
	"pipelined/engine/execution"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/clock"
	"pipelined/internal/expression/function"
	"pipelined/internal/store"
	"pipelined/internal/value"
	triggersall "pipelined/triggers/all"
)

// Epoch is where the clock of a room stands at first.
var Epoch = time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)

// Room is what a part of the engine stands in.
type Room struct {
	*testing.T
	Dir     string
	Clock   *clock.Fake
	Store   *Store
	Logs    *Log
	Probe   *Probe
	Feeds   *Feeds
	Pool    revision.Pool
	Current revision.Current
	Runner  *attempt.Runner
	// Told, if not nil, is told of every batch that is durable. It is set before the
	// first one.
	Told func(*store.Batch, store.Result)

	disk *Disk
	ids  atomic.Int64
}

// New furnishes a room and puts the project in use.
func New(t *testing.T, text string) *Room {
	t.Helper()
	r := &Room{T: t, Dir: t.TempDir(), Clock: clock.NewFake(Epoch), Logs: &Log{}, Probe: NewProbe(), Feeds: NewFeeds(), Store: &Store{}}
	r.disk = NewDisk(t)
	r.open()
	t.Cleanup(func() { r.Store.Close() })
	r.Runner = (&attempt.Runner{
		Store: r.Store, Clock: r.Clock, Logger: r.Logs.Logger(), Host: execution.Machine{Clock: r.Clock},
		Values: &function.Env{Now: r.Clock.Now, NewID: r.NewID, Random: func() float64 { return 0.5 }},
		Refuse: func(*revision.Revision) func(string) *pipelined.Problem { return nil },
		Committed: func(b *store.Batch, res store.Result) {
			r.Runner.CountEvents(b, res)
			if r.Told != nil {
				r.Told(b, res)
			}
		},
	}).Init()
	r.Use(text)
	return r
}

func (r *Room) open() {
	r.Helper()
	r.Store.Store = r.disk.Open(r.Clock)
}

// Reopen closes the store and opens it again, as another process would.
func (r *Room) Reopen() {
	r.Helper()
	if err := r.Store.Close(); err != nil {
		r.Fatal(err)
	}
	r.open()
	r.configure(r.Current.Load().Program)
}

// NewID gives ids in order.
func (r *Room) NewID() string { return fmt.Sprintf("id-%04d", r.ids.Add(1)) }

// Prepare makes a revision of a project, pinned once and not in use.
func (r *Room) Prepare(text string) *revision.Revision {
	r.Helper()
	p := CompileWith(r, text, program.Sets{
		Connectors: connectors.NewSet(append(connectorsall.Set().Families(), r.Probe.Connector())...), Triggers: triggersall.Set().With(r.Feeds.Trigger())})
	clients, err := r.Pool.Open(r.Context(), p.Connections, func(name string) connectors.Env {
		return connectors.Env{Name: name, Logger: r.Logs.Logger(), Clock: r.Clock, Dir: r.Dir}
	})
	if err != nil {
		r.Fatal(err)
	}
	r.configure(p)
	return revision.New(p, clients)
}

// Use puts a project in use and lets go of the one before.
func (r *Room) Use(text string) *revision.Revision {
	r.Helper()
	next := r.Prepare(text)
	if old := r.Current.Use(next); old != nil {
		old.Unpin()
	}
	return next
}

func (r *Room) configure(p *program.Program) {
	r.Helper()
	if err := r.Store.Prepare(r.Context(), p.Revision, p.Collections()); err != nil {
		r.Fatal(err)
	}
}

// Commit commits a batch as the engine would.
func (r *Room) Commit(b *store.Batch) store.Result {
	r.Helper()
	res, err := r.Runner.Commit(r.Context(), b)
	if err != nil {
		r.Fatal(err)
	}
	return res
}

// Event is an event of a type, published now.
func (r *Room) Event(typ, key, data string) *pipelined.Event {
	return &pipelined.Event{ID: r.NewID(), Type: typ, Source: "/test", Time: r.Clock.Now(), Key: key, Data: data, Attempt: 1}
}

// Publish commits an event and returns it with its number.
func (r *Room) Publish(ev *pipelined.Event) store.StoredEvent {
	r.Helper()
	res := r.Commit(&store.Batch{Events: []*pipelined.Event{ev}})
	return store.StoredEvent{Seq: res.Seqs[0], Event: *ev}
}

// Seed puts a document into the store.
func (r *Room) Seed(collection, id, body string) {
	r.Helper()
	r.Commit(&store.Batch{Documents: []store.Write{{Collection: collection, ID: id, Document: body}}})
}

// Documents returns a collection by id.
func (r *Room) Documents(collection string) map[string]map[string]any {
	r.Helper()
	out := map[string]map[string]any{}
	err := r.Store.Find(r.Context(), store.Query{Collection: collection}, func(d *store.Document) (bool, error) {
		var body map[string]any
		err := json.Unmarshal([]byte(d.Body), &body)
		out[d.ID] = body
		return err == nil, err
	})
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// One returns the only document of a collection.
func (r *Room) One(collection string) map[string]any {
	r.Helper()
	all := r.Documents(collection)
	if len(all) != 1 {
		r.Fatalf("%d documents in %s, want one: %v\n%s", len(all), collection, all, r.Logs)
	}
	for _, d := range all {
		return d
	}
	return nil
}

// Events returns the log's events of a type.
func (r *Room) Events(types ...string) []store.StoredEvent {
	r.Helper()
	list, err := r.Store.FindEvents(r.Context(), store.EventQuery{Types: types, Limit: 10_000})
	if err != nil {
		r.Fatal(err)
	}
	return list
}

// Executions returns the history of a pipeline, newest first.
func (r *Room) Executions(pipeline string) []store.Execution {
	r.Helper()
	list, err := r.Store.FindExecutions(r.Context(), store.ExecutionQuery{Pipeline: pipeline, Limit: 10_000})
	if err != nil {
		r.Fatal(err)
	}
	return list
}

// Stats are the counts of a pipeline.
func (r *Room) Stats(pipeline string) attempt.Stats {
	for _, s := range r.Runner.Counters.Stats() {
		if s.Pipeline == pipeline {
			return s
		}
	}
	return attempt.Stats{Pipeline: pipeline}
}

// Attempt is an attempt of a pipeline in use that nothing in particular started. It is
// the caller's to fill in; the revision is pinned until the test ends.
func (r *Room) Attempt(pipeline string, c attempt.Cause) *attempt.Attempt {
	r.Helper()
	rev := r.Current.Pin()
	r.Cleanup(rev.Unpin)
	p := rev.Pipeline(pipeline)
	if p == nil {
		r.Fatalf("there is no pipeline called %s", pipeline)
	}
	return &attempt.Attempt{Revision: rev, Pipeline: p, Cause: c, Trigger: "manual", Number: 1, Input: value.Raw("{}")}
}

// Log is what was logged.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Logger logs everything here.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Lines are the lines that have all of some texts in them.
func (l *Log) Lines(texts ...string) (out []string) {
line:
	for line := range strings.Lines(l.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue line
			}
		}
		out = append(out, line)
	}
	return out
}
