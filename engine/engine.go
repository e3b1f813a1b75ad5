package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"pipelined"
	"pipelined/engine/aftermath"
	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/engine/consumer"
	"pipelined/engine/edge"
	"pipelined/engine/execution"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/engine/scheduler"
	"pipelined/engine/source"
	"pipelined/internal/clock"
	"pipelined/internal/expression/function"
	"pipelined/internal/store"
)

// Config is what an Engine needs besides its program. Zero values get defaults.
type Config struct {
	Store  store.Store     // required
	Clock  pipelined.Clock // default: the machine's
	Logger *slog.Logger    // default: nothing is logged
	NewID  func() string   // default: UUIDv7
	Random func() float64  // default: math/rand
	Host   execution.Host  // default: the machine
	// Dir is the project folder; connectors resolve relative files below it.
	Dir string
	// Drain is how long Run waits for work after its context ended; default 30s.
	Drain time.Duration
	// MaxRequests is how many HTTP requests run at a time; more get 503. Default 1024.
	MaxRequests int64
}

// defaults fills in what was left out.
func (c Config) defaults() Config {
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.NewID == nil {
		c.NewID = NewID
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Host == nil {
		c.Host = execution.Machine{Clock: c.Clock}
	}
	if c.Drain == 0 {
		c.Drain = 30 * time.Second
	}
	if c.MaxRequests == 0 {
		c.MaxRequests = 1024
	}
	return c
}

// NewID returns a time-ordered UUIDv7.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Engine runs one project. Use New.
type Engine struct {
	config    Config
	revisions revisions
	broker    *broker.Broker
	runner    *attempt.Runner
	edge      *edge.Edge
	consumer  *consumer.Consumer
	scheduler *scheduler.Scheduler
	aftermath *aftermath.Aftermath
	sources   *source.Sources
	recovery  recovery

	work       context.Context // ends when the drain limit is over
	cancelWork context.CancelCauseFunc
	stopping   atomic.Bool
}

// New prepares an engine for its first program: the store builds what it needs, the
// connections are opened. Nothing runs until Run or RunDue.
func New(ctx context.Context, p *program.Program, cfg Config) (*Engine, error) {
	cfg = cfg.defaults()
	e := &Engine{config: cfg}
	e.work, e.cancelWork = context.WithCancelCause(context.WithoutCancel(ctx))
	var err error
	if e.broker, err = broker.New(ctx, cfg.Store, cfg.Clock, cfg.NewID, cfg.Logger); err != nil {
		return nil, err
	}
	e.wire()
	if _, err := attempt.ConvertLetters(ctx, cfg.Store, p.Collection, cfg.NewID, cfg.Clock.Now); err != nil {
		return nil, fmt.Errorf("bring older dead letters up to date: %w", err)
	}
	if err := e.Swap(ctx, p); err != nil {
		return nil, err
	}
	orphans, err := e.runner.Adopt(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.recovery.begin(ctx); err != nil {
		return nil, err
	}
	if err := e.aftermath.Begin(ctx, orphans); err != nil {
		return nil, err
	}
	return e, nil
}

// wire makes the parts and shows them to each other.
func (e *Engine) wire() {
	c := e.config
	e.runner = (&attempt.Runner{
		Store: c.Store, Clock: c.Clock, Values: &function.Env{Now: c.Clock.Now, NewID: c.NewID, Random: c.Random},
		Host: c.Host, Logger: c.Logger, Refuse: func(rev *revision.Revision) func(string) *pipelined.Problem { return refuse(e.broker, rev) },
		Committed: func(b *store.Batch, r store.Result) {
			e.broker.Committed(b, r)
			e.runner.CountEvents(b, r)
		},
	}).Init()
	e.consumer = &consumer.Consumer{Runner: e.runner, Current: &e.revisions.current, Redrive: redriveSubscription}
	e.aftermath = aftermath.New(e.runner, &e.revisions.current)
	e.runner.Leave, e.runner.Give = e.aftermath.Leave, e.aftermath.Give
	e.scheduler = scheduler.New(e.runner, &e.revisions.current)
	e.sources = &source.Sources{Runner: e.runner, Current: &e.revisions.current, Broker: e.broker, Log: c.Store, Dir: c.Dir}
	e.edge = &edge.Edge{Runner: e.runner, Current: &e.revisions.current, MaxRequests: c.MaxRequests, Ready: e.Ready, Complete: e.revisions.complete}
	e.recovery.engine, e.revisions.engine = e, e
}

// redriveSubscription is no name that a pipeline can have.
const redriveSubscription = "pipelined.redrive"

// ServeHTTP answers requests with the pipelines of the program in use.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.edge.ServeHTTP(w, r) }

// Run works until ctx ends, then drains: nothing new is taken, what runs may finish
// within the drain limit, after that it is cut off with ErrStopping and goes back
// undone. Run returns when all of it has ended; the store stays open.
func (e *Engine) Run(ctx context.Context) error {
	intake, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	errs := make([]error, 5)
	recovered := make(chan struct{})
	parts.Go(func() {
		e.recovery.run(intake)
		e.aftermath.First(intake, e.work)
		close(recovered)
		errs[0] = e.broker.Run(intake, e.work)
	})
	parts.Go(func() { <-recovered; errs[1] = e.scheduler.Run(intake, e.work) })
	parts.Go(func() { <-recovered; errs[3] = e.aftermath.Run(intake, e.work) })
	parts.Go(func() { errs[2] = housekeeping(intake, e) })
	parts.Go(func() { <-recovered; errs[4] = e.sources.Run(intake) })
	<-ctx.Done()
	e.stopping.Store(true)
	e.drain(&parts)
	return errors.Join(errs...)
}

// drain waits for what runs, and cuts it off at the limit.
func (e *Engine) drain(parts *sync.WaitGroup) {
	limit := e.config.Clock.NewTimer(e.config.Drain)
	defer limit.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		parts.Wait()
		e.revisions.end()
		e.consumer.Wait()
	}()
	select {
	case <-done:
	case <-limit.C():
		e.config.Logger.Warn("the drain limit is over; what still runs goes back undone", "limit", e.config.Drain.String())
		e.cancelWork(pipelined.ErrStopping)
		<-done
	}
}

// Close notes that the engine stopped in order and closes its connections. Call it
// after Run.
func (e *Engine) Close() {
	e.cancelWork(pipelined.ErrStopping)
	e.recovery.stopped()
	e.sources.Close()
	e.revisions.end()
}

// RunDue runs, on the caller's goroutine, everything that is due now and all that
// follows from it, and returns how many executions that were. Do not use it beside Run.
func (e *Engine) RunDue(ctx context.Context) (int, error) {
	n, err := e.recovery.alone(ctx)
	if err != nil {
		return 0, err
	}
	for {
		read := e.sources.RunDue(ctx)
		ran, err := e.scheduler.RunDue(ctx, e.work)
		n += ran
		if err != nil {
			return n, err
		}
		e.consumer.Wait()
		left, err := e.aftermath.RunDue(ctx, e.work)
		if n += left; err != nil {
			return n, err
		}
		if _, err := e.broker.Dispatch(ctx); err != nil {
			return n, err
		}
		d := e.broker.Take()
		if d == nil && ran == 0 && left == 0 && read == 0 {
			return n, nil
		}
		for ; d != nil; d = e.broker.Take() {
			e.broker.Handle(e.work, d)
			n++
		}
		e.consumer.Wait()
	}
}
