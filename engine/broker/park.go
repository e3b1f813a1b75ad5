package broker

import (
	"context"
	"fmt"

	"pipelined/internal/store"
)

// A group is the deliveries of one tenant (fair_by) or, without tenants, of one key
// (order_by). When too many of a group wait in memory, those that follow are set
// aside in the store, and read back when there is room: so a flood of one group
// takes neither memory nor the turns of the others.
const (
	// groupLimit is how many deliveries of a group wait in memory; less where many
	// groups have events set aside.
	groupLimit = 1024
	// groupLeast is the least that still wait in memory of each.
	groupLeast = 16
)

// aside is what is known of a group that has events set aside.
type aside struct {
	count  int   // in the store and not in memory
	loaded int64 // numbers up to here are in memory, or done with
}

// groupOf is the group of a delivery whose key and tenant are known. With both there
// is none: events of one key may be of several tenants, and setting some of them
// aside would let the others overtake.
func (s *Subscription) groupOf(d *Delivery) string {
	switch {
	case s.config().Tenant != nil && s.config().OrderKey != nil:
		return ""
	case s.config().Tenant != nil:
		return "t/" + d.tenant
	case s.config().OrderKey != nil && d.key != "":
		return "k/" + d.key
	}
	return ""
}

func (s *Subscription) limit() int { return max(groupLimit/(1+len(s.aside)), groupLeast) }

// full reports whether an event of a group must be set aside: there is no room, or
// others of its group were, which it must not overtake. The caller holds mu.
func (s *Subscription) full(group string) bool {
	if group == "" {
		return false
	}
	return s.aside[group] != nil || s.load[group] >= s.limit()
}

// setAside notes that a delivery is to be set aside by the next flush. The caller
// holds mu.
func (s *Subscription) setAside(d *Delivery) {
	if s.aside == nil {
		s.aside = map[string]*aside{}
	}
	a := s.aside[d.group]
	if a == nil {
		a = &aside{loaded: d.Event.Seq - 1}
		s.aside[d.group] = a
	}
	a.count++
	s.leaving = append(s.leaving, d)
}

// flush sets aside what is to be, with its acknowledgements, in one commit.
func (b *Broker) flush(ctx context.Context, s *Subscription) error {
	s.mu.Lock()
	leaving := s.leaving
	s.mu.Unlock()
	if len(leaving) == 0 {
		return nil
	}
	batch := &store.Batch{}
	for _, d := range leaving {
		batch.Folds = append(batch.Folds, store.Fold{Subscription: s.name, Epoch: d.epoch, From: d.from, To: d.Event.Seq})
		batch.Park = append(batch.Park, d.asParked())
	}
	if _, err := b.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("set events of %s aside: %w", s.name, err)
	}
	s.mu.Lock()
	s.leaving = s.leaving[len(leaving):]
	s.mu.Unlock()
	return nil
}

// fetch reads back what was set aside, for every group with room.
func (b *Broker) fetch(ctx context.Context, s *Subscription) error {
	for _, group := range s.withRoom() {
		s.mu.Lock()
		a, limit := s.aside[group], s.limit()
		after, name := a.loaded, s.name
		s.mu.Unlock()
		events, err := b.store.Parked(ctx, store.ParkedQuery{Subscription: name, Group: group, After: after, Limit: limit})
		if err != nil {
			return err
		}
		s.mu.Lock()
		for i := range events {
			d := &Delivery{Event: events[i], Attempt: 1, sub: s, parked: true}
			s.place(d)
			d.Problem = s.wrong(&d.Event)
			d.group = group // as it was set aside, whatever the expressions say now
			s.queue(d)
			a.loaded = events[i].Seq
			a.count--
		}
		if len(events) < limit {
			delete(s.aside, group)
		}
		s.pump()
		s.mu.Unlock()
	}
	return nil
}

// withRoom lists the groups that have events set aside and few in memory.
func (s *Subscription) withRoom() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	for group := range s.aside {
		if s.load[group] <= s.limit()/2 {
			out = append(out, group)
		}
	}
	return out
}

// took notes that a delivery was handed out, and has more read where there is room
// now. The caller holds mu.
func (s *Subscription) took(d *Delivery) {
	if s.config().Owed {
		if s.given == nil {
			s.given = map[int64]bool{}
		}
		s.given[d.Event.Seq] = true
	}
	if !s.live && s.queued() < queueLimit/2 {
		s.broker.attend(s)
	}
	if d.group == "" {
		return
	}
	n := s.load[d.group] - 1
	if n > 0 {
		s.load[d.group] = n
	} else {
		delete(s.load, d.group)
	}
	if s.aside[d.group] != nil && n <= s.limit()/2 {
		s.broker.attend(s)
	}
}

// loads notes that a delivery of a group waits in memory. The caller holds mu.
func (s *Subscription) loads(group string) {
	if s.load == nil {
		s.load = map[string]int{}
	}
	s.load[group]++
}
