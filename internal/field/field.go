// Package field turns tagged Go structs into everything an author meets: the
// decoder from YAML with exact positions, lint, defaults, the editor's schema
// and the tables of the reference. One struct per thing an author can write is
// the only declaration there is.
//
// Tags, all there are: yaml (the key), doc (one sentence), required, default,
// enum (comma separated), min, max (in the form of what they limit).
// Everything else is said by the type:
//
//	string, bool, ints, float64      a literal, or a text with ${{ }} bound per call
//	time.Duration                    "250ms", "5s", "30d"
//	Size                             "64KB", "10MB"
//	pipelined.Secret                 printed as ***
//	any                              JSON with ${{ }} inside; binds to a value (package value)
//	[]T, map[string]T, struct, *struct
//	expression.Condition             a bare expression that gives true or false
//	expression.Bare                  a bare expression of any type
//	JSON, Text                       compiled, evaluated by the step itself
//	Name                             a literal that is a name of the language
//	anything with DecodeField        decodes itself
//
// The keys of an embedded struct, which has no tag, stand beside the others: so several
// declarations share some of their keys.
//
// Keys that exclude or need each other are declared by blank fields of the types
// AtMostOne, ExactlyOne and Together; what depends on values is for Checker.
//
// A struct that breaks these rules is a bug and panics in Of, found by the first
// test run.
package field

import (
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/position"

	"gopkg.in/yaml.v3"
)

// Context is what decoding needs besides the node.
type Context struct {
	File *position.File
	// Node is the mapping whose keys Pos finds.
	Node *yaml.Node
	// Beside are keys of that mapping that the caller took out for itself.
	Beside  []string
	Symbols *expression.Symbols // nil: no ${{ }} allowed
	Diags   *diag.List
	// Env is what project files and connections may read at load; ${{ env.X }}
	// is resolved by Symbols and LoadFrame where LoadFrame is not nil.
	LoadFrame *expression.Frame
}

// Name is a literal that must match ^[a-z][a-z0-9_]*$.
type Name string

// Size is a number of bytes.
type Size int64
