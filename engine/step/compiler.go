package step

import (
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
)

// Compiler turns the steps of one pipeline into Flows. Use one per pipeline; it
// is not safe for concurrent use. Findings go to the Context's Diags; a flow with
// findings must not run.
type Compiler struct {
	Controls    ControlSet
	Connectors  *connectors.Set
	Connections map[string]*Connection
	// Shared collects the families used without a connection.
	Shared map[string]*Connection
	// Events declared in the project file, by type.
	Events map[string]*EventType
	// Pipelines are the names a call step may use.
	Pipelines []string
	Pipeline  string

	// Env declares the environment, at execution.SlotEnv; nil leaves it open.
	Env *expression.Symbol
	// Facts collects what the wiring lint wants to know of this pipeline.
	Facts Facts

	base     *expression.Symbols
	slots    int
	varSlots []int
	vars     map[string]*expression.Symbol
	names    map[string]*yaml.Node // every step name, for "runs later" and duplicates
	declared map[string]bool
	scanned  map[*yaml.Node]bool // lists of steps
	equal    map[string]int      // steps without a name, by their digest
	loops    int                 // how many loops, branches and handlers we are inside of
	handler  bool                // inside on_error, catch or compensate
	inLater  string              // what we are inside of that is done later, and cannot be undone: compensate, after_commit
	undos    map[string]*execution.Later
	streams  map[int]string // steps whose results hold a stream, by slot
}

// Connection is a connection of the project file, or what a family without one uses.
type Connection struct {
	Name      string
	Connector *connectors.Connector
	// Index is where the opened client stands among those of a revision.
	Index int
}

// EventType is what publishing an event of a declared type adds.
type EventType struct {
	Dedupe   time.Duration       // how long a publish.id is remembered; 0 is the default
	Key      *expression.Program // over `data` in slot execution.SlotInput of its own frame; nil if none
	Validate func(data string) *pipelined.Problem
	Data     *expression.Type // what the schema says of the data; nil if nothing
}

// Facts is what a pipeline does, as far as other pipelines care.
type Facts struct {
	Publishes   []Mention // event types
	Calls       []Mention // pipelines
	Writes      []Mention // collections written
	Reads       []Mention // collections read
	Reprocesses []Reprocessor
	Responds    []Mention
	Unkeyed     []Mention // publishes of the flow without an id
	Outside     []Outside // calls that leave the process
	// PublishesAny: the flow itself publishes, as opposed to what handles its failures and
	// what follows it.
	PublishesAny bool
	Dynamic      bool // publishes a type that is only known at run time
	// CommitsParts: a loop commits on its way.
	CommitsParts bool
}

// Mention is one place that names something.
type Mention struct {
	Name string
	At   diag.Range
}

// Outside is a call that leaves the process; Name is its connection, empty where it has
// none.
type Outside struct {
	Mention
	connectors.Effect
	In      string // "compensate" or "after_commit"; empty: the flow, or what handles its failures
	Handles bool   // it is in what handles failures
	step    *Node
}

// Undone reports whether the step says how it is undone.
func (o Outside) Undone() bool { return o.step.undo != nil }

// Reprocessor is what the writer of error records needs of the reprocess step
// that drains their collection.
type Reprocessor struct {
	Collection  string
	MaxAttempts int
	Backoff     pipelined.Backoff
	At          diag.Range
}

// Start prepares the symbols of a pipeline: the names every expression may use, every variable any step sets, and every
// step name, so that a step used before it ran is explained.
func (b *Compiler) Start(lists []*yaml.Node, scope Scope) *expression.Symbols {
	b.slots = execution.BaseSlots
	b.vars = map[string]*expression.Symbol{}
	b.names = map[string]*yaml.Node{}
	b.declared = map[string]bool{}
	b.equal = map[string]int{}
	b.scanned = map[*yaml.Node]bool{}
	b.undos = map[string]*execution.Later{}
	b.streams = map[int]string{}
	for _, n := range lists {
		b.scan(n)
	}
	syms := expression.NewSymbols(nil)
	scope.Declare(syms)
	if b.Env != nil {
		syms.Declare("env", b.Env)
	}
	b.base = syms
	syms.Declare("vars", &expression.Symbol{Slot: -1, Closed: true, Members: b.vars})
	syms.Declare("steps", &expression.Symbol{Slot: -1, Closed: true, Members: b.later(nil)})
	return syms
}

// Slots is how many slots a frame of this pipeline has, and which of them are
// variables.
func (b *Compiler) Slots() (int, []int) { return b.slots, b.varSlots }

func (b *Compiler) slot() int {
	b.slots++
	return b.slots - 1
}

// Used reports whether an expression of the pipeline reads a name of the base
// scope.
func (b *Compiler) Used(name string) bool {
	sym := b.base.Lookup(name)
	return sym != nil && sym.Used
}
