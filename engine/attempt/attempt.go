package attempt

import (
	"context"
	"strconv"
	"time"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

// Statuses of an execution.
const (
	StatusOK       = "ok"
	StatusFailed   = "failed"
	StatusRetrying = "retrying" // put off; the event comes again
	StatusRejected = "rejected" // an HTTP caller was told that the request was at fault
)

// Cause is what started an attempt.
type Cause interface {
	// Settle adds to b what acknowledges or claims the cause. It is called once for
	// each run that ends, unless the cause was put off.
	Settle(o *Outcome, b *store.Batch)
	// PutOff adds to b that the cause comes again at due, because of p. It reports
	// whether it can.
	PutOff(b *store.Batch, due time.Time, p *pipelined.Problem) bool
}

// Attempt is one run of one pipeline, with what started it. Its fields are set by
// whoever starts it and then belong to the Runner.
type Attempt struct {
	Revision *revision.Revision // pinned until the attempt has ended
	Pipeline *program.Pipeline
	Cause    Cause

	Trigger string // as recorded: the key of the trigger
	Number  int    // of the attempt, across redeliveries and reprocessing, from 1
	Input   any
	Event   *store.StoredEvent // nil unless an event started it
	Crashes int                // how often the process surely died of the event
	Request func() any         // the request scope; nil unless a request started it
	Tick    *Tick              // nil unless a schedule started it

	// Problem is an error of the trigger's own expressions, or that the process died of
	// this again and again: the attempt fails at once.
	Problem error
	// Deliveries is how often the event was delivered to this subscription, this time
	// included; 0 if it is not an event's.
	Deliveries int
	Record     string // of the dead letters, that this starts again; empty: none
	// Key names the cause across restarts, where it comes again after one: "event/orders/12".
	// Empty: it does not come again.
	Key      string
	Left     *Left         // is run in place of the pipeline's steps; nil: those are run
	Progress string        // key of how far loops that commit on their way are; empty: none does
	Waiting  bool          // an HTTP caller waits for the answer
	Timeout  time.Duration // of the trigger; 0 if it has none

	loop loop
}

// Tick is a scheduled moment.
type Tick struct {
	Scheduled time.Time
	Previous  time.Time // the tick before it; zero if none
}

// Outcome is what came of a run before its commit.
type Outcome struct {
	ID      string
	Started time.Time
	Status  string
	Batch   *store.Batch
	Reply   *pipelined.Reply
	Problem *pipelined.Problem // nil: it succeeded
	Handled string             // what handled the problem; empty if nothing did
	Aborted bool               // cut off by the drain: it goes back undone

	execution store.Execution
	stale     error // another execution changed what this one read: it has to run again
	unkept    error // the failure could not be kept: nothing of it happened
	flood     bool  // one failure of very many: counted, not kept
	flooded   int   // how many they are, to be told now

	gone  *pipelined.Problem // what is left cannot be run
	steps *execution.Later   // of what is left
	left  []*Left            // what the execution leaves to be done
}

// nothing reports that there is nothing to commit, whatever was gathered.
func (o *Outcome) nothing() bool { return o.Aborted || o.stale != nil || o.unkept != nil }

// run is one run up to the point of its commit.
type run struct {
	*Runner
	*Attempt
	x    *execution.Execution
	o    *Outcome
	saga saga
}

// run runs the pipeline and gathers everything that commits.
func (r *Runner) run(ctx context.Context, a *Attempt) *Outcome {
	o := &Outcome{ID: r.Values.NewID(), Started: r.Clock.Now(), Status: StatusOK, Batch: &store.Batch{}}
	if a.loop.first == "" {
		a.loop.first = o.ID
	}
	t := &run{Runner: r, Attempt: a, o: o}
	t.x = t.execution()
	defer t.x.Close()
	if err := t.recall(ctx); err != nil {
		o.unkept = err
		return o
	}
	if err := t.flow(ctx); err != nil {
		t.fail(ctx, err)
	} else {
		t.succeed(ctx)
	}
	if o.nothing() {
		return o
	}
	t.gather()
	r.Host.Point(fault.BeforeCommit)
	return o
}

// flow runs the pipeline's steps under its limits.
func (t *run) flow(ctx context.Context) error {
	if t.Left != nil {
		return t.runLeft(ctx)
	}
	if t.saga.because != nil { // it was going back when the process died
		return t.saga.because
	}
	if t.Problem != nil {
		return t.Problem
	}
	if t.loop.problem != nil {
		return t.loop.problem
	}
	if t.Progress != "" {
		if err := t.resume(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := t.limit(ctx, shorter(t.Pipeline.Timeout, t.Timeout))
	defer cancel()
	if err := execution.RunMain(ctx, t.x, t.Pipeline.Callee.Flow); err != nil {
		return err
	}
	return t.x.Defer(&t.Pipeline.Callee)
}

// gather puts everything that commits into the batch.
func (t *run) gather() {
	o := t.o
	o.Batch.At = t.Clock.Now()
	t.leave()
	t.x.Effects.Fill(o.Batch)
	o.Reply = t.x.Reply()
	if o.Status != StatusRetrying {
		t.Cause.Settle(o, o.Batch) // I1
		if t.Progress != "" && len(t.x.Run.Resume) > 0 {
			o.Batch.Meta = append(o.Batch.Meta, store.Meta{Key: t.Progress})
		}
	}
	t.settleSaga()
	t.record()
}

// leave adds to the batch what the execution leaves to be done after it.
func (t *run) leave() {
	for i, d := range t.x.Effects.TakeDeferred() {
		t.o.left = append(t.o.left, &Left{
			Trigger: AfterTrigger, Pipeline: t.Pipeline.Name, In: d.Later.Pipeline, Group: t.o.ID, Order: -i,
			Of: t.origin(), At: d.Place, Values: d.Values, Row: LeftPrefix + "after/" + t.o.ID + "/" + strconv.Itoa(i),
		})
	}
	for _, l := range t.o.left {
		if err := l.Keep(t.o.Batch); err != nil {
			panic(err) // texts and numbers, and JSON that was written before
		}
	}
}

// limit bounds a run; 0 is no limit.
func (t *run) limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return ctx, func() {}
	}
	return t.Host.WithTimeout(ctx, d, pipelined.Problemf(pipelined.TypeTimeout,
		"The pipeline ran out of time", 504, "the limit is %s", d).Transient())
}

// shorter is the shorter of two limits, where 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}
