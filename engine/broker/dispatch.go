package broker

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Dispatch brings every subscription up to date: delayed events whose time has
// come enter the log, new events are queued, lagging subscriptions read on, due
// retries become ready. It returns when something will next be due; the zero
// time if nothing is.
func (b *Broker) Dispatch(ctx context.Context) (next time.Time, err error) {
	b.dispatching.Lock()
	defer b.dispatching.Unlock()
	now := b.clock.Now()
	if next, err = b.releaseDelayed(ctx, now); err != nil {
		return time.Time{}, err
	}
	if err := b.drain(ctx); err != nil {
		return time.Time{}, err
	}
	waiting := b.attended(now)
	for i, s := range waiting {
		if err := b.bring(ctx, s, now); err != nil {
			for _, s := range waiting[i:] {
				b.attend(s)
			}
			return time.Time{}, err
		}
	}
	for _, t := range b.due {
		next = earlier(next, t)
	}
	return next, nil
}

// earlier is the earlier of two times; a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// attended takes the subscriptions a dispatch has something to do for, by name, so
// that it is deterministic. What has nothing to do costs nothing, however many
// subscriptions there are.
func (b *Broker) attended(now time.Time) []*Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s, t := range b.due {
		if !t.After(now) {
			b.attention[s] = true
		}
	}
	if len(b.attention) == 0 {
		return nil
	}
	out := slices.SortedFunc(maps.Keys(b.attention), byName)
	clear(b.attention)
	return out
}

// bring brings one subscription up to date.
func (b *Broker) bring(ctx context.Context, s *Subscription, now time.Time) error {
	if err := b.fill(ctx, s); err != nil {
		return err
	}
	if err := b.flush(ctx, s); err != nil {
		return err
	}
	if err := b.fetch(ctx, s); err != nil {
		return err
	}
	if t := s.wake(now); t.IsZero() {
		delete(b.due, s)
	} else {
		b.due[s] = t
	}
	return nil
}
