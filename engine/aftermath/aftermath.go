package aftermath

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/revision"
	"pipelined/internal/store"
)

// Aftermath does what is left. Use New; it is safe for concurrent use.
type Aftermath struct {
	runner  *attempt.Runner
	current *revision.Current
	wake    chan struct{}

	mu      sync.Mutex
	items   map[string]*item // by row
	busy    map[string]bool  // groups of which one runs
	given   []string         // sagas that nothing takes up again
	stopped bool             // nothing is begun any more
}

// item is a row.
type item struct {
	left  *attempt.Left
	rest  *attempt.Rest // that waits for it; nil: none does
	held  bool          // until an answer is sent
	old   bool          // of the process before: it is claimed first
	tries int           // of its commit, that did not happen
	not   time.Time     // before this
}

// New returns an Aftermath without anything to do.
func New(r *attempt.Runner, c *revision.Current) *Aftermath {
	return &Aftermath{runner: r, current: c, wake: make(chan struct{}, 1), items: map[string]*item{}, busy: map[string]bool{}}
}

// Begin takes over what the process before left, and the sagas that it began and nothing
// takes up again.
func (a *Aftermath) Begin(ctx context.Context, orphans []string) error {
	for _, saga := range orphans {
		if err := a.adopt(ctx, saga); err != nil {
			return err
		}
	}
	rows, err := a.runner.Store.Metas(ctx, attempt.LeftPrefix)
	if err != nil {
		return fmt.Errorf("read what is left to be done: %w", err)
	}
	for _, row := range rows {
		l, err := attempt.ReadLeft(row.Key, row.Value)
		if err != nil {
			return err
		}
		a.items[row.Key] = &item{left: l, old: true}
	}
	if len(rows) > 0 {
		a.runner.Logger.Warn("executions of the process before left something to be done", "rows", len(rows))
	}
	return nil
}

// adopt leaves a saga to be undone. Its rows are read by Begin, or added.
func (a *Aftermath) adopt(ctx context.Context, saga string) error {
	b := &store.Batch{}
	left, err := a.runner.Orphan(ctx, saga, attempt.Interrupted("what it had done is undone"), b)
	if err != nil || b.Empty() {
		return err
	}
	if _, err := a.runner.Commit(ctx, b); err != nil {
		return fmt.Errorf("leave %s to be undone: %w", saga, err)
	}
	for _, l := range left {
		a.runner.Logger.Warn("an execution did not end and does not come again; what it had done is undone",
			"pipeline", l.Pipeline, "execution", l.Of.Execution, "step", l.Name)
	}
	a.runner.HandOver(left)
	return nil
}

// Leave takes over what an execution left, which is durable. held says that it is not to
// begin before Rest.Start. Compensations belong to no run: where there is nothing else the
// rest is nil.
func (a *Aftermath) Leave(left []*attempt.Left, held bool) *attempt.Rest {
	n := 0
	for _, l := range left {
		if l.Trigger == attempt.AfterTrigger {
			n++
		}
	}
	var items []*item
	var rest *attempt.Rest
	if n > 0 {
		rest = attempt.NewRest(n, func() { a.start(items) })
	}
	a.mu.Lock()
	for _, l := range left {
		it := &item{left: l}
		if l.Trigger == attempt.AfterTrigger {
			it.rest, it.held = rest, held
			items = append(items, it)
		}
		a.items[l.Row] = it
	}
	stopped := a.stopped
	a.mu.Unlock()
	if stopped {
		for range n {
			rest.Ended()
		}
	}
	a.poke()
	return rest
}

func (a *Aftermath) start(items []*item) {
	a.mu.Lock()
	for _, it := range items {
		it.held = false
	}
	a.mu.Unlock()
	a.poke()
}

// Give takes over a saga that nothing takes up again.
func (a *Aftermath) Give(saga string) {
	a.mu.Lock()
	a.given = append(a.given, saga)
	a.mu.Unlock()
	a.poke()
}

// Open is how many rows there are.
func (a *Aftermath) Open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.items) + len(a.given)
}

func (a *Aftermath) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take takes the rows that are due, at most one of each group and n in all, and says when
// the next one will be.
func (a *Aftermath) take(now time.Time, n int) (due []*item, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []*item
	for _, it := range a.items {
		if it.held || a.busy[it.left.Group] {
			continue
		}
		if at := it.at(); at.After(now) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		list = append(list, it)
	}
	slices.SortFunc(list, func(x, y *item) int {
		return cmp.Or(x.left.Due.Compare(y.left.Due), cmp.Compare(x.left.Group, y.left.Group),
			cmp.Compare(y.left.Order, x.left.Order), cmp.Compare(x.left.Row, y.left.Row))
	})
	for _, it := range list {
		if len(due) == n {
			return due, now
		}
		if !a.busy[it.left.Group] {
			a.busy[it.left.Group] = true
			due = append(due, it)
		}
	}
	return due, next
}

func (it *item) at() time.Time {
	if it.not.After(it.left.Due) {
		return it.not
	}
	return it.left.Due
}

// settle notes how an item ended: it is gone, or comes again.
func (a *Aftermath) settle(it *item, next *attempt.Left, wait time.Duration) {
	a.mu.Lock()
	delete(a.busy, it.left.Group)
	var ended *attempt.Rest
	switch {
	case wait > 0:
		it.not = a.runner.Clock.Now().Add(wait)
	case next != nil:
		it.left, it.tries, it.not = next, 0, time.Time{}
	default:
		delete(a.items, it.left.Row)
		ended, it.rest = it.rest, nil
	}
	if a.stopped && it.rest != nil {
		ended, it.rest = it.rest, nil
	}
	a.mu.Unlock()
	ended.Ended()
	a.poke()
}

// stop has nothing be waited for that is not under way: it is the next process's.
func (a *Aftermath) stop() {
	a.mu.Lock()
	a.stopped = true
	var waiting []*attempt.Rest
	for _, it := range a.items {
		if it.rest != nil && !a.busy[it.left.Group] {
			waiting = append(waiting, it.rest)
			it.rest = nil
		}
	}
	a.mu.Unlock()
	for _, r := range waiting {
		r.Ended()
	}
}

// sagas leaves to be undone what was given away.
func (a *Aftermath) sagas(ctx context.Context) {
	a.mu.Lock()
	given := a.given
	a.given = nil
	a.mu.Unlock()
	for i, saga := range given {
		if err := a.adopt(ctx, saga); err != nil {
			a.runner.Logger.Error("a saga could not be left to be undone; trying again", "saga", saga, "err", err)
			a.mu.Lock()
			a.given = append(a.given, given[i:]...)
			a.mu.Unlock()
			return
		}
	}
}

// retryAfter is how long to wait before a commit that did not happen is tried again.
func (it *item) retryAfter() time.Duration {
	it.tries++
	return pipelined.Backoff{Exponential: true, Initial: time.Second, Max: time.Minute}.Wait(it.tries, 0)
}
