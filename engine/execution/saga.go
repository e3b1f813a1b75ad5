package execution

import (
	"context"
	"slices"
	"sync"

	"pipelined"
)

// Journal keeps deeds durably, so that they are undone even if the process dies.
type Journal interface {
	// Begin notes, in one commit, that what these deeds do is about to leave the process.
	Begin(ctx context.Context, x *Execution, deeds []*Deed) error
	// Done notes, in one commit, what came of a deed.
	Done(ctx context.Context, x *Execution, d *Deed) error
}

// Deed is one run of a step that can be undone.
//
//	                 about to leave the process          succeeded
//	Attempt ─► open ───────────────────────────► begun ─────────────► done ─► undone, if the flow fails
//	            │ succeeded: kept in memory only   │ failed                     ▲
//	            └─────────────────────► done       ├─► not done                 │
//	                                               └─► in doubt, if it was cut off
type Deed struct {
	Later *Later
	Key   string // names this run of the step, across tries and deliveries (see Execution.Key)

	mu    sync.Mutex
	x     *Execution // that the step runs in; once it is done, as it was then
	order int        // of its beginning, then of its end
	begun bool       // the journal knows of it
	state deedState
}

type deedState int

const (
	deedOpen deedState = iota
	deedDone
	deedDoubtful
	deedFailed // for certain
)

// Durable reports whether the journal knows of the deed.
func (d *Deed) Durable() bool { return d.begun }

// Done reports whether the step has succeeded, as opposed to being in doubt.
func (d *Deed) Done() bool { return d.state == deedDone }

// Order tells deeds of one run apart by when they ended, or began if they have not.
func (d *Deed) Order() int { return d.order }

// At is the execution whose values the deed is undone with.
func (d *Deed) At() *Execution { return d.x }

// Attempt begins a deed: what the step, and the steps in it, call outside is its doing.
// The function returned ends it.
func (x *Execution) Attempt(l *Later) (d *Deed, end func()) {
	d = &Deed{Later: l, Key: x.Key(l.Step), x: x}
	before := x.deeds
	x.deeds = append(slices.Clip(before), d)
	return d, func() { x.deeds = before }
}

// Leaving is called before a call leaves the process: the deeds it belongs to are
// journaled, once.
func (x *Execution) Leaving(ctx context.Context) error {
	if x.Run.Journal == nil || len(x.deeds) == 0 {
		return nil
	}
	var news []*Deed
	for _, d := range x.deeds { // outer ones first, everywhere
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.begun {
			news = append(news, d)
		}
	}
	if len(news) == 0 {
		return nil
	}
	for _, d := range news {
		d.order = x.Run.next()
	}
	if err := x.Run.Journal.Begin(ctx, x, news); err != nil {
		return err
	}
	for _, d := range news {
		d.begun = true
		x.Run.noteDeed(d)
	}
	return nil
}

// Succeed ends a deed whose step succeeded, with the values as they are now.
func (x *Execution) Succeed(ctx context.Context, d *Deed) error {
	frozen := *x
	frozen.Frame, frozen.turns, frozen.deeds = x.Frame.Fork(), slices.Clone(x.turns), nil
	d.x, d.state, d.order = &frozen, deedDone, x.Run.next()
	if !d.begun {
		x.Run.noteDeed(d)
		return nil
	}
	if x.Run.Journal == nil {
		return nil
	}
	return x.Run.Journal.Done(ctx, x, d)
}

// Fail ends a deed whose step failed with err. Where it was cut off, what was under way
// outside may have happened.
func (x *Execution) Fail(ctx context.Context, d *Deed, err error) {
	frozen := *x
	frozen.Frame, frozen.turns, frozen.deeds = x.Frame.Fork(), slices.Clone(x.turns), nil
	d.x, d.state = &frozen, deedFailed
	p := pipelined.AsProblem(err)
	if ctx.Err() != nil || Signal(err) || p.Type == pipelined.TypeTimeout || p.Type == pipelined.TypeCanceled || p.Status == 504 {
		d.state = deedDoubtful
		frozen.Set(d.Later.Slot, nil)
	}
}

// next numbers what deeds do.
func (r *Run) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order++
	return r.order
}

// After has numbers begin after n: what an earlier run of the same saga gave.
func (r *Run) After(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = max(r.order, n)
}

func (r *Run) noteDeed(d *Deed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deeds = append(r.deeds, d)
}

// Deeds takes what the run has done so far and is to be undone if it fails, in no order,
// and what it began and surely has not done.
func (r *Run) Deeds() (undo, failed []*Deed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.deeds {
		if d.state == deedFailed {
			failed = append(failed, d)
		} else {
			undo = append(undo, d)
		}
	}
	r.deeds = nil
	return undo, failed
}

// Undo runs the steps that undo something, with p in scope as `error` and the effects of
// into. What they did is dropped if they fail.
func (x *Execution) Undo(ctx context.Context, into *Effects, l *Later, p *pipelined.Problem) error {
	x.Effects = into
	mark := into.Mark()
	err := RunHandler(ctx, x, l.Flow, p)
	if err != nil {
		into.Rollback(mark)
	}
	return err
}

// Place is where in the flow an execution is, as far as the keys of what it does depend on
// it.
type Place struct {
	Path  string `json:"path,omitempty"`
	Turns []int  `json:"turns,omitempty"`
	Depth int    `json:"depth,omitempty"`
}

// Place is where x is.
func (x *Execution) Place() Place { return Place{x.path, slices.Clone(x.turns), x.depth} }

// Resume prepares an execution of later steps of c at the place where they were left:
// called says that c is not the pipeline that was triggered.
func Resume(run *Run, c *Callee, called bool, at Place) *Execution {
	x := New(run, c)
	x.path, x.turns, x.depth = at.Path, at.Turns, at.Depth
	if called {
		x.callee, x.answer = c, &pipelined.Reply{}
	}
	return x
}
