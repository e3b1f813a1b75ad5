// Package schema is JSON Schema 2020-12 for the payloads of triggers and events.
//
// A schema is compiled once, at load, from a file of the project and the files it
// refers to; nothing is ever fetched from a network. It then answers two
// questions: what is wrong with a document (Validate), and what an expression may
// expect of a valid one (Type).
//
// Validate first walks the document's text beside a compiled form of the common
// keywords, without decoding it. That walk can only say "valid" or "not sure";
// the complete validator answers everything it is not sure about, so the two
// cannot disagree about what is let in.
//
// Three things are refused whatever the schema says, because readers of the same
// text would not agree on them or could be kept busy by them: a key given twice
// in one object, a number whose exponent is beyond ±1000, and a nesting of more
// than 200 levels. The quick walk sees them only in what the schema describes.
package schema

import (
	"pipelined/internal/expression"
	"pipelined/internal/value"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a compiled schema. It is immutable and safe for concurrent use.
type Schema struct {
	name   string
	full   *jsonschema.Schema
	quick  *quickNode // nil where the schema uses more than the quick walk knows
	shaped *expression.Type
}

// Name is the file the schema was compiled from.
func (s *Schema) Name() string { return s.name }

// Validate returns what is wrong with raw, at most 100 violations in the order of
// their pointers; none means raw is valid.
func (s *Schema) Validate(raw value.Raw) []Violation {
	if s.quick != nil && s.quick.accepts(string(raw)) {
		return nil
	}
	doc, refused := decode(string(raw))
	if len(refused) > 0 {
		return refused
	}
	return violations(s.full.Validate(doc))
}

// Type is what is known of every valid document. It is shared and must not be
// changed.
func (s *Schema) Type() *expression.Type { return s.shaped }
