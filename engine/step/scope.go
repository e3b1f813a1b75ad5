package step

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pipelined/engine/execution"
	"pipelined/internal/expression"
)

// DeclareBase declares the names that need no step: what the trigger gives, the
// run, globals. A name another trigger would give is there but hidden, so that
// using it is explained.
func DeclareBase(syms *expression.Symbols, trigger string, input *expression.Type) {
	syms.Declare("input", &expression.Symbol{Slot: execution.SlotInput, Type: input})
	only := func(name string, slot int, typ *expression.Type, kinds ...string) {
		sym := &expression.Symbol{Slot: slot, Type: typ}
		if !slices.Contains(kinds, trigger) {
			has := "this one has " + article([]string{trigger}) + " trigger"
			if trigger == "" {
				has = "this one has none"
			}
			sym.Hidden = fmt.Sprintf("%s exists only in a pipeline with %s trigger, and %s", name, article(kinds), has)
		}
		syms.Declare(name, sym)
	}
	only("request", execution.SlotRequest, nil, "http")
	only("event", execution.SlotEvent, eventScope, "event", "error")
	only("schedule", execution.SlotSchedule, scheduleType, "cron")
	syms.Declare("run", &expression.Symbol{Slot: execution.SlotRun, Type: runType})
	syms.Declare("globals", &expression.Symbol{Slot: execution.SlotGlobals})
	syms.Declare("env", &expression.Symbol{Slot: execution.SlotEnv})
	syms.Declare("secrets", &expression.Symbol{Slot: -1,
		Hidden: "secrets can only be used in connections of pipelined.yaml and in a trigger's auth, so that they cannot leak; put it on the connection"})
	if trigger == "error" {
		syms.Declare("error", &expression.Symbol{Slot: execution.SlotError, Type: ProblemType})
		return
	}
	syms.Declare("error", &expression.Symbol{Slot: execution.SlotError,
		Hidden: "error exists only where something has failed: in on_error, catch, compensate and retry.when; steps.<name>.error is the error of a step with on_error: continue"})
}

func article(kinds []string) string {
	a := "a "
	if len(kinds[0]) > 0 && strings.ContainsAny(kinds[0][:1], "aeiou") {
		a = "an "
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
