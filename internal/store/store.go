// Package store is the contract of the one durable transaction everything
// commits through. An execution collects what it wants to happen in a Batch and
// commits it once, at its end: the acknowledgement of what started it, the
// events it published, the documents it wrote and its outcome become visible
// together or not at all (invariants I1 to I4).
//
// The contract has no word of any database in it. store/sqlite implements it on
// one file; storetest is the suite every implementation passes.
//
// # The event log and subscriptions
//
// Events are appended to one log and numbered by Seq, from 1, without reuse. A
// subscription is a name and the set of numbers it is done with: a floor (every
// number up to it is done) and ranges above. An acknowledgement claims one number:
// nobody else has, or will. The reader of a subscription folds the numbers before
// it that do not concern the subscription into the same Ack, or into a Fold of
// their own, so ranges join and the floor moves.
//
// A delivery that has to wait (a retry, a delayed event) leaves the log's
// bookkeeping: its number is acknowledged and a Deferred row holds it until due,
// in the same commit. An event is kept in the log as long as its type's
// retention says, and never removed while a subscription has yet to see it or a
// Deferred row refers to it.
package store

import (
	"errors"
	"time"

	"pipelined"
)

// Errors of Commit and the reads. They are wrapped with what was being done.
var (
	// ErrConflict: a document is not at the version, or a unique key is not as
	// free, as the Batch requires. Nothing of the Batch happened. The error
	// chain holds a *ConflictError.
	ErrConflict = errors.New("conflict")
	// ErrTaken: what the Batch acknowledges, releases or claims is done already, or is
	// somebody else's, or the Batch speaks under an epoch that is over. Nothing of the
	// Batch happened, and running it again would not help: what came of it is dropped.
	ErrTaken = errors.New("taken by another")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("store is closed")
	// ErrUnavailable: the medium cannot commit now (full, read-only, failing).
	// Nothing of the Batch, or of those in its group, happened; a later one may
	// succeed. A Batch that asks for something impossible, such as a document that
	// is not JSON, fails alone and with another error.
	ErrUnavailable = errors.New("store cannot commit")
	// ErrInDoubt: whether the Batch happened could not be found out in time. It is
	// whole or not there. Who gets this neither runs it again nor says that it failed.
	ErrInDoubt = errors.New("it is not known whether the commit happened")
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("store is in use by another process")
	// ErrNewer: the store was written by a newer version of the program.
	ErrNewer = errors.New("store was written by a newer version")
)

// ConflictError says which document stood in the way.
type ConflictError struct {
	Collection, ID string
	Field          string // the unique field, where that was it
	Reason         string // "exists", "version", "missing", "unique"
}

func (e *ConflictError) Error() string {
	s := "document " + e.Collection + "/" + e.ID + ": " + e.Reason
	if e.Field != "" {
		s += " " + e.Field
	}
	return s
}

func (e *ConflictError) Unwrap() error { return ErrConflict }

// Range is the numbers From to To.
type Range struct{ From, To int64 }

// Deferred is a delivery that waits for its time without holding a worker. It
// carries its event, so that the log need not be read to run it.
type Deferred struct {
	ID           string // a UUIDv7, made by who defers; added again under its ID, it stays as it is
	Subscription string
	Event        StoredEvent
	OrderKey     string // the value order_by gave, so that waiting can block its key
	Due          time.Time
	Attempt      int    // of the delivery to come, from 2
	Problem      string // JSON of the last failure, for people
}

// Parked is an event of the log that a subscription has set aside, because too many
// of its group (a tenant, or a key) wait already: the others need not wait behind
// them. Its number is acknowledged in the same commit; the log keeps the event.
type Parked struct {
	Subscription, Group string
	Seq                 int64
}

// DelayedEvent is appended to the log when its time comes: by a Batch that
// releases it (see Store.ReleaseDelayed).
type DelayedEvent struct {
	Event *pipelined.Event
	Due   time.Time
}

// StoredEvent is an event with its number.
type StoredEvent struct {
	Seq int64
	// AppendedAt is when it came into the log, by which it is kept and found; its Time
	// is its author's. It is zero in a Deferred.
	AppendedAt time.Time
	pipelined.Event
}

// WriteKind says what a Write does.
type WriteKind int

const (
	Put    WriteKind = iota // replaces or creates
	Insert                  // creates; ErrConflict if it exists
	Delete                  // removes; a missing document is fine unless IfVersion is set
)

// Write is one change of one document.
type Write struct {
	Kind       WriteKind
	Collection string
	ID         string
	Document   string // one JSON object, without the _ fields; empty for Delete
	// IfVersion, if not 0, is the version the document must have; -1 means it
	// must not exist.
	IfVersion int64
	// IfCreatedAt, if not zero and IfVersion is a version, is when the document must
	// have been created: one deleted and made again begins at version 1 again.
	IfCreatedAt time.Time
	// Advance is how many versions the document moves on; 0 means 1. One write may
	// stand for several that followed each other.
	Advance int64
	Expires time.Time // zero: never
	History bool      // the version that is replaced or deleted is kept (see Versions)
}

// Document is a stored document.
type Document struct {
	Collection string
	ID         string
	Version    int64 // from 1, plus 1 with every write (see Write.Advance)
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Body       string // the JSON object as written, without the _ fields
}

// Execution is the record of one run of a pipeline.
type Execution struct {
	ID        string    `json:"id"`
	Pipeline  string    `json:"pipeline"`
	Revision  string    `json:"revision"`
	Trigger   string    `json:"trigger"` // "http", "cron", "event", "error", "call", "manual"
	Status    string    `json:"status"`  // "ok", "failed", "retrying"
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Attempt   int       `json:"attempt"`
	EventID   string    `json:"event_id,omitempty"`
	EventType string    `json:"event_type,omitempty"`
	Key       string    `json:"key,omitempty"`
	Problem   string    `json:"problem,omitempty"` // JSON of the pipelined.Problem
	Input     string    `json:"input,omitempty"`   // JSON; of failed executions
	HandledBy string    `json:"handled_by,omitempty"`
}

// Meta is one row of a small table of named texts, such as the revision last run.
// An empty Value removes the row. IfValue, if not nil, is what the row must hold
// before the Batch, empty for none; else the Batch is ErrTaken.
type Meta struct {
	Key, Value string
	IfValue    *string
}

// Subscription is a place in the log.
type Subscription struct {
	Name  string
	Floor int64 // every number up to it is done, in all partitions
}

// Lease is the right to work on one partition of a subscription, and where it stands.
// What is acknowledged speaks under its epoch. A store that one process has for itself
// has one partition, 0, in which every event is.
type Lease struct {
	Subscription string
	Partition    int
	Epoch        int64
	Floor        int64   // every number up to it is done
	Done         []Range // done above the floor, ascending, not touching
	// Lost is closed when the lease is: taken over, released, or the store closed.
	Lost <-chan struct{}
}

// Owed is what a subscription is not done with.
type Owed struct {
	From, To int64 // numbers of the log it has not folded or acknowledged all of; 0 for none
	Waiting  int   // deliveries that wait
	Aside    int   // events set aside
}

// Nothing reports whether nothing is owed.
func (o Owed) Nothing() bool { return o == Owed{} }
