package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/fault"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// Edge answers requests. Its fields are set before the first one; it is safe for
// concurrent use.
type Edge struct {
	Runner  *attempt.Runner
	Current *revision.Current
	// MaxRequests is how many run at a time; more get 503.
	MaxRequests int64
	// Ready says why no work is taken now; nil if it is.
	Ready func() error
	// Complete gives an event from outside, such as a request that is answered as soon as
	// it is durable, what it lacks.
	Complete func(*pipelined.Event) *pipelined.Event

	running atomic.Int64
	keys    keysInUse
}

// ServeHTTP answers with the pipelines of the revision in use.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rev := e.Current.Pin()
	if rev == nil {
		stopped.writeProblem(w, r, refuse(pipelined.TypeStopping, "The runtime is stopping", http.StatusServiceUnavailable, ""), "")
		return
	}
	defer rev.Unpin()
	rev.Routes.ServeHTTP(w, r)
}

// stopped answers when there is no revision any more.
var stopped = &handler{}

// Routes builds what answers by a revision, which whoever calls it has pinned. Work runs
// under ctx, not under the request's own: a caller who leaves does not cut it off half
// done.
func (e *Edge) Routes(ctx context.Context, rev *revision.Revision) (http.Handler, error) {
	var endpoints []Endpoint
	for _, p := range rev.Pipelines {
		route, ok := p.Plan.(*triggers.Route)
		if !ok {
			continue
		}
		t := &target{edge: e, rev: rev, pipeline: p, route: route, work: ctx}
		endpoints = append(endpoints, Endpoint{Route: route, Pipeline: p.Name, Schema: p.Schema, MaxBody: route.MaxSize, Run: t.serve})
	}
	return NewHandler(endpoints, Config{
		Logger: e.Runner.Logger, MaxBody: int64(rev.File.Server.MaxBody), Clock: e.Runner.Clock})
}

// target is a pipeline of a revision that answers a route.
type target struct {
	edge     *Edge
	rev      *revision.Revision
	pipeline *program.Pipeline
	route    *triggers.Route
	work     context.Context
}

// serve takes a place for a request and answers it, or says why there is none.
func (t *target) serve(ctx context.Context, r *Request) (*pipelined.Reply, error) {
	e := t.edge
	if err := e.Ready(); err != nil {
		p := pipelined.AsProblem(err)
		p.RetryAfter = time.Second
		return nil, p
	}
	defer e.running.Add(-1)
	if e.running.Add(1) > e.MaxRequests {
		p := pipelined.NewProblem(pipelined.TypeOverloaded, "Too many requests are running", 503, "").Transient()
		p.RetryAfter = time.Second
		return nil, p
	}
	if t.route.Accepted {
		return t.accept(ctx, r)
	}
	return t.answer(r)
}

// answer runs a pipeline for a caller who waits. I2: no answer before the commit.
func (t *target) answer(r *Request) (*pipelined.Reply, error) {
	e, p := t.edge, t.pipeline
	c := &cause{edge: e}
	a := &attempt.Attempt{Revision: t.rev, Pipeline: p, Cause: c, Trigger: p.TriggerKind, Number: 1, Input: r.Input, Request: r.Value,
		Waiting: true, Timeout: t.route.Timeout}
	if t.route.Idempotency != nil {
		k, before, free, err := e.known(t.work, p.Name, t.route.Idempotency, r)
		defer free()
		if err != nil || before != nil {
			return before, storeProblem(err)
		}
		c.key = k
	}
	end := e.Runner.Run(t.work, a)
	switch {
	case c.key != nil && c.key.takenBy(end.Err): // somebody else has answered it
		before, err := e.stored(t.work, c.key, r)
		return before, storeProblem(err)
	case end.Err != nil:
		return nil, attempt.CommitProblem(end.Err)
	}
	e.Runner.Host.Point(fault.Answer)
	r.RunID, r.Rest = end.ID, end.Rest
	return end.Reply, replyError(end.Outcome)
}

// cause is a waiting request as what started an attempt.
type cause struct {
	edge *Edge
	key  *keyed // the caller's idempotency key; nil if it gave none
}

// Settle stores the answer for its key.
func (c *cause) Settle(o *attempt.Outcome, b *store.Batch) {
	if c.key == nil || !storable(o) {
		return
	}
	w, err := c.key.write(o.Reply, o.ID)
	if err != nil {
		c.edge.Runner.Logger.Error("an answer could not be stored for its key", "execution", o.ID, "err", err)
		return
	}
	b.Documents = append(b.Documents, w)
}

// PutOff never: the caller waits.
func (*cause) PutOff(*store.Batch, time.Time, *pipelined.Problem) bool { return false }

// replyError is the error to answer with: none where the flow or its on_error responded.
func replyError(o *attempt.Outcome) error {
	if o.Aborted {
		return pipelined.NewProblem(pipelined.TypeStopping, "The runtime is stopping", 503, "").Transient()
	}
	if o.Problem == nil || o.Reply != nil {
		return nil
	}
	return o.Problem
}

// accept makes a request durable and answers 202; the pipeline runs after.
func (t *target) accept(ctx context.Context, r *Request) (*pipelined.Reply, error) {
	e, name := t.edge, t.pipeline.Name
	data, err := value.JSON(map[string]any{"request": r.Value(), "input": r.Input})
	if err != nil {
		return nil, fmt.Errorf("keep the request: %w", err)
	}
	ev := e.Complete(&pipelined.Event{Type: t.pipeline.Inlet(), Data: string(data)})
	body, err := value.JSON(map[string]any{"id": ev.ID})
	if err != nil {
		return nil, fmt.Errorf("write the answer: %w", err)
	}
	reply := &pipelined.Reply{Status: http.StatusAccepted, Body: string(body)}
	b := &store.Batch{Events: []*pipelined.Event{ev}}
	var key *keyed
	if t.route.Idempotency != nil {
		k, before, free, err := e.known(ctx, name, t.route.Idempotency, r)
		defer free()
		if err != nil || before != nil {
			return before, storeProblem(err)
		}
		if k != nil {
			w, err := k.write(reply, ev.ID)
			if err != nil {
				return nil, err
			}
			key, b.Documents = k, append(b.Documents, w)
		}
	}
	if _, err := e.Runner.Commit(ctx, b); err != nil {
		if key != nil && key.takenBy(err) {
			before, err := e.stored(ctx, key, r)
			return before, storeProblem(err)
		}
		return nil, attempt.CommitProblem(err)
	}
	e.Runner.Host.Point(fault.Answer)
	return reply, nil
}

// storeProblem is what a caller is told when the store could not be read.
func storeProblem(err error) error {
	var p *pipelined.Problem
	if err == nil || errors.As(err, &p) {
		return err
	}
	return attempt.CommitProblem(fmt.Errorf("%w: %w", store.ErrUnavailable, err))
}
