package store

import (
	"fmt"
	"strings"
	"time"
)

// Kinds of claims.
const (
	TickClaim     = "tick"         // a scheduled run; the key is Tick.Key
	CursorClaim   = "cursor"       // reading a source; never done; the value is where it is
	KeyClaim      = "key"          // answering a caller's idempotency key
	ProgressClaim = "progress"     // an execution that commits on its way; the value is how far it is
	AfterClaim    = "after_commit" // work after a commit
	TrimClaim     = "trim"         // applying retention
)

// Claim names the right to do one thing once. It is acquired before the thing is
// done, with Keeper.Claim, and proven in the Batch that does it:
//
//	         Claim               Batch.Claims
//	(free) ────────► held, epoch ────────────► done
//	   ▲               │  ▲ │
//	   └── Batch.Drop ─┘  └─┘ Claim again: another attempt, another epoch
//
// What was begun under an epoch that is over proves nothing any more, so a claim
// that was acquired anew settles what became of a commit in doubt.
type Claim struct {
	Kind, Key string
	Epoch     int64
}

func (c Claim) String() string { return c.Kind + " " + c.Key }

// Claimed is a claim as it stands.
type Claimed struct {
	Claim           // with the epoch under which it is held
	Attempts int    // how often it was acquired, this time included
	Value    string // a small text that whoever holds it may change (Batch.Values)
	// Err, of one that could not be acquired, is ErrTaken: it is done, or another
	// living process holds it.
	Err error
}

// ClaimValue changes the text of a claim that is held and stays so.
type ClaimValue struct {
	Claim
	Value string
}

// Cursor is how far a source is read. In a Batch it moves there; it is the value of
// the claim of kind CursorClaim, under whose epoch the Batch speaks.
type Cursor struct {
	Source, Partition string // Source without a slash
	Epoch             int64
	Value             string
}

// Claim is the claim that a cursor belongs to.
func (c Cursor) Claim() Claim {
	return Claim{Kind: CursorClaim, Key: c.Source + "/" + c.Partition, Epoch: c.Epoch}
}

// Tick is one scheduled moment of one pipeline.
type Tick struct {
	Pipeline  string
	Scheduled time.Time
}

// tickFormat sorts as the times do.
const tickFormat = "2006-01-02T15:04:05.000000Z"

// Key is the key of the tick's claim: pipeline/moment. Keys of a pipeline sort as
// their moments.
func (t Tick) Key() string { return t.Pipeline + "/" + t.Scheduled.UTC().Format(tickFormat) }

// Claim is the claim of the tick, not yet held.
func (t Tick) Claim() Claim { return Claim{Kind: TickClaim, Key: t.Key()} }

// ParseTick reads the key of a tick's claim.
func ParseTick(key string) (Tick, error) {
	pipeline, moment, _ := strings.Cut(key, "/")
	at, err := time.Parse(tickFormat, moment)
	if err != nil {
		return Tick{}, fmt.Errorf("read the claim of a tick: %w", err)
	}
	return Tick{Pipeline: pipeline, Scheduled: at}, nil
}
