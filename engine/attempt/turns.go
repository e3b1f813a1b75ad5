package attempt

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// document is one document that executions meet at.
type document struct {
	collection, id string
	unique         bool // by a unique value, not by its version
}

// turns lets those that keep meeting at a document run one after the other. Those that
// meet at others are not kept waiting.
type turns struct {
	mu    sync.Mutex
	taken map[document]*turn
}

type turn struct {
	free  chan struct{} // holds one token while nobody has the turn
	users int
}

// take waits for the turn at every document of a list, or until ctx ends, and returns
// what gives them back. Documents are taken in one order, so that two who wait for each
// other cannot be.
func (t *turns) take(ctx context.Context, list []document) (free func()) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b document) int {
		return cmp.Or(cmp.Compare(a.collection, b.collection), cmp.Compare(a.id, b.id))
	})
	list = slices.CompactFunc(list, func(a, b document) bool { return a.collection == b.collection && a.id == b.id })
	var held []document
	free = func() {
		for _, d := range held {
			t.give(d, true)
		}
	}
	for _, d := range list {
		d.unique = false
		if !t.one(ctx, d) {
			return free
		}
		held = append(held, d)
	}
	return free
}

func (t *turns) one(ctx context.Context, d document) bool {
	t.mu.Lock()
	if t.taken == nil {
		t.taken = map[document]*turn{}
	}
	w := t.taken[d]
	if w == nil {
		w = &turn{free: make(chan struct{}, 1)}
		w.free <- struct{}{}
		t.taken[d] = w
	}
	w.users++
	t.mu.Unlock()
	select {
	case <-w.free:
		return true
	case <-ctx.Done():
		t.give(d, false)
		return false
	}
}

func (t *turns) give(d document, had bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.taken[d]
	if had {
		w.free <- struct{}{}
	}
	if w.users--; w.users == 0 {
		delete(t.taken, d)
	}
}
