package source

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"pipelined"
	"pipelined/internal/fault"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// crowded is how long a source waits to see whether its events have become fewer.
const crowded = 100 * time.Millisecond

// session is one call of a source's Start: the epochs under which it holds partitions,
// and the numbers of what it delivered. Nothing of it outlives the call.
type session struct {
	*reader
	ctx  context.Context // of the call, which the session does not outlive
	wait wait
	typ  string // of its events

	mu      sync.Mutex
	held    map[string]int64 // epochs, by partition
	spans   map[string]span  // what of each partition is in the log, as far as known
	scanned bool             // spans knows of what others before delivered
	ahead   []int64          // numbers that the broker may not have come to
}

// span is the first and the last number of a partition's events.
type span struct{ from, to int64 }

func newSession(ctx context.Context, r *reader, wait wait) *session {
	return &session{reader: r, ctx: ctx, wait: wait, typ: r.pipeline.Inlet(), held: map[string]int64{}, spans: map[string]span{}}
}

// env is what the source is lent.
func (s *session) env() triggers.Env {
	run := s.sources.Runner
	var client io.Closer
	if s.rev != nil && s.pipeline.Connection != nil {
		client = s.rev.Opened[s.pipeline.Connection.Index]
	}
	return triggers.Env{
		Pipeline: s.pipeline.Name, Dir: s.sources.Dir, Client: client, Clock: run.Clock,
		Logger: run.Logger.With("pipeline", s.pipeline.Name), Cursors: s, Wait: s.wait,
	}
}

// deliver commits what was read, and where it is read to.
func (s *session) deliver(b triggers.Batch) error {
	if err := s.room(len(b.Events)); err != nil {
		return err
	}
	batch := &store.Batch{}
	for i := range b.Events {
		ev, err := s.event(b.Partition, &b.Events[i])
		if err != nil {
			return err
		}
		batch.Events = append(batch.Events, ev)
	}
	if err := s.Hold(s.ctx, b.Partition); err != nil {
		return err
	}
	batch.Cursors = []store.Cursor{s.cursor(b.Partition, b.Cursor)}
	res, err := s.sources.Runner.Commit(s.ctx, batch)
	if err != nil {
		return fmt.Errorf("commit what was read of %q: %w", b.Partition, err)
	}
	s.delivered(b, res)
	s.sources.Runner.Host.Point(fault.Delivered)
	return context.Cause(s.ctx)
}

// delivered counts events, and notes where in the log they are.
func (s *session) delivered(b triggers.Batch, res store.Result) {
	var events, failed int64
	s.mu.Lock()
	for i, seq := range res.Seqs {
		if seq == 0 { // known already
			continue
		}
		s.span(b.Partition, seq)
		s.ahead = append(s.ahead, seq)
		events++
		if b.Events[i].Problem != nil {
			failed++
		}
	}
	s.mu.Unlock()
	s.note(func(st *Status) { st.Events += events; st.Failed += failed })
}

// span notes that an event of a partition is in the log. The caller holds mu.
func (s *session) span(partition string, seq int64) {
	at, known := s.spans[partition]
	if !known {
		at = span{seq, seq}
	}
	s.spans[partition] = span{min(at.from, seq), max(at.to, seq)}
}

// room waits until few enough events wait for the pipeline, if there are more.
func (s *session) room(more int) error {
	for {
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
		if more == 0 || s.plan.Prefetch == 0 || s.backlog() < s.plan.Prefetch {
			return nil
		}
		pause := crowded
		if s.turns != nil { // until those that wait had theirs
			pause = 0
		}
		if err := s.wait(s.ctx, pause); err != nil {
			return err
		}
	}
}

// backlog is how many events wait for the pipeline, those that the broker has not come
// to among them.
func (s *session) backlog() int64 {
	n, head := s.sources.Broker.Backlog(s.pipeline.Name), s.sources.Broker.Head()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = slices.DeleteFunc(s.ahead, func(seq int64) bool { return seq <= head })
	return n + int64(len(s.ahead))
}

// event is what a source read as an event of the log.
func (s *session) event(partition string, in *triggers.Event) (*pipelined.Event, error) {
	run := s.sources.Runner
	ev := &pipelined.Event{
		ID: in.ID, DedupeID: in.ID, Type: s.typ, Source: in.From, Time: in.Time, Key: in.Key, Data: string(in.Data), Attempt: 1,
		Headers: map[string]string{},
	}
	maps.Copy(ev.Headers, in.Headers)
	ev.Headers[pipelined.PartitionHeader] = partition
	if ev.ID == "" {
		ev.ID = run.Values.NewID()
	}
	if ev.Time.IsZero() {
		ev.Time = run.Clock.Now()
	}
	if in.Problem != nil {
		text, err := json.Marshal(in.Problem)
		if err != nil {
			return nil, fmt.Errorf("keep why %s could not be decoded: %w", in.From, err)
		}
		ev.Headers[pipelined.ProblemHeader] = string(text)
	}
	return ev, nil
}

func (s *session) cursor(partition, value string) store.Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Cursor{Source: s.name(), Partition: partition, Epoch: s.held[partition], Value: value}
}
