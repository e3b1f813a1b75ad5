package execution

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"pipelined"
	"pipelined/internal/expression/function"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// Flow is a compiled list of steps.
type Flow interface {
	Run(ctx context.Context, x *Execution) error
}

// Callee is a pipeline as it is run, by its trigger or by a call step.
type Callee struct {
	Name    string
	Flow    Flow
	OnError Flow // nil: none
	Slots   int
	Timeout time.Duration
	// VarSlots are the slots to begin as Unset.
	VarSlots []int
	// Undo are the compensate steps, by the identity of the step they belong to, and
	// After is what runs after the commit; nil: nothing does.
	Undo  map[string]*Later
	After *Later
}

// Program is what a running pipeline asks of the revision it is pinned to.
type Program interface {
	// Callee returns a pipeline by name.
	Callee(name string) *Callee
	// Takes reports whether a pipeline subscribes to events of a type.
	Takes(pipeline, eventType string) bool
}

// Run is what all branches of one execution share.
type Run struct {
	ID        string
	Pipeline  string
	Version   int
	Revision  string
	Project   string
	Attempt   int
	EventID   string // of the event that started it; empty otherwise
	StartedAt time.Time

	Clock  pipelined.Clock
	Values *function.Env // clock, ids and randomness of expressions
	Host   Host
	Logger *slog.Logger
	Store  store.Documents
	// Collection tells how a collection is kept.
	Collection objectstore.Collections
	// Redaction hides what must not be logged.
	Redaction *value.Redaction
	Program   Program
	// Clients are the opened connections, by the index the program gave them.
	Clients []io.Closer
	// Refuse says why no event of a type can be published now; nil where no
	// subscription limits its backlog.
	Refuse func(eventType string) *pipelined.Problem
	// CommitPart commits the effects so far and the progress of a loop, and is
	// nil where the execution cannot be resumed.
	CommitPart func(ctx context.Context, x *Execution, step string, done Progress) error
	// Resume is where a loop with commit_every goes on, by the step's identity.
	Resume map[string]Progress

	// Origin begins the keys of what the execution does outside: the same whenever it is
	// run again. Empty: EventID, or else ID.
	Origin string
	// Journal keeps what has to be undone if the flow fails; nil: in memory only.
	Journal Journal

	mu    sync.Mutex
	reply *pipelined.Reply // of the pipeline that was triggered
	deeds []*Deed
	order int // of deeds
}

// Progress is how far a loop with commit_every is.
type Progress struct {
	Total     int `json:"total"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
}

// Source is the CloudEvents source of what this execution publishes.
func (r *Run) Source() string { return "/" + r.Project + "/" + r.Pipeline }
