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
	"context"
	"errors"
	"fmt"
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
	Merge                   // applies Document as an RFC 7396 merge patch; ErrConflict if it does not exist
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

// Collection is how one collection of documents is kept. Of it the store needs to know
// what it has to build; the rest goes with every Write.
type Collection struct {
	Name    string
	Index   []string      // dotted paths into the document
	Unique  []string      // dotted paths whose values may occur once: 1 and 1.0 are one value, 1, "1" and true are three; null and missing may repeat
	Retain  time.Duration // since the last write; 0 keeps for ever
	History bool          // keep earlier versions, as long as Retain says
}

// Expires is when a document written at a moment goes; zero for never.
func (c *Collection) Expires(at time.Time) time.Time {
	if c.Retain <= 0 {
		return time.Time{}
	}
	return at.Add(c.Retain)
}

// EventType is how events of one type are kept.
type EventType struct {
	Type   string
	Retain time.Duration // 0: as Retention.Events says
	Dedupe time.Duration // window of publish.id; 0: as pipelined.Event.DedupeFor says
}

// Retention is how long Trim keeps what goes by its age.
type Retention struct {
	Events     time.Duration            // since they were appended, of types that say nothing; 0 is 7 days
	Types      map[string]time.Duration // of events of one type
	Executions time.Duration            // since they started; 0 is 30 days
	Versions   map[string]time.Duration // of the earlier versions of documents since they were replaced, by collection; others stay
}

// Retain makes the retention of what a project declares.
func Retain(collections []Collection, types []EventType) Retention {
	r := Retention{Types: map[string]time.Duration{}, Versions: map[string]time.Duration{}}
	for _, c := range collections {
		if c.Retain > 0 {
			r.Versions[c.Name] = c.Retain
		}
	}
	for _, t := range types {
		if t.Retain > 0 {
			r.Types[t.Type] = t.Retain
		}
	}
	return r
}

// Default retention.
const (
	keepEvents     = 7 * 24 * time.Hour
	keepExecutions = 30 * 24 * time.Hour
	keepClaims     = 30 * 24 * time.Hour
	dedupeFor      = 24 * time.Hour
)

// Event is how long events of a type are kept.
func (r *Retention) Event(typ string) time.Duration {
	if d := r.Types[typ]; d > 0 {
		return d
	}
	if r.Events > 0 {
		return r.Events
	}
	return keepEvents
}

// Shortest is the shortest time that events of any type are kept.
func (r *Retention) Shortest() time.Duration {
	shortest := r.Event("")
	for _, d := range r.Types {
		if d > 0 {
			shortest = min(shortest, d)
		}
	}
	return shortest
}

// Execution is how long executions are kept.
func (r *Retention) Execution() time.Duration {
	if r.Executions > 0 {
		return r.Executions
	}
	return keepExecutions
}

// Claim is how long it is remembered that claims are done; of the newest tick of each
// pipeline it is for ever.
func (r *Retention) Claim() time.Duration { return keepClaims }

// Deduped is how long an event's DedupeID is remembered.
func Deduped(ev *pipelined.Event) time.Duration {
	if ev.DedupeFor > 0 {
		return ev.DedupeFor
	}
	return dedupeFor
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

// Query selects documents of a collection. The store applies Conditions as far
// as it can and may return more than match (a superset); the caller evaluates
// the whole condition again, so pushing one down only saves work.
type Query struct {
	Collection string
	Conditions []Condition
	// OrderBy sorts by these dotted paths (or _id, _created_at, _updated_at,
	// _version), ties and an empty list by _id, which is insertion order for
	// generated ids. Null and missing sort first, then numbers, where false counts
	// as 0 and true as 1, then texts by their bytes, lists and objects among them
	// by their JSON without white space. Decimals of more than 17 digits may count
	// as equal.
	OrderBy []Order
	// Want is how many documents the caller expects to take, 0 for all: a hint, which
	// changes nothing of what there is to take.
	Want int
}

// Order is one sort key.
type Order struct {
	Path       string
	Descending bool
}

// Condition is one comparison a store may use: Path Op Value. Value is nil,
// bool, int64, float64 or string; times of _created_at and _updated_at are
// RFC 3339 text. Comparisons between different kinds of values do not match,
// except integers with decimals.
type Condition struct {
	Path  string
	Op    string // "==", "<", "<=", ">", ">=", "in" (Value is []any)
	Value any
}

// WaitQuery selects deliveries of one partition that wait.
type WaitQuery struct {
	Subscription string
	Partition    int
	Before       time.Time // due then or earlier; zero: whenever
	AfterDue     time.Time // with AfterID: those that follow that one
	AfterID      string
	Limit        int // 0 means 1000
}

// ParkedQuery selects events of one group that a partition has set aside, ascending.
type ParkedQuery struct {
	Subscription string
	Partition    int
	Group        string
	After        int64 // numbers above it
	Limit        int   // 0 means 1000
}

// PageLimit is how many a query without a limit gives.
const PageLimit = 1000

// Precision is how exact a count must be.
type Precision int

const (
	Exact    Precision = iota // every document that has not expired
	Estimate                  // about so many, where counting all would take long
)

// EventQuery selects events of the log for people and replays.
type EventQuery struct {
	Types []string  // patterns, see package pattern; empty means all
	After int64     // numbers above it
	Since time.Time // appended then or later
	ID    string
	Key   string
	Limit int // 0 means 100
	Desc  bool
}

// ExecutionQuery selects executions for people.
type ExecutionQuery struct {
	Pipeline string
	Status   string
	Since    time.Time
	Limit    int // 0 means 100; newest first
}

// Store is the durable state of one project. All methods are safe for
// concurrent use.
type Store interface {
	// Prepare builds what a revision needs and is not there: indexes, each in a turn of
	// its own. What is there stays as it is, and works on. A unique index counts from
	// when it is built, for every revision; one over documents that already collide is an
	// error that names two of them. A revision prepared again declares anew.
	Prepare(ctx context.Context, revision string, collections []Collection) error
	// Retire drops what only that revision has, or none, which is what processes before
	// this one left. One that was never prepared is no mistake.
	Retire(ctx context.Context, revision string) error

	// Submit queues b for the next group commit and returns at once, or waits
	// while the queue is full. done is called exactly once, from the writer,
	// after the commit is durable or refused; it must not block and must not
	// call Submit or Commit itself.
	Submit(b *Batch, done func(Result, error))
	// Commit is Submit and wait. If ctx ends, or the store's own bound is over, before
	// anybody began with the batch, it never happens and this is ErrUnavailable; if
	// that is not known, ErrInDoubt.
	Commit(ctx context.Context, b *Batch) (Result, error)

	// LastSeq is the number up to which every event is visible to whoever reads; 0 if
	// there never was one.
	LastSeq(ctx context.Context) (int64, error)
	// Subscribe declares a subscription: one that does not exist is created with its
	// floor at `from` (from < 0 means after the newest event).
	Subscribe(ctx context.Context, name string, from int64) error
	// Subscriptions lists all, by name.
	Subscriptions(ctx context.Context) ([]Subscription, error)
	// Unsubscribe forgets a subscription if nothing is owed to it, in one step, and
	// returns what is; owed nothing means that there is no such subscription any more.
	Unsubscribe(ctx context.Context, name string) (Owed, error)
	// Acquire leases the partitions of a subscription that this process is to work on,
	// those it has already among them; none if others have them all.
	Acquire(ctx context.Context, subscription string) ([]Lease, error)
	// Renew keeps leases for another term; if one is lost it is ErrTaken. Release gives
	// them back, so that others need not wait for their term; lost ones are no mistake.
	Renew(ctx context.Context, leases []Lease) error
	Release(ctx context.Context, leases []Lease) error
	// Read returns up to limit events with numbers above after, in the order of their
	// numbers and without a gap: nothing becomes visible later below what was read.
	// through is the number up to which it has looked at everything, so that who reads on
	// does so from there; it is above the last event where what follows was trimmed, or is
	// no concern of this process.
	Read(ctx context.Context, after int64, limit int) (events []StoredEvent, through int64, err error)
	// Watch returns a channel that is closed when another process has appended events
	// above after; nil where none can. Of its own events a process learns by its commits.
	Watch(after int64) <-chan struct{}
	// FindEvents is Read for people.
	FindEvents(ctx context.Context, q EventQuery) ([]StoredEvent, error)
	// Deferred returns the deliveries of a query that wait, by due time and ID. They are
	// read again by who acquires the partition.
	Deferred(ctx context.Context, q WaitQuery) ([]Deferred, error)
	// ParkedGroups tells how many events of each group a subscription has set aside,
	// and Parked returns those of one group with numbers above after, ascending.
	ParkedGroups(ctx context.Context, subscription string, partition int) (map[string]int, error)
	Parked(ctx context.Context, q ParkedQuery) ([]StoredEvent, error)
	// ReleaseDelayed moves delayed events due by now into the log in one commit
	// and returns them with their numbers, at most limit. Of several that call it at the
	// same time each gets other ones.
	ReleaseDelayed(ctx context.Context, now time.Time, limit int) ([]StoredEvent, error)
	// NextDelayed is when the earliest delayed event is due; zero if none waits. It is a
	// hint: others add and release, so it is asked again.
	NextDelayed(ctx context.Context) (time.Time, error)

	// Claim acquires claims, whose epochs it ignores, durably and in one commit, and
	// answers for each, in order. One that this process holds already is given anew,
	// under another epoch; what a process that ended held is free.
	Claim(ctx context.Context, claims []Claim) ([]Claimed, error)
	// Claims returns the claims of a kind that are held and not done, those whose keys
	// begin with prefix, by key.
	Claims(ctx context.Context, kind, prefix string) ([]Claimed, error)
	// Cursor is how far a partition of a source was read; the zero Cursor if it never
	// was.
	Cursor(ctx context.Context, source, partition string) (Cursor, error)
	// LastTick is the newest tick of a pipeline that is done; zero if none.
	LastTick(ctx context.Context, pipeline string) (time.Time, error)

	// Get returns a document or nil.
	Get(ctx context.Context, collection, id string) (*Document, error)
	// Find gives documents in order until yield returns false or an error. It reads
	// them in pages and holds nothing meanwhile, no lock, no snapshot, no connection: yield
	// may use the store, Find included, and take its time. A document is given once at
	// most, and once exactly if it was there and matched all the time, as it is when its
	// page is read. One that comes while the search goes on may be given or not, but they
	// come to an end: who inserts one for each that is given is not given them all.
	Find(ctx context.Context, q Query, yield func(*Document) (bool, error)) error
	// Count is how many documents a collection holds.
	Count(ctx context.Context, collection string, how Precision) (int64, error)
	// Versions returns the earlier versions of a document, newest first, as far as
	// its collection keeps them (Collection.History).
	Versions(ctx context.Context, collection, id string) ([]Document, error)
	// CollectionNames lists collections that hold documents or are declared.
	CollectionNames(ctx context.Context) ([]string, error)

	// FindExecutions and GetExecution read the history.
	FindExecutions(ctx context.Context, q ExecutionQuery) ([]Execution, error)
	GetExecution(ctx context.Context, id string) (*Execution, error)

	// Meta returns the text kept under key, or "". Metas lists those whose keys
	// begin with prefix, by key.
	Meta(ctx context.Context, key string) (string, error)
	Metas(ctx context.Context, prefix string) ([]Meta, error)

	// Trim removes what retention no longer keeps, in small steps that never
	// hold up the writer for long; it returns how many rows went. One process trims at a
	// time: who calls it holds the claim TrimClaim.
	Trim(ctx context.Context, now time.Time, keep Retention) (int64, error)

	// Health is nil while commits work. After one failed it says why, in words for a
	// person, until one works again, which the store tries by itself. Where several
	// processes share a store, it also says that this one counts as gone, because it did
	// not renew what it holds in time.
	Health() error

	// Close commits what was submitted, gives back leases and claims, and closes. It may be
	// called twice.
	Close() error
}
