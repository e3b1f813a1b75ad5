package broker

import (
	"context"
	"fmt"

	"pipelined/internal/store"
)

// drain offers pending events to live subscriptions, in order and without gaps.
// A gap is a number some commit has not told of yet, or never will because its
// transaction ended: the log knows.
func (b *Broker) drain(ctx context.Context) error {
	for {
		batch := b.contiguous()
		if len(batch) > 0 {
			b.offer(batch)
			continue
		}
		b.mu.Lock()
		gap, head := len(b.pending) > 0 || b.others, b.head
		b.mu.Unlock()
		if !gap {
			return nil
		}
		events, through, err := b.store.Read(ctx, head, readBatch)
		if err != nil {
			return fmt.Errorf("read the event log: %w", err)
		}
		b.offer(events)
		if b.passed(through, len(events) == 0); len(events) == 0 {
			return nil
		}
	}
}

// contiguous takes the pending events that follow head without a gap.
func (b *Broker) contiguous() []store.StoredEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []store.StoredEvent
	for n := b.head + 1; len(out) < readBatch; n++ {
		ev := b.pending[n]
		if ev == nil {
			break
		}
		out = append(out, store.StoredEvent{Seq: n, Event: *ev})
	}
	return out
}

// passed moves head over numbers that hold nothing for this process.
func (b *Broker) passed(through int64, end bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; b.head < through; b.head++ {
		delete(b.pending, b.head+1)
	}
	b.others = b.others && !end
}

// offer hands events to the live subscriptions they concern and moves head.
func (b *Broker) offer(events []store.StoredEvent) {
	touched := map[*Subscription]bool{}
	for i := range events {
		ev := &events[i]
		for _, s := range b.interested(ev.Type) {
			s.mu.Lock()
			if s.live {
				if s.queued() < queueLimit {
					s.examine(ev)
				} else {
					s.live, s.cursor = false, ev.Seq-1
				}
				touched[s] = true
			}
			s.mu.Unlock()
		}
		b.mu.Lock()
		b.head = ev.Seq
		delete(b.pending, ev.Seq)
		b.mu.Unlock()
	}
	for s := range touched {
		s.mu.Lock()
		s.pump()
		behind := !s.live || len(s.leaving) > 0
		s.mu.Unlock()
		if behind {
			b.attend(s)
		}
	}
}

// interested returns the subscriptions whose types match. Only dispatch calls it.
func (b *Broker) interested(typ string) []*Subscription {
	b.mu.Lock()
	list, ok := b.byType[typ]
	version := b.version
	b.mu.Unlock()
	if ok {
		return list
	}
	for _, s := range b.list() {
		s.mu.Lock()
		if s.config().Matches(typ) {
			list = append(list, s)
		}
		s.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.version != version {
		return list
	}
	if b.byType == nil || len(b.byType) > maxTypes {
		b.byType = map[string][]*Subscription{}
	}
	b.byType[typ] = list
	return list
}

// maxTypes bounds the memory for which subscriptions want which type.
const maxTypes = 10_000

// fill reads on for a subscription that lags, until its queue is full or it has
// caught up and is live.
func (b *Broker) fill(ctx context.Context, s *Subscription) error {
	for {
		s.mu.Lock()
		lagging, room, cursor := !s.live && !s.closed, s.queued() < queueLimit/2, s.cursor
		s.mu.Unlock()
		if !lagging || !room {
			return nil
		}
		if cursor >= b.Head() {
			s.mu.Lock()
			s.live = true // dispatch is the only one that moves head
			s.mu.Unlock()
			return nil
		}
		events, through, err := b.store.Read(ctx, cursor, readBatch)
		if err != nil {
			return fmt.Errorf("read the event log for %s: %w", s.name, err)
		}
		head := b.Head()
		s.mu.Lock()
		for i := range events {
			if events[i].Seq > head {
				break // offered when head gets there
			}
			s.examine(&events[i])
		}
		s.cursor = min(through, head)
		s.pump()
		s.mu.Unlock()
		if err := b.flush(ctx, s); err != nil {
			return err
		}
	}
}
