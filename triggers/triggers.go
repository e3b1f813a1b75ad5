// Package triggers is what a trigger is: a tagged struct that an author fills
// in under `trigger:`, the names it brings into scope, and the Plan it comes to. A
// Plan is plain data; the engine carries it out. So a trigger does no I/O of its
// own at load, and everything it can get wrong is a lint finding. One that reads
// from outside says how in its Plan, a Source.
//
// A trigger is one package below triggers/ with one exported value made by Define;
// what is in the binary is the explicit list in triggers/all. Nothing else knows
// its name.
package triggers

import (
	"fmt"
	"slices"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/pattern"
)

// Spec declares a trigger; make one with Define.
type Spec struct {
	Name   string
	Doc    Doc
	Params *field.Shape

	scope func(params any) Scope
	plan  func(params any, c *field.Context) Plan
	new   func() any
}

// Doc describes a trigger to authors.
type Doc struct {
	Summary  string
	Details  string
	Examples []Example
	// Findings are the codes that only this trigger reports.
	Findings []diag.Code
}

// Example is a piece of YAML that lints: the value of the trigger's key.
type Example struct{ Title, YAML string }

// Define declares a trigger. scope gives the names that it brings beside input, and
// what is known of input; its parameters are zero where the trigger's own expressions
// are compiled, or where they could not be decoded. plan turns decoded parameters into
// a Plan; it reports what is wrong with them to c, at the position of the key it names
// (c.At), and returns nil then. Both are called at load only.
func Define[P any](name string, doc Doc, scope func(p *P) Scope, plan func(p *P, c *field.Context) Plan) *Spec {
	return &Spec{
		Name: name, Doc: doc, Params: field.Of[P](),
		new:   func() any { return new(P) },
		scope: func(params any) Scope { return scope(params.(*P)) },
		plan:  func(params any, c *field.Context) Plan { return plan(params.(*P), c) },
	}
}

// New returns a pointer to a zero parameter struct.
func (s *Spec) New() any { return s.new() }

// Plan turns decoded parameters into the plan; nil means findings were reported.
func (s *Spec) Plan(params any, c *field.Context) Plan { return s.plan(params, c) }

// Scope gives the names the trigger brings with these parameters.
func (s *Spec) Scope(params any) Scope { return s.scope(params) }

// EventType is the type of the events that carry to a pipeline what its trigger took
// from outside: pipelined.<trigger>.<pipeline>.
func EventType(trigger, pipeline string) string { return pattern.Own + trigger + "." + pipeline }

// Set is the triggers of one binary or one test, by name.
type Set struct{ specs map[string]*Spec }

// taken are second words of the runtime's own event types.
var taken = []string{"execution", "request", "redrive"}

// NewSet returns a set; two triggers of one name are a bug and panic, as is one whose
// events could be taken for others of the runtime.
func NewSet(list ...*Spec) *Set {
	s := &Set{specs: map[string]*Spec{}}
	for _, t := range list {
		if s.specs[t.Name] != nil {
			panic("triggers: " + t.Name + " is listed twice")
		}
		if slices.Contains(taken, t.Name) {
			panic("triggers: " + t.Name + " would have events of the type " + EventType(t.Name, "x") + ", which mean something else")
		}
		for name := range t.Scope(t.New()) {
			if !slices.Contains(Names(), name) {
				panic(fmt.Sprintf("triggers: %s brings %s, which has no place in the scope", t.Name, name))
			}
		}
		s.specs[t.Name] = t
	}
	return s
}

// With is the set with more triggers.
func (s *Set) With(more ...*Spec) *Set {
	for _, n := range s.Names() {
		more = append(more, s.specs[n])
	}
	return NewSet(more...)
}

// Get returns a trigger by name, or nil.
func (s *Set) Get(name string) *Spec { return s.specs[name] }

// Names lists the triggers by name.
func (s *Set) Names() []string {
	out := make([]string, 0, len(s.specs))
	for n := range s.specs {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Bringing lists the triggers that bring a name into scope, by name.
func (s *Set) Bringing(name string) (out []string) {
	for _, n := range s.Names() {
		t := s.specs[n]
		if _, brings := t.Scope(t.New())[name]; brings {
			out = append(out, n)
		}
	}
	return out
}

// Codes lists the findings of every trigger.
func (s *Set) Codes() (out []diag.Code) {
	out = append(out, codeNoEffect, codeRetryWait, codePrefetch)
	for _, n := range s.Names() {
		out = append(out, s.specs[n].Doc.Findings...)
	}
	return out
}
