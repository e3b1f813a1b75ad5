package broker

import (
	"context"
	"fmt"
	"time"

	"pipelined/internal/fault"
)

// delayed is when the earliest delayed event of the store is due, as far as known.
type delayed struct {
	known   bool
	asked   time.Time
	due     time.Time // zero: none waits
	changes int
}

func (b *Broker) releaseDelayed(ctx context.Context, now time.Time) (next time.Time, err error) {
	for {
		next, err = b.nextDelayed(ctx)
		if err != nil || next.IsZero() || next.After(now) {
			return next, err
		}
		events, err := b.store.ReleaseDelayed(ctx, now, readBatch)
		fault.Point(fault.Released)
		if err != nil {
			return next, fmt.Errorf("release delayed events: %w", err)
		}
		b.mu.Lock()
		b.delayed.known = false
		for i := range events {
			if events[i].Seq > b.head {
				b.pending[events[i].Seq] = &events[i].Event
			}
		}
		b.mu.Unlock()
		if len(events) == 0 {
			return next, nil
		}
	}
}

// askAgain is how long an answer of the store holds: others may delay events, too.
const askAgain = time.Second

// nextDelayed is when the earliest delayed event is due. The store is asked after
// something changed, and else once a second.
func (b *Broker) nextDelayed(ctx context.Context) (time.Time, error) {
	b.mu.Lock()
	d := b.delayed
	b.mu.Unlock()
	now := b.clock.Now()
	if d.known && now.Sub(d.asked) < askAgain {
		return d.due, nil
	}
	due, err := b.store.NextDelayed(ctx)
	if err != nil {
		return due, fmt.Errorf("read when delayed events are due: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.delayed.changes == d.changes {
		b.delayed.known, b.delayed.due, b.delayed.asked = true, due, now
	}
	return due, nil
}
