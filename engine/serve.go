package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/triggers"
	httptrigger "pipelined/triggers/http"
)

// maxReruns is how often an execution is run again because another one changed a
// document it depends on before it could commit.
const maxReruns = 50

// ServeHTTP answers requests with the pipelines of the program in use.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*e.handler.Load()).ServeHTTP(w, r)
}

// routes builds the handler of a program.
func (e *Engine) routes(l *loaded) (http.Handler, error) {
	var endpoints []httptrigger.Endpoint
	for _, p := range l.Pipelines {
		route, ok := p.Plan.(*triggers.Route)
		if !ok {
			continue
		}
		run := e.answer(p.Name)
		if route.Accepted {
			run = e.accept(p.Name)
		}
		endpoints = append(endpoints, httptrigger.Endpoint{
			Route: route, Pipeline: p.Name, Schema: p.Schema, MaxBody: route.MaxSize, Run: run})
	}
	return httptrigger.NewHandler(endpoints, httptrigger.Config{
		Logger: e.logger, MaxBody: int64(l.File.Server.MaxBody), Clock: e.clock})
}

// admit takes a place for a request, or says why there is none.
func (e *Engine) admit() *pipelined.Problem {
	if e.stopping.Load() {
		p := pipelined.NewProblem(pipelined.TypeStopping, "The runtime is stopping", 503, "").Transient()
		p.RetryAfter = time.Second
		return p
	}
	if e.requests.Add(1) > e.maxRequests {
		e.requests.Add(-1)
		p := pipelined.NewProblem(pipelined.TypeOverloaded, "Too many requests are running", 503, "").Transient()
		p.RetryAfter = time.Second
		return p
	}
	return nil
}

// answer runs a pipeline for a caller who waits. I2: no answer before the commit.
// The caller leaving does not cut the work off half-done.
func (e *Engine) answer(name string) func(context.Context, *httptrigger.Request) (*pipelined.Reply, error) {
	return func(_ context.Context, r *httptrigger.Request) (*pipelined.Reply, error) {
		if p := e.admit(); p != nil {
			return nil, p
		}
		defer e.requests.Add(-1)
		l := e.pin()
		defer l.pinned.Done()
		p := l.Pipeline(name)
		if p == nil {
			return nil, pipelined.NewProblem(pipelined.TypeNotFound, "No such route", 404, "")
		}
		s := &start{pipeline: p, trigger: "http", input: r.Input, attempt: 1, waiting: true}
		if route, ok := p.Plan.(*triggers.Route); ok {
			s.timeout = route.Timeout
		}
		if p.Uses.Request {
			s.request = r.Value()
		}
		o, err := e.executeAndCommit(e.work, l, s)
		if err != nil {
			return nil, err
		}
		r.RunID = o.id
		return o.reply, replyError(o)
	}
}

// replyError is the error to answer with: none where the flow or its on_error
// responded.
func replyError(o *outcome) error {
	if o.aborted {
		return pipelined.NewProblem(pipelined.TypeStopping, "The runtime is stopping", 503, "").Transient()
	}
	if o.problem == nil || o.reply != nil {
		return nil
	}
	return o.problem
}

// accept makes a request durable and answers 202; the pipeline runs after.
func (e *Engine) accept(name string) func(context.Context, *httptrigger.Request) (*pipelined.Reply, error) {
	return func(ctx context.Context, r *httptrigger.Request) (*pipelined.Reply, error) {
		if p := e.admit(); p != nil {
			return nil, p
		}
		defer e.requests.Add(-1)
		data, err := value.JSON(map[string]any{"request": r.Value(), "input": r.Input})
		if err != nil {
			return nil, err
		}
		ev := &pipelined.Event{Type: requestPrefix + name, Data: string(data)}
		id, err := e.Publish(ctx, ev)
		if err != nil {
			return nil, commitProblem(err)
		}
		body, err := value.JSON(map[string]any{"id": id})
		if err != nil {
			return nil, err
		}
		return &pipelined.Reply{Status: http.StatusAccepted, Body: string(body)}, nil
	}
}

// executeAndCommit runs an execution and waits until what came of it is durable.
// Where another execution changed the same document first, it runs again. An
// execution with nothing to commit does not wait for the disk.
func (e *Engine) executeAndCommit(ctx context.Context, l *loaded, s *start) (*outcome, error) {
	for try := 1; ; try++ {
		o, err := e.try(ctx, l, s, try)
		if err == nil {
			e.counters.ended(s, o)
			return o, nil
		}
		if !errors.Is(err, store.ErrConflict) || try == maxReruns {
			return nil, commitProblem(err)
		}
		e.counters.rerun(s)
	}
}

// freeTries is how often an execution runs beside others before it waits for its
// turn: those that keep conflicting then run one after the other.
const freeTries = 2

// try is one run and its commit. It returns store.ErrConflict where it has to run
// again.
func (e *Engine) try(ctx context.Context, l *loaded, s *start, n int) (*outcome, error) {
	if n > freeTries {
		e.contended.Lock()
		defer e.contended.Unlock()
	}
	o := e.execute(ctx, l, s)
	switch {
	case o.stale != nil:
		return o, fmt.Errorf("%w: %s", store.ErrConflict, o.stale.Detail)
	case o.aborted || o.batch.Empty():
		return o, nil
	}
	r, err := e.store.Commit(ctx, o.batch)
	if err != nil {
		return o, err
	}
	e.committed(o.batch, r)
	return o, nil
}

// commitProblem is what a caller is told when a commit did not happen.
func commitProblem(err error) *pipelined.Problem {
	switch {
	case errors.Is(err, store.ErrConflict):
		return pipelined.NewProblem(pipelined.TypeConflict, "Other executions kept changing the same document", 409, err.Error()).Transient()
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		p := pipelined.NewProblem(pipelined.TypeUnavailable, "The store cannot commit now", 503, err.Error()).Transient()
		p.RetryAfter = time.Second
		return p
	}
	return pipelined.NewProblem(pipelined.TypeInternal, "The outcome could not be committed", 500, err.Error())
}
