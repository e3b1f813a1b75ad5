package broker

import (
	"strconv"
	"time"

	"pipelined/internal/store"
)

// Delivery is one event on its way to one subscription. Its handler adds its
// outcome to the batch of the execution with Settle or Postpone, and calls one of
// Committed, Refused, Taken and Abandon exactly once when that batch has ended.
type Delivery struct {
	Event   store.StoredEvent
	Attempt int // deliveries to this subscription, from 1; grows with every durable retry
	// Problem is set where the subscription's own expressions failed on the event
	// (where, order_by, fair_by): the delivery is a failure already.
	Problem error

	sub        *Subscription
	from       int64  // first number its acknowledgement covers
	epoch      int64  // of the lease it was read under
	deferredID string // row to release; empty if it came from the log
	key        string
	tenant     string
	postponed  *store.Deferred // what Postpone added to the batch
	refusals   int             // commits refused so far
	crashes    int             // of the process, that are surely its
	group      string          // its tenant, or its key; empty: it has none
	parked     bool            // it was set aside: its number is acknowledged already
}

// ID names the delivery among those of its subscription, across restarts.
func (d *Delivery) ID() string {
	if d.deferredID != "" {
		return "d" + d.deferredID
	}
	return strconv.FormatInt(d.Event.Seq, 10)
}

// Crashes is how often the process died while nothing but this delivery ran.
func (d *Delivery) Crashes() int { return d.crashes }

// Subscription returns the name of the subscription.
func (d *Delivery) Subscription() string { return d.sub.name }

// Settle adds the acknowledgement to b. I1: it is part of the commit of what
// came of the event.
func (d *Delivery) Settle(b *store.Batch) {
	if d.deferredID != "" {
		b.Release = append(b.Release, d.deferredID)
		return
	}
	if d.parked {
		b.Unpark = append(b.Unpark, d.asParked())
		return
	}
	b.Acks = append(b.Acks, store.Ack{Subscription: d.sub.name, Epoch: d.epoch, From: d.from, Seq: d.Event.Seq})
}

func (d *Delivery) asParked() store.Parked {
	return store.Parked{Subscription: d.sub.name, Group: d.group, Seq: d.Event.Seq}
}

// Postpone adds to b that the event comes again at due, as attempt + 1 (I4). It
// holds no worker and no memory of the log meanwhile.
func (d *Delivery) Postpone(b *store.Batch, due time.Time, problem string) {
	d.Settle(b)
	d.postponed = &store.Deferred{
		ID: d.sub.broker.newID(), Subscription: d.sub.name, Event: d.Event, OrderKey: d.key,
		Due: due, Attempt: d.Attempt + 1, Problem: problem,
	}
	b.Defer = append(b.Defer, *d.postponed)
}

// Committed tells the broker that the batch with the outcome is durable.
func (d *Delivery) Committed() { d.sub.committed(d) }

// Refused tells the broker that the batch did not happen: the delivery comes
// again soon, with the same attempt.
func (d *Delivery) Refused() { d.sub.refused(d) }

// Taken tells the broker that the batch did not happen because the delivery is done
// already, or somebody else's (store.ErrTaken): it does not come again.
func (d *Delivery) Taken() {
	d.postponed = nil
	d.sub.committed(d)
}

// Abandon puts the delivery back untouched, because the runtime stops.
func (d *Delivery) Abandon() { d.sub.abandon(d) }
