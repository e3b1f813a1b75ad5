package engine

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/engine/source"
	"pipelined/internal/store"
)

// DeadLetters is the collection that keeps what failed and nothing handled.
const DeadLetters = attempt.DeadLetters

// Program returns the program in use.
func (e *Engine) Program() *program.Program { return e.revisions.current.Load().Program }

// Clock returns the engine's clock.
func (e *Engine) Clock() pipelined.Clock { return e.config.Clock }

// View is what can be seen of a running engine.
type View struct {
	Pipelines     []attempt.Stats
	Published     map[string]int64  // events of each type, since the start
	Duplicates    map[string]int64  // those of each type that were dropped, since their publish.id was there
	Subscriptions []broker.Status   // those of pipelines
	Sources       []source.Status   // how each stands
	Left          int               // compensations and lists of after_commit that wait or run
	Recent        []store.Execution // the newest executions, whatever the history policy keeps
}

// View tells how everything stands.
func (e *Engine) View() View {
	own := func(s broker.Status) bool { return s.Name == redriveSubscription }
	return View{e.runner.Counters.Stats(), e.runner.Counters.Published(), e.runner.Counters.Duplicates(), slices.DeleteFunc(e.broker.Status(), own), e.sources.Status(), e.aftermath.Open(), e.runner.Recent.List()}
}

// Ready tells why no work is taken now; nil if it is.
func (e *Engine) Ready() error {
	if err := e.config.Store.Health(); err != nil {
		return attempt.CommitProblem(err)
	}
	switch {
	case e.stopping.Load():
		return pipelined.NewProblem(pipelined.TypeStopping, "The runtime is stopping", 503, "").Transient()
	case e.recovery.underWay.Load():
		return pipelined.NewProblem(pipelined.TypeUnavailable, "The runtime is recovering from a crash", 503, "").Transient()
	}
	return nil
}

// Publish puts an event into the log, as a publish step would, and returns its id.
func (e *Engine) Publish(ctx context.Context, ev *pipelined.Event) (string, error) {
	if why := refuse(e.broker, e.revisions.current.Load()); why != nil {
		if p := why(ev.Type); p != nil {
			return "", p
		}
	}
	ev = e.revisions.complete(ev)
	if err := ev.CheckTime(e.config.Clock.Now()); err != nil {
		return "", err
	}
	b := &store.Batch{Events: []*pipelined.Event{ev}}
	if _, err := e.Commit(ctx, b); err != nil {
		return "", fmt.Errorf("publish %s: %w", ev.Type, err)
	}
	return ev.ID, nil
}

// Commit commits a batch, waits until it is durable, and has its events delivered.
func (e *Engine) Commit(ctx context.Context, b *store.Batch) (store.Result, error) {
	return e.runner.Commit(ctx, b)
}

// complete gives an event from outside what it lacks.
func (r *revisions) complete(ev *pipelined.Event) *pipelined.Event {
	if ev.ID == "" {
		ev.ID = r.engine.config.NewID()
	}
	if ev.Time.IsZero() {
		ev.Time = r.engine.config.Clock.Now()
	}
	if ev.Source == "" {
		ev.Source = "/" + r.current.Load().Name
	}
	if ev.Attempt == 0 {
		ev.Attempt = 1
	}
	return ev
}

// refuse says why no event of a type can be published now; it is nil where nothing
// limits that. Those that publish are told, and may wait by their own retry; nothing
// that was published is dropped.
func refuse(b *broker.Broker, rev *revision.Revision) func(eventType string) *pipelined.Problem {
	if !rev.Limited() {
		return nil
	}
	return func(eventType string) (p *pipelined.Problem) {
		rev.Limit(eventType, func(pipeline string, most int64) bool {
			if n := b.Backlog(pipeline); n >= most {
				p = pipelined.NewProblem("publish/backlog", "Too many events wait", http.StatusServiceUnavailable,
					fmt.Sprintf("%d events wait for %s, which takes %s and allows %d", n, pipeline, eventType, most)).Transient()
				p.RetryAfter = time.Second
			}
			return p == nil
		})
		return p
	}
}

// Store returns the engine's store, for reading.
func (e *Engine) Store() store.Store { return e.config.Store }
