package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"pipelined/internal/store"
)

// Change is a set of subscriptions ready to take the place of those there are.
type Change struct {
	broker *Broker
	wanted []Config
	found  []*found // beside wanted; nil for one the broker has already
}

// found is what the store has of a subscription.
type found struct {
	at     store.Lease
	rows   []store.Deferred
	groups map[string]int
}

// Prepare reads what the store has of the subscriptions the broker does not have yet,
// and creates those that are new. Nothing is handed out before Use. If it fails, the
// broker is as it was, and what it created is taken back.
func (b *Broker) Prepare(ctx context.Context, wanted []Config) (*Change, error) {
	before, err := b.store.Subscriptions(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what is subscribed to: %w", err)
	}
	c := &Change{broker: b, wanted: wanted, found: make([]*found, len(wanted))}
	failed := make([]error, len(wanted))
	var all sync.WaitGroup
	for i, cfg := range wanted {
		if b.find(cfg.Name) != nil {
			continue
		}
		// Together, because the store makes durable together what comes together.
		all.Go(func() { c.found[i], failed[i] = b.lookUp(ctx, cfg) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, errors.Join(err, b.takeBack(context.WithoutCancel(ctx), before))
	}
	return c, nil
}

// takeBack removes from the store the subscriptions that were not there before: one made
// for settings that are not used would have events delivered from now on.
func (b *Broker) takeBack(ctx context.Context, before []store.Subscription) error {
	now, err := b.store.Subscriptions(ctx)
	if err != nil {
		return fmt.Errorf("read what is subscribed to: %w", err)
	}
	var failed error
	for _, s := range now {
		if !slices.ContainsFunc(before, func(o store.Subscription) bool { return o.Name == s.Name }) {
			_, err := b.store.Unsubscribe(ctx, s.Name)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (b *Broker) lookUp(ctx context.Context, cfg Config) (*found, error) {
	at, err := b.acquire(ctx, cfg.Name, cfg.From)
	if err != nil {
		return nil, err
	}
	rows, err := b.waiting(ctx, store.WaitQuery{Subscription: cfg.Name, Partition: at.Partition})
	if err != nil {
		return nil, fmt.Errorf("read what waits for %s: %w", cfg.Name, err)
	}
	groups, err := b.store.ParkedGroups(ctx, cfg.Name, at.Partition)
	if err != nil {
		return nil, fmt.Errorf("read what %s has set aside: %w", cfg.Name, err)
	}
	return &found{at, rows, groups}, nil
}

// waiting reads all that waits, page by page.
func (b *Broker) waiting(ctx context.Context, q store.WaitQuery) (rows []store.Deferred, err error) {
	for {
		page, err := b.store.Deferred(ctx, q)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page...)
		if len(page) < store.PageLimit {
			return rows, nil
		}
		last := page[len(page)-1]
		q.AfterDue, q.AfterID = last.Due, last.ID
	}
}

// acquire declares a subscription and leases its place in the log.
func (b *Broker) acquire(ctx context.Context, name string, from int64) (store.Lease, error) {
	if err := b.store.Subscribe(ctx, name, from); err != nil {
		return store.Lease{}, err
	}
	leases, err := b.store.Acquire(ctx, name)
	if err != nil {
		return store.Lease{}, err
	}
	if len(leases) != 1 {
		return store.Lease{}, fmt.Errorf("subscribe %s: this process may work on %d partitions, not on one", name, len(leases))
	}
	return leases[0], nil
}

func (b *Broker) find(name string) *Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subs[name]
}

// Use puts the subscriptions in place: those the broker has get their new settings, as
// one pointer, so that whoever looks sees the old ones or the new; those that are not
// wanted any more hand out nothing, and what is out of them still ends. It cannot fail.
func (c *Change) Use() {
	b := c.broker
	b.dispatching.Lock() // nothing is offered meanwhile, so that head is where it is
	defer b.dispatching.Unlock()
	wanted := make(map[string]bool, len(c.wanted))
	for i, cfg := range c.wanted {
		wanted[cfg.Name] = true
		s := b.find(cfg.Name)
		if s == nil {
			s = b.add(cfg, c.found[i])
		} else {
			s.mu.Lock()
			s.settings.Store(&cfg)
			s.closed = false
			s.mu.Unlock()
		}
		b.attend(s)
	}
	for _, s := range b.list() {
		if !wanted[s.name] {
			s.close(b.Head())
		}
	}
	b.forgetTypes()
}

// add makes a subscription of what the store has of it. What it was not done with, and
// what waits for a retry, comes (again).
func (b *Broker) add(cfg Config, f *found) *Subscription {
	s := &Subscription{broker: b, name: cfg.Name, keys: map[string]*fifo{},
		epoch: f.at.Epoch, cursor: f.at.Floor, folded: f.at.Floor, floor: f.at.Floor, done: f.at.Done}
	s.settings.Store(&cfg)
	s.restore(f.rows, b.logger)
	for group, n := range f.groups {
		if s.aside == nil {
			s.aside = map[string]*aside{}
		}
		s.aside[group] = &aside{count: n}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[cfg.Name] = s
	b.sorted = nil
	return s
}

// close stops handing out deliveries. The place in the log stays in the store; wanted
// again, the subscription goes on from there.
func (s *Subscription) close(head int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.live {
		s.live, s.cursor = false, head
	}
}

// Holds reports whether the broker has a subscription of this name, wanted or not: one
// that was wanted since the start goes on where it was when it is wanted again.
func (b *Broker) Holds(name string) bool { return b.find(name) != nil }
