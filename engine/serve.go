package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"pipelined"
	"pipelined/internal/fault"
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
			run = e.accept(p.Name, route.Idempotency)
		}
		endpoints = append(endpoints, httptrigger.Endpoint{
			Route: route, Pipeline: p.Name, Schema: p.Schema, MaxBody: route.MaxSize, Run: run})
	}
	return httptrigger.NewHandler(endpoints, httptrigger.Config{
		Logger: e.logger, MaxBody: int64(l.File.Server.MaxBody), Clock: e.clock})
}

// Ready tells why no work is taken now; nil if it is.
func (e *Engine) Ready() error {
	if err := e.store.Health(); err != nil {
		return commitProblem(err)
	}
	switch {
	case e.stopping.Load():
		return pipelined.NewProblem(pipelined.TypeStopping, "The runtime is stopping", 503, "").Transient()
	case e.recovering.Load():
		return pipelined.NewProblem(pipelined.TypeUnavailable, "The runtime is recovering from a crash", 503, "").Transient()
	}
	return nil
}

// admit takes a place for a request, or says why there is none.
func (e *Engine) admit() *pipelined.Problem {
	if err := e.Ready(); err != nil {
		p := pipelined.AsProblem(err)
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
		if route, ok := p.Plan.(*triggers.Route); ok && route.Idempotency != nil {
			k, before, free, err := e.known(e.work, name, route.Idempotency, r)
			defer free()
			if err != nil || before != nil {
				return before, storeProblem(err)
			}
			s.key = k
		}
		o, err := e.executeAndCommit(e.work, l, s)
		if err != nil {
			return nil, err
		}
		fault.Point(fault.Answer)
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
func (e *Engine) accept(name string, plan *triggers.Idempotency) func(context.Context, *httptrigger.Request) (*pipelined.Reply, error) {
	return func(ctx context.Context, r *httptrigger.Request) (*pipelined.Reply, error) {
		if p := e.admit(); p != nil {
			return nil, p
		}
		defer e.requests.Add(-1)
		data, err := value.JSON(map[string]any{"request": r.Value(), "input": r.Input})
		if err != nil {
			return nil, err
		}
		ev := e.complete(&pipelined.Event{Type: requestPrefix + name, Data: string(data)})
		body, err := value.JSON(map[string]any{"id": ev.ID})
		if err != nil {
			return nil, err
		}
		reply := &pipelined.Reply{Status: http.StatusAccepted, Body: string(body)}
		b := &store.Batch{Events: []*pipelined.Event{ev}}
		if plan != nil {
			k, before, free, err := e.known(ctx, name, plan, r)
			defer free()
			if err != nil || before != nil {
				return before, storeProblem(err)
			}
			if k != nil {
				w, err := k.write(reply, ev.ID)
				if err != nil {
					return nil, err
				}
				b.Documents = append(b.Documents, w)
			}
		}
		if _, err := e.Commit(ctx, b); err != nil {
			return nil, commitProblem(err)
		}
		fault.Point(fault.Answer)
		return reply, nil
	}
}

// storeProblem is what a caller is told when the store could not be read.
func storeProblem(err error) error {
	var p *pipelined.Problem
	if err == nil || errors.As(err, &p) {
		return err
	}
	return commitProblem(fmt.Errorf("%w: %w", store.ErrUnavailable, err))
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
	_, err := e.Commit(ctx, o.batch)
	return o, err
}

// commitProblem is what a caller is told when a commit did not happen.
func commitProblem(err error) *pipelined.Problem {
	switch {
	case errors.Is(err, store.ErrConflict):
		return pipelined.NewProblem(pipelined.TypeConflict, "Other executions kept changing the same document", 409, err.Error()).Transient()
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		// The title is for callers; what exactly fails, and where, is for the log.
		p := pipelined.NewProblem(pipelined.TypeUnavailable, "Nothing can be stored now; nothing of the request happened", 503, err.Error()).Transient()
		p.RetryAfter = time.Second
		return p
	}
	return pipelined.NewProblem(pipelined.TypeInternal, "The outcome could not be committed", 500, err.Error())
}
