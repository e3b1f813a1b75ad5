package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/internal/clock"
	"pipelined/internal/expression"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

// Config is what an Engine needs besides its program. Zero values get defaults.
type Config struct {
	Store  store.Store     // required
	Clock  pipelined.Clock // default: the machine's
	Logger *slog.Logger    // default: nothing is logged
	NewID  func() string   // default: UUIDv7
	Random func() float64  // default: math/rand
	// Dir is the project folder; connectors resolve relative files below it.
	Dir string
	// Drain is how long Run waits for work after its context ended; default 30s.
	Drain time.Duration
	// MaxRequests is how many HTTP requests run at a time; more get 503. Default 1024.
	MaxRequests int64
}

// Engine runs one project. Use New.
type Engine struct {
	store  store.Store
	clock  pipelined.Clock
	logger *slog.Logger
	host   *expression.Host
	dir    string
	drain  time.Duration

	broker   *broker.Broker
	schedule *scheduler
	handler  atomic.Pointer[http.Handler]
	current  atomic.Pointer[loaded]
	swapping sync.Mutex

	work       context.Context // ends when the drain limit is over
	cancelWork context.CancelCauseFunc
	stopping   atomic.Bool
	recovering atomic.Bool // suspects run alone now

	contended   sync.Mutex // held by executions that conflicted again and again
	requests    atomic.Int64
	maxRequests int64
	unsettled   settling
	counters    counters
	recent      recent
	suspects    suspects
	keys        keysInUse
}

// loaded is a program in use and how many executions are pinned to it.
type loaded struct {
	*program.Program
	pinned  sync.WaitGroup
	clients map[string]*client // by fingerprint
	limited []limited
}

// client is an opened connection, shared by the revisions that declare it alike.
type client struct {
	io.Closer
	users int
}

// New prepares an engine for its first program: the store is configured, the
// connections are opened. Nothing runs until Run or RunDue.
func New(ctx context.Context, p *program.Program, cfg Config) (*Engine, error) {
	e := &Engine{store: cfg.Store, clock: cfg.Clock, logger: cfg.Logger, dir: cfg.Dir,
		drain: cfg.Drain, maxRequests: cfg.MaxRequests}
	if e.clock == nil {
		e.clock = clock.Real()
	}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	if e.drain == 0 {
		e.drain = 30 * time.Second
	}
	if e.maxRequests == 0 {
		e.maxRequests = 1024
	}
	e.host = &expression.Host{Now: e.clock.Now, NewID: cfg.NewID, Random: cfg.Random}
	if e.host.NewID == nil {
		e.host.NewID = NewID
	}
	if e.host.Random == nil {
		e.host.Random = rand.Float64
	}
	e.work, e.cancelWork = context.WithCancelCause(context.WithoutCancel(ctx))
	e.unsettled.init()
	e.counters.init()
	var err error
	if e.broker, err = broker.New(ctx, e.store, e.clock, e.logger); err != nil {
		return nil, err
	}
	e.schedule = newScheduler(e)
	if err := e.Swap(ctx, p); err != nil {
		return nil, err
	}
	if err := e.recover(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// NewID returns a time-ordered UUIDv7.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Program returns the program in use.
func (e *Engine) Program() *program.Program { return e.current.Load().Program }

// Store returns the engine's store, for reading.
func (e *Engine) Store() store.Store { return e.store }

// Clock returns the engine's clock.
func (e *Engine) Clock() pipelined.Clock { return e.clock }

// Swap puts p in place of the running program, all or nothing: connections are
// opened first (unchanged ones are shared), then new work goes to p. Executions
// under way finish on the revision they started with.
func (e *Engine) Swap(ctx context.Context, p *program.Program) error {
	e.swapping.Lock()
	defer e.swapping.Unlock()
	old := e.current.Load()
	next := &loaded{Program: p, clients: map[string]*client{}, limited: limitedOf(p)}
	if err := e.open(ctx, next, old); err != nil {
		return err
	}
	handler, err := e.routes(next)
	if err == nil {
		err = e.store.Configure(ctx, p.Collections(), p.EventTypes())
	}
	if err != nil {
		e.closeLocked(next)
		return err
	}
	e.current.Store(next)
	e.handler.Store(&handler)
	if old != nil {
		fault.Point(fault.Swapped)
	}
	if err := e.subscribe(ctx, next, old); err != nil {
		return err
	}
	if err := e.schedule.use(ctx, next); err != nil {
		return err
	}
	if old != nil {
		go func() {
			old.pinned.Wait()
			e.close(old)
		}()
	}
	return nil
}

// open opens the connections of next, taking over those old has alike.
func (e *Engine) open(ctx context.Context, next, old *loaded) error {
	for _, c := range next.Connections {
		var k *client
		if old != nil {
			k = old.clients[c.Fingerprint]
		}
		if k == nil {
			closer, err := c.Connector.Open(ctx, c.Config, connectors.Env{
				Name: c.Name, Logger: e.logger.With("connection", c.Name), Clock: e.clock, Dir: e.dir})
			if err != nil {
				e.closeLocked(next)
				return fmt.Errorf("open connection %s: %w", c.Name, err)
			}
			k = &client{Closer: closer}
		}
		k.users++
		next.clients[c.Fingerprint] = k
		c.Client.Set(k.Closer)
	}
	return nil
}

// close lets go of a program's connections; the last user closes them.
func (e *Engine) close(l *loaded) {
	e.swapping.Lock()
	defer e.swapping.Unlock()
	e.closeLocked(l)
}

func (e *Engine) closeLocked(l *loaded) {
	for _, k := range l.clients {
		if k.users--; k.users > 0 {
			continue
		}
		if err := k.Close(); err != nil {
			e.logger.Warn("a connection did not close cleanly", "err", err)
		}
	}
	l.clients = nil
}

// pin returns the program in use, kept from being closed until unpinned.
func (e *Engine) pin() *loaded {
	for {
		l := e.current.Load()
		l.pinned.Add(1)
		if l == e.current.Load() {
			return l
		}
		l.pinned.Done()
	}
}

// Run works until ctx ends, then drains: nothing new is taken, what runs may
// finish within the drain limit, after that it is cut off with ErrStopping and
// goes back undone. Run returns when all of it has ended; the store stays open.
func (e *Engine) Run(ctx context.Context) error {
	intake, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	errs := make([]error, 3)
	recovered := make(chan struct{})
	parts.Go(func() {
		if err := e.tryAlone(intake); err != nil {
			e.logger.Error("what may have ended the process before could not be tried alone; it runs with the rest", "err", err)
		}
		e.recovering.Store(false)
		close(recovered)
		errs[0] = e.broker.Run(intake, e.work)
	})
	parts.Go(func() { <-recovered; errs[1] = e.schedule.run(intake) })
	parts.Go(func() { errs[2] = e.housekeeping(intake) })
	<-ctx.Done()
	e.stopping.Store(true)
	limit := e.clock.NewTimer(e.drain)
	defer limit.Stop()
	done := make(chan struct{})
	go func() {
		parts.Wait()
		e.current.Load().pinned.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-limit.C():
		e.logger.Warn("the drain limit is over; what still runs goes back undone", "limit", e.drain.String())
		e.cancelWork(pipelined.ErrStopping)
		<-done
	}
	e.unsettled.wait()
	return errors.Join(errs...)
}

// Close closes the connections of the program in use. Call it after Run.
func (e *Engine) Close() {
	e.cancelWork(pipelined.ErrStopping)
	e.stopped()
	e.close(e.current.Load())
}

// trimEvery is how often what retention no longer keeps is removed. The first time
// is soon after the start: a process that never lives long must trim, too.
const (
	trimEvery = time.Minute
	trimFirst = 3 * time.Second
)

// housekeeping moves idle subscriptions forward and trims.
func (e *Engine) housekeeping(ctx context.Context) error {
	for wait := trimFirst; ; wait = trimEvery {
		if err := pipelined.Sleep(ctx, e.clock, wait); err != nil {
			return nil
		}
		if err := e.Tidy(ctx); err != nil && ctx.Err() == nil {
			e.logger.Warn("retention could not be applied; trying again later", "err", err)
		}
	}
}

// Tidy applies retention once.
func (e *Engine) Tidy(ctx context.Context) error {
	if acks := e.broker.CatchUp(); len(acks) > 0 {
		if _, err := e.store.Commit(ctx, &store.Batch{Acks: acks}); err != nil {
			return fmt.Errorf("advance idle subscriptions: %w", err)
		}
	}
	if _, err := e.store.Trim(ctx, e.clock.Now()); err != nil {
		return fmt.Errorf("trim the store: %w", err)
	}
	return nil
}

// RunDue runs, on the caller's goroutine, everything that is due now and all that
// follows from it, and returns how many executions that were. Do not use it
// beside Run.
func (e *Engine) RunDue(ctx context.Context) (int, error) {
	n := len(e.suspects.list)
	if err := e.tryAlone(ctx); err != nil {
		return 0, err
	}
	e.recovering.Store(false)
	for {
		ran, err := e.schedule.runDue(ctx)
		n += ran
		if err != nil {
			return n, err
		}
		e.unsettled.wait()
		if _, err := e.broker.Dispatch(ctx); err != nil {
			return n, err
		}
		d := e.broker.Take()
		if d == nil && ran == 0 {
			return n, nil
		}
		for ; d != nil; d = e.broker.Take() {
			e.broker.Handle(e.work, d)
			n++
		}
		e.unsettled.wait()
	}
}

// Publish puts an event into the log, as a publish step would, and returns its id.
func (e *Engine) Publish(ctx context.Context, ev *pipelined.Event) (string, error) {
	if refuse := e.refuse(e.current.Load()); refuse != nil {
		if p := refuse(ev.Type); p != nil {
			return "", p
		}
	}
	b := &store.Batch{Events: []*pipelined.Event{e.complete(ev)}}
	if _, err := e.Commit(ctx, b); err != nil {
		return "", fmt.Errorf("publish %s: %w", ev.Type, err)
	}
	return ev.ID, nil
}

// Commit commits a batch, waits until it is durable, and has its events delivered.
// The broker is told by the store's writer, in the order of the log: told by those
// who waited, it would find gaps, and look for what fills them in the log.
func (e *Engine) Commit(_ context.Context, b *store.Batch) (store.Result, error) {
	type answer struct {
		r   store.Result
		err error
	}
	done := make(chan answer, 1)
	e.store.Submit(b, func(r store.Result, err error) {
		if err == nil {
			e.committed(b, r)
		}
		done <- answer{r, err}
	})
	a := <-done
	return a.r, a.err
}

// complete gives an event from outside what it lacks.
func (e *Engine) complete(ev *pipelined.Event) *pipelined.Event {
	if ev.ID == "" {
		ev.ID = e.host.NewID()
	}
	if ev.Time.IsZero() {
		ev.Time = e.clock.Now()
	}
	if ev.Source == "" {
		ev.Source = "/" + e.Program().Name
	}
	if ev.Attempt == 0 {
		ev.Attempt = 1
	}
	return ev
}

// settling counts batches handed to the store whose fate is not known yet.
type settling struct {
	mu   sync.Mutex
	cond *sync.Cond
	n    int
}

func (s *settling) init() { s.cond = sync.NewCond(&s.mu) }

func (s *settling) add() { s.mu.Lock(); s.n++; s.mu.Unlock() }

func (s *settling) done() {
	s.mu.Lock()
	if s.n--; s.n == 0 {
		s.cond.Broadcast()
	}
	s.mu.Unlock()
}

func (s *settling) wait() {
	s.mu.Lock()
	for s.n > 0 {
		s.cond.Wait()
	}
	s.mu.Unlock()
}
