package store

import (
	"fmt"
	"time"

	"pipelined"
)

// Batch is what one execution wants to happen, all or nothing. It says by itself how
// what it writes is kept, as the revision it was made under has it: the store knows of
// no revision. A Batch handed to Submit belongs to the store until done is called.
type Batch struct {
	// At is the moment of the whole batch: documents are written, claims are done, events
	// are appended then, and by it documents and dedupe windows have expired. Zero is
	// when the store begins with the batch.
	At         time.Time
	Acks       []Ack
	Folds      []Fold
	Defer      []Deferred // added: deliveries that wait
	Release    []string   // Deferred IDs that are done with; a missing one is ErrTaken
	Park       []Parked   // added: events set aside in a queue of their own; one that is there stays
	Unpark     []Parked   // done with; a missing one is ErrTaken
	Claims     []Claim    // proven, and done from now on; one that is done, or not held at that epoch, is ErrTaken
	Drop       []Claim    // given up under the same condition: neither held nor done
	Values     []ClaimValue
	Cursors    []Cursor
	Events     []*pipelined.Event
	Delayed    []DelayedEvent
	Documents  []Write
	Executions []Execution
	Meta       []Meta
}

// Empty reports whether committing the batch would change nothing.
func (b *Batch) Empty() bool {
	return len(b.Acks) == 0 && len(b.Folds) == 0 && len(b.Defer) == 0 && len(b.Release) == 0 && len(b.Park) == 0 && len(b.Unpark) == 0 &&
		len(b.Claims) == 0 && len(b.Drop) == 0 && len(b.Values) == 0 && len(b.Cursors) == 0 &&
		len(b.Events) == 0 && len(b.Delayed) == 0 && len(b.Documents) == 0 &&
		len(b.Executions) == 0 && len(b.Meta) == 0
}

// Check tells what is impossible about a batch that is committed at a moment, whatever
// the store holds: an event whose time is too far ahead, a delivery that waits without
// an id. Every store asks before it begins with a batch.
func (b *Batch) Check(at time.Time) error {
	for _, ev := range b.Events {
		if err := ev.CheckTime(at); err != nil {
			return fmt.Errorf("append an event: %w", err)
		}
	}
	for i := range b.Delayed {
		if err := b.Delayed[i].Event.CheckTime(at); err != nil {
			return fmt.Errorf("append an event later: %w", err)
		}
	}
	for i := range b.Defer {
		if b.Defer[i].ID == "" {
			return fmt.Errorf("event %d cannot wait for %s: the delivery has no id", b.Defer[i].Event.Seq, b.Defer[i].Subscription)
		}
	}
	return nil
}

// Result is what a committed Batch brought about.
type Result struct {
	// Seqs are the log numbers of Batch.Events, in order; 0 where the event was
	// a duplicate and dropped.
	Seqs []int64
	// Delayed tells of each of Batch.Delayed, in order, whether it was added; false where
	// the event was a duplicate and dropped.
	Delayed []bool
	// Versions are the new versions of Batch.Documents, in order; 0 for a delete.
	Versions []int64
}

// Ack claims that a subscription is done with the number Seq: if it is already, or
// the lease is lost (another epoch, a subscription that is gone), the Batch is
// ErrTaken. The numbers From to Seq-1, which do not concern the subscription, are
// folded in without a claim; From may be 0 for none.
type Ack struct {
	Subscription string
	Partition    int
	Epoch        int64
	From, Seq    int64
}

// Fold says that the numbers From to To do not concern a subscription any more. It
// claims none of them and may be repeated; without the lease it is ErrTaken.
type Fold struct {
	Subscription string
	Partition    int
	Epoch        int64
	From, To     int64
}
