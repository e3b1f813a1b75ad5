package definition

import (
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
)

// environment is the process's environment as expressions see it, read once.
type environment struct {
	value  map[string]any
	lookup func(string) (string, bool)
}

const (
	envSlot = iota
	secretsSlot
	slotCount
)

func newEnvironment(lookup func(string) (string, bool)) *environment {
	e := &environment{value: map[string]any{}, lookup: lookup}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if text, ok := lookup(name); ok {
			e.value[name] = text
		}
	}
	return e
}

// symbol declares env at a slot. Which variables there are is known at load, so
// one that is not set is a finding, unless ?? gives a default.
func (e *environment) symbol(slot int) *expression.Symbol {
	return &expression.Symbol{Slot: slot, Environment: e.has}
}

// has reports whether a variable is set, and takes its value over.
func (e *environment) has(name string) bool {
	text, ok := e.lookup(name)
	if ok {
		e.value[name] = text
	}
	return ok
}

// symbols declares what the project file may use; secrets only in connections.
func (e *environment) symbols(secrets bool) *expression.Symbols {
	s := expression.NewSymbols(nil)
	s.Declare("env", e.symbol(envSlot))
	if secrets {
		s.Declare("secrets", &expression.Symbol{Slot: secretsSlot, Environment: func(name string) bool { return e.has(strings.ToUpper(name)) }})
	}
	return s
}

// frame holds the values of symbols.
func (e *environment) frame(secrets bool) *expression.Frame {
	f := &expression.Frame{Slots: make([]any, slotCount), Host: &function.Env{
		Now: time.Now, NewID: func() string { return "" }, Random: rand.Float64}}
	f.Slots[envSlot] = e.value
	if secrets {
		lower := map[string]any{}
		for name, text := range e.value {
			lower[strings.ToLower(name)] = text
		}
		f.Slots[secretsSlot] = lower
	}
	return f
}
