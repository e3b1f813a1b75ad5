package step

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pipelined/engine/execution"
	"pipelined/internal/expression"
	"pipelined/triggers"
)

// Scope is what the trigger of a pipeline brings to its expressions.
type Scope struct {
	Trigger string         // empty: the pipeline is called by others
	Names   triggers.Scope // that it brings
	// Bringing lists the triggers that bring a name, so that using one of another
	// trigger's is explained.
	Bringing func(name string) []string
}

// slots are where a running pipeline has what a trigger brings.
var slots = map[string]int{
	triggers.NameInput: execution.SlotInput, triggers.NameRequest: execution.SlotRequest, triggers.NameEvent: execution.SlotEvent,
	triggers.NameSchedule: execution.SlotSchedule, triggers.NameError: execution.SlotError,
}

// Declare declares the names that need no step: what the trigger gives, the run,
// globals. A name another trigger would give is there but hidden, so that using it is
// explained.
func (s Scope) Declare(syms *expression.Symbols) {
	for _, name := range triggers.Names() {
		typ, brought := s.Names[name]
		sym := &expression.Symbol{Slot: slots[name], Type: typ}
		switch {
		case brought, name == triggers.NameInput:
		case name == triggers.NameError:
			sym.Hidden = "error exists only where something has failed: in on_error, catch, compensate and retry.when; steps.<name>.error is the error of a step with on_error: continue"
		default:
			sym.Hidden = s.hidden(name)
		}
		syms.Declare(name, sym)
	}
	syms.Declare("run", &expression.Symbol{Slot: execution.SlotRun, Type: runType})
	syms.Declare("globals", &expression.Symbol{Slot: execution.SlotGlobals})
	syms.Declare("env", &expression.Symbol{Slot: execution.SlotEnv})
	syms.Declare("secrets", &expression.Symbol{Slot: -1,
		Hidden: "secrets can only be used in connections of pipelined.yaml and in a trigger's auth, so that they cannot leak; put it on the connection"})
}

// hidden says where a name would exist.
func (s Scope) hidden(name string) string {
	has := "this one has none"
	if s.Trigger != "" {
		has = "this one has " + article([]string{s.Trigger}) + " trigger"
	}
	kinds := s.Bringing(name)
	if len(kinds) == 0 {
		return name + " is what a trigger brings that this program does not have, and " + has
	}
	return fmt.Sprintf("%s exists only in a pipeline with %s trigger, and %s", name, article(kinds), has)
}

func article(kinds []string) string {
	a := "a "
	if strings.ContainsAny(kinds[0][:1], "aeiou") {
		a = "an "
	}
	if len(kinds) > 2 {
		return a + strings.Join(kinds[:len(kinds)-1], ", ") + " or " + kinds[len(kinds)-1]
	}
	return a + strings.Join(kinds, " or ")
}

// WithError returns symbols in which `error` may be used.
func WithError(syms *expression.Symbols) *expression.Symbols {
	s := expression.NewSymbols(syms)
	s.Declare("error", &expression.Symbol{Slot: execution.SlotError, Type: ProblemType})
	return s
}

// inner returns symbols for a nested list whose step names are its own: what it
// declares does not show outside.
func (b *Compiler) inner(syms *expression.Symbols) *expression.Symbols {
	s := expression.NewSymbols(syms)
	outer := syms.Lookup("steps")
	s.Declare("steps", &expression.Symbol{Slot: -1, Closed: true, Members: maps.Clone(outer.Members)})
	return s
}

// close hides, in the outer scope, the step names a nested list declared, and
// returns them with their slots.
func (b *Compiler) close(outer, inner *expression.Symbols, why string) []named {
	out := outer.Lookup("steps").Members
	var names []named
	for name, sym := range inner.Lookup("steps").Members {
		before := out[name]
		if sym.Hidden != "" || (before != nil && before.Hidden == "") {
			continue
		}
		names = append(names, named{name, sym.Slot})
		out[name] = &expression.Symbol{Slot: -1, Hidden: fmt.Sprintf(why, name)}
	}
	slices.SortFunc(names, func(a, b named) int { return a.slot - b.slot })
	return names
}

// named is a step name and the slot of its result.
type named struct {
	name string
	slot int
}

// results gathers the named results of one turn or branch.
func results(x *execution.Execution, names []named) map[string]any {
	m := make(map[string]any, len(names))
	for _, n := range names {
		m[n.name] = x.Frame.Slots[n.slot]
	}
	return m
}

// clearResults makes the results of an earlier turn invisible.
func clearResults(x *execution.Execution, names []named) {
	for _, n := range names {
		x.Frame.Slots[n.slot] = nil
	}
}
