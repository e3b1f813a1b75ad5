package sqlite

import (
	"context"
	"fmt"
	"slices"

	"pipelined/internal/store"
)

// lease is who may acknowledge for a subscription: this process, or for a while
// nobody. No other has the store open, so none is lost before the store is closed or
// gives it back. It is memory only, and the writer's.
type lease struct {
	epoch int64         // grows with every term
	lost  chan struct{} // closed at the end; nil while nobody has it
}

func (l *lease) held(epoch int64) bool { return l.lost != nil && l.epoch == epoch }

func (l *lease) end() {
	if l.lost != nil {
		close(l.lost)
		l.lost = nil
	}
}

// Acquire leases the one partition of a subscription.
func (s *Store) Acquire(ctx context.Context, name string) (out []store.Lease, err error) {
	err = s.do(ctx, func(_ context.Context, w *writer) error {
		sub := w.subs[name]
		if sub == nil {
			return refused{fmt.Errorf("there is no such subscription: %w", store.ErrTaken)}
		}
		if sub.lease.lost == nil {
			sub.lease.epoch++
			sub.lease.lost = make(chan struct{})
		}
		l := store.Lease{Subscription: name, Partition: partition, Epoch: sub.lease.epoch, Floor: sub.Floor, Done: slices.Clone(sub.Done), Lost: sub.lease.lost}
		out = []store.Lease{l}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lease %s: %w", name, err)
	}
	return out, nil
}

// Renew has nothing to do but to say whether the leases are held.
func (s *Store) Renew(ctx context.Context, leases []store.Lease) error {
	err := s.do(ctx, func(_ context.Context, w *writer) error {
		for _, l := range leases {
			if _, err := w.leased(l.Subscription, l.Partition, l.Epoch); err != nil {
				return refused{err}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("renew leases: %w", err)
	}
	return nil
}

// Release gives leases back.
func (s *Store) Release(ctx context.Context, leases []store.Lease) error {
	err := s.do(ctx, func(_ context.Context, w *writer) error {
		for _, l := range leases {
			if sub, err := w.leased(l.Subscription, l.Partition, l.Epoch); err == nil {
				sub.lease.end()
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	return nil
}
