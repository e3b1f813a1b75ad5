package store

import (
	"context"
	"time"
)

// Store is the durable state of one project. All methods are safe for concurrent use.
// Who needs a part of it takes that part.
type Store interface {
	Log
	Documents
	History
	Keeper

	// Close commits what was submitted, gives back leases and claims, and closes. It may be
	// called twice.
	Close() error
}

// Committer makes batches durable.
type Committer interface {
	// Submit queues b for the next group commit and returns at once, or waits
	// while the queue is full. done is called exactly once, from the writer,
	// after the commit is durable or refused; it must not block and must not
	// call Submit or Commit itself.
	Submit(b *Batch, done func(Result, error))
	// Commit is Submit and wait. If ctx ends, or the store's own bound is over, before
	// anybody began with the batch, it never happens and this is ErrUnavailable; if
	// that is not known, ErrInDoubt.
	Commit(ctx context.Context, b *Batch) (Result, error)
}

// Log is the events and what their subscriptions are done with.
type Log interface {
	Committer

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
}

// Documents is the collections of documents.
type Documents interface {
	// Prepare builds what a revision needs and is not there: indexes, each in a turn of
	// its own. What is there stays as it is, and works on. A unique index counts from
	// when it is built, for every revision; one over documents that already collide is an
	// error that names two of them. A revision prepared again declares anew.
	Prepare(ctx context.Context, revision string, collections []Collection) error
	// Retire drops what only that revision has, or none, which is what processes before
	// this one left. One that was never prepared is no mistake.
	Retire(ctx context.Context, revision string) error
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
}

// History is the executions that were kept.
type History interface {
	// FindExecutions and GetExecution read the history.
	FindExecutions(ctx context.Context, q ExecutionQuery) ([]Execution, error)
	GetExecution(ctx context.Context, id string) (*Execution, error)
}

// Keeper is what keeps a project in order: claims and cursors, small texts, retention,
// and whether commits work.
type Keeper interface {
	Committer

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
	// Meta returns the text kept under key, or "". Metas lists those whose keys
	// begin with prefix, by key.
	Meta(ctx context.Context, key string) (string, error)
	Metas(ctx context.Context, prefix string) ([]Meta, error)
	// Trim removes what retention no longer keeps, in small steps that never
	// hold up the writer for long; it returns how many rows went. One process trims at a
	// time: who calls it holds the claim TrimClaim.
	Trim(ctx context.Context, now time.Time, keep Retention) (int64, error)
	// Shrink removes documents of a collection, those that were written the longest ago
	// first, until what is left takes at most so many bytes, as they were written; it
	// returns how many went. It goes in small steps, like Trim, under the same claim.
	Shrink(ctx context.Context, collection string, most int64) (int64, error)
	// Health is nil while commits work. After one failed it says why, in words for a
	// person, until one works again, which the store tries by itself. Where several
	// processes share a store, it also says that this one counts as gone, because it did
	// not renew what it holds in time.
	Health() error
}
