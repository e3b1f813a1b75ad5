// Package function is the library of the expression language: what an expression may
// call, and how its operators compute. A function takes and gives values (see package
// value), does no I/O, and gets time, ids and randomness from an Env.
package function

import (
	"maps"
	"slices"
	"time"

	"pipelined/internal/value"
)

// Function is a function of the language, as the reference shows it. Every
// example is run by the tests.
type Function struct {
	Name      string
	Signature string
	Family    string
	Summary   string
	Example   string
	Gives     string // JSON of what the example gives; empty where it differs each time

	call   func(args ...any) (any, error)         // nil: see inEnv, or compiled as a loop
	inEnv  func(e *Env, args ...any) (any, error) // of one that does not depend on its arguments alone
	params []Param                                // read from the signature
	nulls  bool                                   // takes null for a list or an object
}

// Env is where a function gets time, ids and randomness from, so that tests own all
// three. All of it is safe for concurrent use.
type Env struct {
	Now    func() time.Time
	NewID  func() string  // time-ordered UUIDv7
	Random func() float64 // in [0, 1)
}

// Loop reports whether it is compiled as a loop over a list and cannot be called.
func (f *Function) Loop() bool { return f.call == nil && f.inEnv == nil }

// Pure reports whether the result depends on the arguments alone.
func (f *Function) Pure() bool { return f.inEnv == nil }

// Nulls reports whether null may stand for a list or an object.
func (f *Function) Nulls() bool { return f.nulls }

// Result is the kind of what it gives, as far as its arguments do not decide.
func (f *Function) Result() value.Kind { return results[f.Name] }

// Call calls it with arguments that its parameters accept. One that is pure needs no e.
func (f *Function) Call(e *Env, args []any) (any, error) {
	if f.inEnv != nil {
		return f.inEnv(e, args...)
	}
	return f.call(args...)
}

// All lists what an expression may call, ours and expr's, by family and name.
func All() []Function {
	out := slices.Clone(library)
	slices.SortStableFunc(out, func(a, b Function) int {
		if a.Family != b.Family {
			return slices.Index(families, a.Family) - slices.Index(families, b.Family)
		}
		return compareText(a.Name, b.Name)
	})
	return out
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// families in the order of the reference.
var families = []string{"text", "number", "date", "list", "object", "JSON", "encoding", "hash", "id", "type"}

// Named is the function of that name; nil if there is none.
func Named(name string) *Function { return byName[name] }

// Names are those of all functions, in no order.
func Names() []string {
	return slices.Collect(maps.Keys(byName))
}

// own declares a function.
func own(family, name, signature, summary, example, result string, call func(args ...any) (any, error)) Function {
	return Function{Name: name, Signature: signature, Family: family, Summary: summary, Example: example, Gives: result,
		call: call, params: paramsOf(signature)}
}

// inEnv declares a function that is not pure.
func inEnv(family, name, signature, summary, example, result string, call func(e *Env, args ...any) (any, error)) Function {
	f := own(family, name, signature, summary, example, result, nil)
	f.inEnv = call
	return f
}

// each declares a function that is compiled as a loop over a list.
func each(name, signature, summary, example, result string) Function {
	return Function{Name: name, Signature: signature, Family: "list", Summary: summary, Example: example, Gives: result}
}

func withNull(f Function) Function { f.nulls = true; return f }

// library is every function, and byName the same by name. They are never changed.
var (
	library = slices.Concat(textFunctions, numberFunctions, bitFunctions, dateFunctions, listFunctions, jsonFunctions, codeFunctions)
	byName  = indexed(library)
)

func indexed(list []Function) map[string]*Function {
	out := make(map[string]*Function, len(list))
	for i := range list {
		if out[list[i].Name] != nil {
			panic("two functions are called " + list[i].Name)
		}
		out[list[i].Name] = &list[i]
	}
	return out
}
