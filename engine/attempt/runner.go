package attempt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/engine/revision"
	"pipelined/internal/expression/function"
	"pipelined/internal/store"
	"pipelined/objectstore"
)

// Runner runs attempts to their durable end. Its fields are set before the first one
// and not changed after; it is safe for concurrent use. Use Init.
type Runner struct {
	Store interface {
		store.Documents
		store.Keeper
	}
	Clock  pipelined.Clock
	Values *function.Env // clock, ids and randomness of expressions
	Host   execution.Host
	Logger *slog.Logger
	// Refuse says, for a revision, why no event of a type can be published now.
	Refuse func(*revision.Revision) func(eventType string) *pipelined.Problem
	// Committed is told of every batch that is durable, by the store's writer, in the
	// order of the log.
	Committed func(*store.Batch, store.Result)

	// Leave takes over what an execution left to be done, which is durable; held says that
	// it is to wait for Rest.Start. What it returns is nil if nothing of it belongs to the
	// run. Give takes over the sagas that nothing takes up again.
	Leave func(left []*Left, held bool) *Rest
	Give  func(saga string)

	Sagas    Sagas
	Counters Counters
	Recent   Recent
	turns    turns
	floods   floods
}

// Init prepares the runner's own parts and returns it.
func (r *Runner) Init() *Runner {
	r.Counters.init()
	return r
}

// Ending is how an attempt ended.
type Ending struct {
	*Outcome
	Result store.Result
	// Err is nil if the outcome is durable, or there was nothing to commit. It is
	// store.ErrTaken where somebody else has claimed the cause: the outcome is dropped.
	// Otherwise nothing of it happened, and the cause decides.
	Err error
	// Rest is what the run still does after its commit. Where a caller waited for the
	// answer it begins with Rest.Start.
	Rest *Rest
}

const (
	// maxReruns is how often an attempt is run again because another execution changed a
	// document it depends on before it could commit.
	maxReruns = 50
	// freeTries is how often it runs beside others before it waits for its turn.
	freeTries = 2
)

// loop is how an attempt goes through its runs.
type loop struct {
	began   time.Time // of the first run
	runs    int       // so far
	met     []document
	first   string // id of the first run
	problem error  // what running again did not mend: the attempt fails of it
}

// Start runs an attempt and returns when its batch is handed to the store; done is
// called once, when it has ended, from any goroutine. Where it has to run again it does
// so elsewhere.
func (r *Runner) Start(ctx context.Context, a *Attempt, done func(Ending)) {
	o := r.once(ctx, a)
	if o.nothing() || o.Batch.Empty() {
		done(r.conclude(ctx, a, Ending{Outcome: o, Err: o.unkept}))
		return
	}
	r.Store.Submit(o.Batch, func(res store.Result, err error) {
		e := Ending{Outcome: o, Result: res, Err: err}
		if err == nil {
			r.Committed(o.Batch, res)
		}
		if err == nil && o.Problem == nil {
			done(r.end(a, e))
			return
		}
		go func() { done(r.conclude(ctx, a, e)) }() // it may run again, or write a line: not on the writer's time
	})
}

// Run runs an attempt and waits until what came of it is durable. One with nothing to
// commit does not wait for the disk.
func (r *Runner) Run(ctx context.Context, a *Attempt) Ending {
	return r.conclude(ctx, a, r.try(ctx, a))
}

// conclude runs an attempt again for as long as that may mend what it met.
func (r *Runner) conclude(ctx context.Context, a *Attempt, e Ending) Ending {
	for conflicted(e) && !taken(e.Err) && r.again(a, e) {
		free := func() {}
		if a.loop.runs >= freeTries {
			free = r.turns.take(ctx, a.loop.met)
		}
		e = r.try(ctx, a)
		free()
	}
	if e.stale != nil { // given up, and nothing was committed
		e.Err = fmt.Errorf("%w: %w", store.ErrConflict, e.stale)
	}
	return r.end(a, e)
}

// try is one run and its commit.
func (r *Runner) try(ctx context.Context, a *Attempt) Ending {
	o := r.once(ctx, a)
	if o.nothing() || o.Batch.Empty() {
		return Ending{Outcome: o, Err: o.unkept}
	}
	res, err := r.Commit(ctx, o.Batch)
	return Ending{Outcome: o, Result: res, Err: err}
}

func (r *Runner) once(ctx context.Context, a *Attempt) *Outcome {
	if a.loop.runs == 0 {
		a.loop.began = r.Clock.Now()
	}
	a.loop.runs++
	return r.run(ctx, a)
}

// conflicted reports whether another execution was in the way.
func conflicted(e Ending) bool { return e.stale != nil || errors.Is(e.Err, store.ErrConflict) }

// taken reports whether somebody else has claimed the cause of an attempt, which is no
// conflict: running again would find it taken again. The runtime's own documents, whose
// collections begin with _, are claims.
func taken(err error) bool {
	var c *store.ConflictError
	return errors.Is(err, store.ErrTaken) || errors.As(err, &c) && strings.HasPrefix(c.Collection, "_")
}

// again notes what an attempt met, and reports whether it is to run once more: as it
// is, or, where that would not help, to fail like any other failure.
func (r *Runner) again(a *Attempt, e Ending) bool {
	l := &a.loop
	err := e.Err
	if e.stale != nil {
		err = e.stale
	}
	hopeless := l.meet(err)
	if l.problem == nil && (hopeless || l.runs > maxReruns || r.late(a)) {
		l.problem = conflictProblem(err)
		l.runs = freeTries // the failure's own writes may meet others, too
		return true
	}
	if l.runs > maxReruns {
		return false
	}
	r.Counters.of(a.Pipeline.Name).Reruns.Add(1)
	return true
}

// late reports whether an attempt has used up its pipeline's time.
func (r *Runner) late(a *Attempt) bool {
	limit := shorter(a.Pipeline.Timeout, a.Timeout)
	return limit > 0 && r.Clock.Now().Sub(a.loop.began) >= limit
}

// meet notes the document in the way. It reports that running again is hopeless: a
// unique value that was taken before is looked for by the step that writes it, and if
// that does not see it, nothing will.
func (l *loop) meet(err error) (hopeless bool) {
	var c *store.ConflictError
	var s *objectstore.StaleError
	var d document
	switch {
	case errors.As(err, &c):
		d = document{c.Collection, c.ID, c.Reason == "unique"}
	case errors.As(err, &s):
		d = document{s.Collection, s.ID, false}
	default:
		return false
	}
	for _, m := range l.met {
		if m == d {
			return d.unique && l.runs > freeTries
		}
	}
	l.met = append(l.met, d)
	return false
}

// end counts and tells how an attempt ended.
func (r *Runner) end(a *Attempt, e Ending) Ending {
	switch {
	case e.Aborted:
	case e.Err == nil:
		r.Counters.ended(a, e.Outcome)
		r.Recent.add(e.execution)
		r.tell(a, e.Outcome)
		e.Rest = r.handOver(e.left, a.Waiting)
	case taken(e.Err):
		r.Counters.of(a.Pipeline.Name).Taken.Add(1)
	}
	r.close(a, e)
	return e
}

// close lets go of an attempt's saga. One that did not end and that nothing takes up again
// is given away, to be undone.
func (r *Runner) close(a *Attempt, e Ending) {
	if a.Left != nil || r.Sagas.none() {
		return
	}
	saga := a.sagaName()
	switch {
	case !r.Sagas.has(saga):
	case !e.Aborted && e.Err == nil && e.Status != StatusRetrying:
		r.Sagas.Remove(saga)
	case a.Key == "" && r.Give != nil:
		r.Give(saga)
	}
}

// Commit commits a batch, waits until it is durable, and has its events delivered.
// Committed is told by the store's writer, in the order of the log: told by those who
// waited, it would find gaps, and look for what fills them in the log.
func (r *Runner) Commit(_ context.Context, b *store.Batch) (store.Result, error) {
	type answer struct {
		res store.Result
		err error
	}
	done := make(chan answer, 1)
	r.Store.Submit(b, func(res store.Result, err error) {
		if err == nil {
			r.Committed(b, res)
		}
		done <- answer{res, err}
	})
	a := <-done
	return a.res, a.err
}

// commitError is a commit that did not happen, for a step: a signal to run again, or a
// problem.
func commitError(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return errors.Join(objectstore.ErrStale, err)
	}
	return CommitProblem(err)
}

// CommitProblem is what a caller is told of a commit that did not happen.
func CommitProblem(err error) *pipelined.Problem {
	var own *pipelined.Problem
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, store.ErrConflict):
		return conflictProblem(err)
	case errors.Is(err, store.ErrInDoubt):
		return pipelined.NewProblem(pipelined.TypeUnavailable, "It is not known whether the request happened", 503, err.Error())
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		// The title is for callers; what exactly fails, and where, is for the log.
		p := pipelined.NewProblem(pipelined.TypeUnavailable, "Nothing can be stored now; nothing of the request happened", 503, err.Error()).Transient()
		p.RetryAfter = time.Second
		return p
	}
	return pipelined.NewProblem(pipelined.TypeInternal, "The outcome could not be committed", 500, err.Error())
}

// conflictProblem is a conflict that running again did not mend.
func conflictProblem(err error) *pipelined.Problem {
	var c *store.ConflictError
	if errors.As(err, &c) && c.Reason == "unique" {
		return pipelined.NewProblem(pipelined.TypeConflict, "A value is taken", 409, err.Error())
	}
	return pipelined.NewProblem(pipelined.TypeConflict, "Other executions kept changing the same document", 409, err.Error()).Transient()
}
