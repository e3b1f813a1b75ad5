// Package expression compiles what authors write in ${{ }} and in bare
// expression fields, on expr-lang/expr, and evaluates it against a Frame.
//
// Everything that can be decided is decided at load: names are resolved to
// slots, types are checked where a
// schema gives them, and functions are bound. Evaluation reads only what it names
// from the lazy documents in the Frame, does no I/O and has a cost limit.
package expression

import (
	"pipelined/internal/diag"
	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

// Frame is what one evaluation can see: a flat row of slots whose numbers the
// Symbols gave out at compile time, and the host's clock, ids and randomness. A
// Frame belongs to one goroutine; a concurrent branch works on a Fork.
type Frame struct {
	Slots []any // values (see package value), or Unset
	Host  *function.Env

	// Of the evaluation under way.
	cost, memory int
	locals       []local // let, and the elements and results of loops
}

type local struct {
	value any
	index int // of an element in its list
}

// Fork returns a copy whose slots may change without the original seeing it.
func (f *Frame) Fork() *Frame {
	return &Frame{Slots: append([]any(nil), f.Slots...), Host: f.Host}
}

type unset struct{}

// Unset in a slot means that nothing was assigned yet. Reading it is an error,
// unless the read is the left side of ??.
var Unset any = unset{}

// Type is what is known of a value at load, from a JSON Schema or a
// declaration. A nil *Type means Any.
type Type struct {
	Kind   value.Kind
	Elem   *Type            // of an Array
	Fields map[string]*Type // of an Object
	Open   bool             // an Object may have fields not listed
	// Required are those of Fields that are always there, sorted.
	Required []string
	Origin   string            // where it is declared, for messages: "schemas/order.json"
	Fixes    map[string]string // what to do about fields people look for in vain
}

// Symbol is one name an expression may use. It has a slot, or members, or both:
// a member wins over a field of the slot's value of that name.
type Symbol struct {
	Slot    int // -1: only members
	Type    *Type
	Members map[string]*Symbol
	// Closed means that only the members may be named (steps, vars): any other
	// is "unknown" with a suggestion.
	Closed bool
	// Environment, if not nil, tells whether a member exists: reading another is a
	// finding, unless ?? gives a default.
	Environment func(name string) bool
	// Used is set when an expression reads the name or a member of it.
	Used bool
	// Hidden, if not empty, says why the name may not be used here and what to
	// write instead; using it is a finding with this text.
	Hidden string
}

// Symbols is a set of names, chained to the set it refines. It is used at load
// only, by one goroutine.
type Symbols struct {
	parent *Symbols
	names  map[string]*Symbol
	watch  func(name string, slot int)
}

// NewSymbols returns an empty set that falls back to parent, which may be nil.
func NewSymbols(parent *Symbols) *Symbols {
	return &Symbols{parent: parent, names: map[string]*Symbol{}}
}

// Watch has f told of every slot that what is compiled with this set, or with one that
// refines it, reads, by the full name it is read as: "steps.reserve", "input".
func (s *Symbols) Watch(f func(name string, slot int)) { s.watch = f }

// Read notes that a name of one word is read, where that is not written in an expression.
func (s *Symbols) Read(name string) {
	if sym := s.Lookup(name); sym != nil {
		sym.Used = true
		s.tell(name, sym.Slot)
	}
}

func (s *Symbols) tell(name string, slot int) {
	for ; s != nil; s = s.parent {
		if s.watch != nil {
			s.watch(name, slot)
		}
	}
}

// Declare adds or replaces a name in this set.
func (s *Symbols) Declare(name string, sym *Symbol) { s.names[name] = sym }

// Lookup finds a name here or in the parents; nil if there is none.
func (s *Symbols) Lookup(name string) *Symbol {
	for ; s != nil; s = s.parent {
		if sym, ok := s.names[name]; ok {
			return sym
		}
	}
	return nil
}

// Names returns every visible name, for suggestions.
func (s *Symbols) Names() []string {
	seen := map[string]bool{}
	var out []string
	for ; s != nil; s = s.parent {
		for n := range s.names {
			if !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// Error is a mistake in an expression, placed in its source text.
type Error struct {
	Offset, Length int // in bytes of the source given to Compile
	Code           diag.Code
	Summary        string
	Consequence    string
	Fix            string
	Edit           *Edit // the fix, where it is sure; nil otherwise

	wrong, instead string // a name and the one to write in its place
}

// move places the error in a text in which the expression begins n bytes later.
func (e *Error) move(n int) {
	e.Offset += n
	if e.Edit != nil {
		e.Edit.Offset += n
	}
}

// Edit replaces a part of the source of an expression.
type Edit struct {
	Offset, Length int // in bytes
	NewText        string
}

func (e *Error) Error() string { return e.Summary }
