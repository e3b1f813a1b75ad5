package broker

import (
	"context"
	"errors"

	"pipelined/internal/store"
)

// CatchUp folds, for every live subscription, the numbers at the end of the log that
// do not concern it, so that retention is not held up by a subscription nothing is
// published for. What cannot be committed is part of the next one.
func (b *Broker) CatchUp(ctx context.Context) error {
	b.dispatching.Lock()
	defer b.dispatching.Unlock()
	b.unfolded = append(b.unfolded, b.behind()...)
	if len(b.unfolded) == 0 {
		return nil
	}
	_, err := b.store.Commit(ctx, &store.Batch{Folds: b.unfolded})
	if err == nil {
		b.unfolded = nil
	}
	if !errors.Is(err, store.ErrTaken) {
		return err
	}
	for i, f := range b.unfolded { // one of them is somebody else's now, or gone
		_, err := b.store.Commit(ctx, &store.Batch{Folds: []store.Fold{f}})
		if err != nil && !errors.Is(err, store.ErrTaken) {
			b.unfolded = b.unfolded[i:]
			return err
		}
	}
	b.unfolded = nil
	return nil
}

// behind takes the numbers that live subscriptions looked at and did not fold.
func (b *Broker) behind() (folds []store.Fold) {
	head := b.Head()
	for _, s := range b.list() {
		s.mu.Lock()
		if s.live && s.folded < head {
			folds = append(folds, store.Fold{Subscription: s.name, Epoch: s.epoch, From: s.folded + 1, To: head})
			s.folded = head
		}
		s.mu.Unlock()
	}
	return folds
}
