package step

import (
	"context"
	"errors"

	"pipelined/engine/execution"
	"pipelined/objectstore"
)

// concurrent runs up to concurrency turns at a time, each on its own branch. What the
// loop published is in input order, whichever turn was faster. With commit_every a
// group of turns is one commit; without, the whole input is one group.
func (f *foreach) concurrent(ctx context.Context, x *execution.Execution, next func() (any, bool, error), t *tally, keep bool) error {
	for {
		turns, done, err := f.group(ctx, x, next, t.Total)
		if err != nil {
			return err
		}
		for _, r := range turns {
			f.record(ctx, r.x, t, r.err, keep)
		}
		if done {
			return nil
		}
		if f.commitEvery > 0 && len(turns) > 0 {
			if err := f.commit(ctx, x, t); err != nil {
				return err
			}
		}
	}
}

// turn is a turn that runs beside others.
type turn struct {
	x   *execution.Execution
	err error
}

// group runs the turns of one group and returns them in input order; done means that
// the input has ended. An error that is not to be survived, and a stop, cancel the
// other turns and are returned.
func (f *foreach) group(ctx context.Context, x *execution.Execution, next func() (any, bool, error), first int) (turns []*turn, done bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ends := &branches{cancel: cancel}
	fork, group := x.Fork(), x.Run.Host.Branches(f.concurrency)
	for ctx.Err() == nil && (f.commitEvery == 0 || len(turns) < f.commitEvery) {
		item, ok, nerr := f.following(x, next)
		ends.ended(nerr, "reading the elements") // the turns under way are for nothing then
		if done = !ok; nerr != nil || done {
			break
		}
		index := first + len(turns)
		name := objectstore.Branch{Turn: index}
		r := &turn{x: fork.Branch(name)}
		r.x.BeginTurns()
		turns = append(turns, r)
		group.Go(func() {
			r.err = execution.Protect(r.x, f.node.Name, func() error { return f.beside(ctx, r.x, item, index) })
			if r.err != nil && !f.survives(ctx, r.err) {
				ends.ended(r.err, name.String())
			}
		})
	}
	group.Wait()
	if err = ends.outcome(); err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	fork.Close(stay(turns, err)...)
	return turns, done, err
}

// following is the next element. A panic on the way to it must not leave turns behind
// that nobody waits for.
func (f *foreach) following(x *execution.Execution, next func() (any, bool, error)) (item any, ok bool, err error) {
	err = execution.Protect(x, f.node.Name, func() (err error) {
		item, ok, err = next()
		return err
	})
	return item, ok, err
}

// stay are the turns whose effects stay: those that ended well or were stopped, where
// the loop as a whole has not failed.
func stay(turns []*turn, end error) (out []*execution.Execution) {
	if end != nil && !errors.Is(end, execution.ErrStop) {
		return nil
	}
	for _, r := range turns {
		if r.err == nil || errors.Is(r.err, execution.ErrStop) {
			out = append(out, r.x)
		}
	}
	return out
}

// beside runs a turn on a branch of its own.
func (f *foreach) beside(ctx context.Context, x *execution.Execution, item any, index int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f.attempt(ctx, x, item, index)
}
