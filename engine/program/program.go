package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine/execution"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/pattern"
	"pipelined/internal/schema"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// Sets is what a program may be made of.
type Sets struct {
	Connectors *connectors.Set
	Triggers   *triggers.Set
}

// Program is a compiled project.
type Program struct {
	Name        string
	Revision    string // hash of every source file; 12 hex digits
	File        *definition.ProjectFile
	Pipelines   []*Pipeline // by name
	Connections []*Connection
	Redaction   *value.Redaction
	Globals     any
	Env         any

	byName map[string]*Pipeline
	events map[string]*step.EventType
}

// Connection is a declared connection, or the shared client of a family used
// without one.
type Connection struct {
	*step.Connection
	Config      any    // pointer to the connection struct; nil without one
	Fingerprint string // equal for connections that may share a client across a reload
}

// Pipeline is one compiled pipeline.
type Pipeline struct {
	Name        string
	Description string
	Version     int
	File        string
	At          diag.Range
	TriggerKind string        // the key below trigger:, or ""
	Plan        triggers.Plan // nil without a trigger
	// Fingerprint of a source's trigger: equal for one that reads the same in the same
	// way; Connection is what it reads from, nil if it needs none.
	Fingerprint string
	Connection  *step.Connection
	Schema      *schema.Schema
	Timeout     time.Duration
	History     string
	OnFailure   *OnFailure
	Resumable   bool // a loop commits on its way
	Facts       step.Facts
	Callee      execution.Callee
	Uses        Uses
}

// Uses tells which parts of the scope the pipeline's expressions read, so that
// those nobody reads are not built.
type Uses struct{ Request, Event, Run bool }

// OnFailure is the one-line form of recording failures.
type OnFailure struct {
	Collection string
	Permanent  expression.Condition
	// Backoff and MaxAttempts are those of the reprocess step that drains the collection;
	// 0 where none does.
	Backoff     pipelined.Backoff
	MaxAttempts int
}

// Pipeline returns a pipeline by name, or nil.
func (p *Program) Pipeline(name string) *Pipeline { return p.byName[name] }

// Takes reports whether a pipeline subscribes to events of a type.
func (p *Program) Takes(pipeline, eventType string) bool {
	q := p.byName[pipeline]
	if q == nil {
		return false
	}
	if s, ok := q.Plan.(*triggers.Subscription); ok {
		return pattern.MatchAny(s.Types, eventType)
	}
	return q.Inlet() != "" && slices.Contains(q.Inlets(), eventType)
}

// Handles reports whether the pipeline is there for failures of others.
func (p *Pipeline) Handles() bool {
	_, handles := p.Plan.(*triggers.Failures)
	return handles
}

// Inlet is the type of the events that carry to the pipeline what its trigger took
// from outside; empty where the trigger takes nothing.
func (p *Pipeline) Inlet() string {
	switch plan := p.Plan.(type) {
	case *triggers.Source:
	case *triggers.Route:
		if !plan.Accepted {
			return ""
		}
	default:
		return ""
	}
	return triggers.EventType(p.TriggerKind, p.Name)
}

// olderRequests is what the types of accepted requests began with before all that
// comes from outside took one way.
const olderRequests = pattern.Own + "request."

// Inlets are the types under which the pipeline is brought something from outside:
// Inlet, and those under which an older version kept it, which may wait in the store.
func (p *Pipeline) Inlets() []string {
	if _, route := p.Plan.(*triggers.Route); route {
		return []string{p.Inlet(), olderRequests + p.Name}
	}
	return []string{p.Inlet()}
}

// DeadLetters is the collection that keeps executions that failed and that nothing
// handled. Unless the project file declares it, it keeps them for DeadLettersRetain, and
// DeadLettersSize of them, in bytes.
const (
	DeadLetters       = "dead_letters"
	DeadLettersRetain = 30 * 24 * time.Hour
	DeadLettersSize   = 1 << 30
)

// Limits are how large collections may become, in bytes, by name.
func (p *Program) Limits() map[string]int64 {
	if _, declared := p.File.Collections[DeadLetters]; declared {
		return nil
	}
	return map[string]int64{DeadLetters: DeadLettersSize}
}

// Collection tells how a collection is kept; one that nobody declares keeps its documents
// for ever, but for dead letters.
func (p *Program) Collection(name string) store.Collection {
	c, declared := p.File.Collections[name]
	if !declared && name == DeadLetters {
		return store.Collection{Name: name, Retain: DeadLettersRetain}
	}
	return store.Collection{Name: name, Index: c.Index, Unique: c.Unique, Retain: c.Retain, History: c.History}
}

// Callee returns a pipeline as a call step runs it.
func (p *Program) Callee(name string) *execution.Callee { return &p.byName[name].Callee }

// Collections are the declared ones, as the store prepares them.
func (p *Program) Collections() []store.Collection {
	var out []store.Collection
	for _, name := range slices.Sorted(maps.Keys(p.File.Collections)) {
		out = append(out, p.Collection(name))
	}
	return out
}

// Retention is how long what goes by its age is kept.
func (p *Program) Retention() store.Retention {
	var types []store.EventType
	for name, e := range p.File.Events {
		types = append(types, store.EventType{Type: name, Retain: e.Retain, Dedupe: e.Dedupe})
	}
	return store.Retain(p.Collections(), types)
}

// compiler is one Compile on its way.
type compiler struct {
	project *definition.Project
	sets    Sets
	diags   *diag.List
	program *Program
	conns   map[string]*step.Connection
	shared  map[string]*step.Connection
	events  map[string]*step.EventType
	schemas map[string]*schema.Schema
	names   []string

	controls step.ControlSet
}

// Compile turns a project into a Program. It returns every finding of the
// project's files; the Program is nil if any of them is an error.
func Compile(project *definition.Project, sets Sets) (*Program, []diag.Diagnostic) {
	c := &compiler{
		project: project, sets: sets, diags: &project.Diags,
		conns: map[string]*step.Connection{}, shared: map[string]*step.Connection{},
		events: map[string]*step.EventType{}, schemas: map[string]*schema.Schema{},
		controls: step.NewControlSet(),
		program:  &Program{File: project.File, byName: map[string]*Pipeline{}},
	}
	c.declarations()
	for _, def := range project.Pipelines {
		c.names = append(c.names, def.Name)
	}
	for _, def := range project.Pipelines {
		p := c.pipeline(def)
		if p == nil || c.program.byName[p.Name] != nil {
			continue
		}
		c.program.byName[p.Name] = p
		c.program.Pipelines = append(c.program.Pipelines, p)
	}
	slices.SortFunc(c.program.Pipelines, func(a, b *Pipeline) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	for _, name := range slices.Sorted(maps.Keys(c.shared)) {
		c.program.Connections = append(c.program.Connections, &Connection{Connection: c.shared[name], Fingerprint: "shared " + name})
	}
	for i, k := range c.program.Connections {
		k.Index = i
	}
	c.program.events = c.events
	c.wiring()
	all := c.diags.All()
	if c.diags.HasErrors() {
		return nil, all
	}
	c.program.Revision = revision(project)
	return c.program, all
}

// revision tells projects apart by every file that makes them.
func revision(p *definition.Project) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(p.Sources)) {
		fmt.Fprintf(h, "%s %d\n", name, len(p.Sources[name].Text))
		h.Write(p.Sources[name].Text)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Read)) {
		fmt.Fprintf(h, "%s %d\n", name, len(p.Read[name]))
		h.Write(p.Read[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// CompleteEvent checks an event from outside as a publish step would check its
// own, and fills in the key its type declares.
func (p *Program) CompleteEvent(ev *pipelined.Event) error {
	t := p.events[ev.Type]
	if t == nil {
		return nil
	}
	return t.Complete(ev)
}
