package triggers

import (
	"context"
	"io"
	"log/slog"
	"time"

	"pipelined"
	"pipelined/internal/value"
)

// Source is the plan of a trigger that reads from outside. What it delivers becomes
// events of the type EventType(trigger, pipeline), in one commit with where it has read
// to, and the pipeline takes them as its Subscription says, whose Types are empty.
type Source struct {
	Subscription
	// Prefetch is how many events may wait for the pipeline before Deliver waits, too.
	Prefetch int64
	// Reads says what is read, in a few words: "file inbox/*.csv".
	Reads string
	// Connection is the name of a connection of the project file whose client Start
	// gets; empty: none.
	Connection string
	// Polls says that Start waits with Env.Wait and in no other way, on the goroutine
	// it was called on, so that a test can run it turn by turn on a clock of its own.
	Polls bool
	// Start reads until ctx ends. It returns promptly then, with any error; every
	// other return, a nil error included, is told and Start is called again after a
	// wait. It begins where the cursors are: each call of Start is a new reader that
	// knows nothing but those. What it starts ends before it returns.
	Start func(ctx context.Context, env Env, deliver Deliver) error
}

// Deliver makes a batch durable. It returns when the batch is, and not before: only
// then is it to be acknowledged outside. While too many events wait for the pipeline it
// blocks. An error says that the batch may not have been committed: Start returns it,
// and the reader that follows begins at the cursors, which know. store.ErrTaken in it
// says that somebody else reads the partition now. Deliver may be called from several
// goroutines, but not for one partition at a time.
type Deliver func(b Batch) error

// Batch is what was read of one partition, and where that is read to now. All of it
// is committed together.
type Batch struct {
	// Partition is a part of the source that has an order of its own: a file, a
	// partition of a topic. Any text; empty is one like the others.
	Partition string
	// Cursor is where the partition is read to, whatever that means to the source. It
	// is kept for the partition until Cursors.Drop.
	Cursor string
	// Events in order. None is fine: only the cursor moves then.
	Events []Event
}

// Event is one of what was read.
type Event struct {
	// ID by which the system outside knows it, if a cursor cannot tell that it comes
	// again: a second event of one id within the dedupe window of its type is dropped.
	// Empty: it gets one.
	ID      string
	Key     string // event.key
	Headers map[string]string
	Time    time.Time // its own; zero: now
	From    string    // event.source: where it was, "file:inbox/a.csv#12"
	// Data is input. Where it could not be decoded, it is what a person needs to find
	// out why.
	Data value.Raw
	// Problem is why it could not be decoded as the author says it should be; the
	// execution it starts fails of that. Nil: it could.
	Problem *pipelined.Problem
}

// Env is what the engine lends to a Source.
type Env struct {
	Pipeline string
	Dir      string    // the project folder
	Client   io.Closer // of Source.Connection, which the engine closes; nil without one
	Clock    pipelined.Clock
	Logger   *slog.Logger
	Cursors  Cursors
	// Wait sleeps. It returns an error when the source is to end.
	Wait func(ctx context.Context, d time.Duration) error
}

// Cursors are where the partitions of a source are read to. Every method may fail as
// the store does: the error is for Start to return.
type Cursors interface {
	// All takes hold of every partition there is a cursor of, and returns the cursors
	// by partition. It is called at most once, before anything else.
	All(ctx context.Context) (map[string]string, error)
	// Hold takes hold of partitions that are new, in one commit; Deliver does it for
	// each that nobody has held.
	Hold(ctx context.Context, partitions ...string) error
	// Ended tells which of some partitions have no event any more that a pipeline has
	// yet to process, or will try again.
	Ended(ctx context.Context, partitions ...string) (map[string]Ending, error)
	// Drop forgets partitions, in one commit.
	Drop(ctx context.Context, partitions ...string) error
}

// Ending is how the events of a partition ended: no event failed for good, or one did.
type Ending struct{ Failed bool }
