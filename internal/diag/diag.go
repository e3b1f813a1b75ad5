// Package diag is how the product tells authors about mistakes in their files:
// a Diagnostic has a stable code, an exact range, what is wrong, what follows
// from it and what to write instead. Lint, start-up, the editor and the API all
// show the same ones. Rendering is apart from the data.
package diag

import (
	"cmp"
	"slices"
)

// Severity orders findings; only errors keep a project from starting.
type Severity int

const (
	Error Severity = iota
	Warning
	Info
)

// Code is one kind of finding, declared once beside the check that reports it.
// Codes are API: E1xx syntax, E2xx fields, E3xx expressions, E4xx wiring.
type Code struct {
	ID    string // "E201"
	Title string // "unknown key"
}

// Position is 1-based; columns count characters, not bytes.
type Position struct{ Line, Column int }

// Range is a span in one file; End is exclusive. A zero Start means the whole file.
type Range struct {
	File       string // relative to the project folder, slash-separated
	Start, End Position
}

// Edit replaces the text of Range by NewText; applying it is the fix.
type Edit struct {
	Range   Range
	NewText string
}

// Related points at a second place that matters to the finding.
type Related struct {
	Range   Range
	Message string
}

// Diagnostic is one finding.
type Diagnostic struct {
	Code        Code
	Severity    Severity
	Range       Range
	Summary     string // what is wrong, in one line, naming the thing
	Consequence string // what would happen at run time
	Fix         string // what to write instead
	Edit        *Edit  // the fix as a machine can apply it; nil where there is none
	Related     []Related
}

// List collects findings. The zero value is ready; it is not safe for
// concurrent use.
type List struct{ items []Diagnostic }

// Add appends d.
func (l *List) Add(d Diagnostic) { l.items = append(l.items, d) }

// Len returns how many findings there are.
func (l *List) Len() int { return len(l.items) }

// ErrorsSince reports whether an error was added since Len was n.
func (l *List) ErrorsSince(n int) bool {
	return slices.ContainsFunc(l.items[n:], func(d Diagnostic) bool { return d.Severity == Error })
}

// HasErrors reports whether any finding keeps the project from starting.
func (l *List) HasErrors() bool {
	return slices.ContainsFunc(l.items, func(d Diagnostic) bool { return d.Severity == Error })
}

// Warnings reports whether a warning is among findings.
func Warnings(list []Diagnostic) bool {
	return slices.ContainsFunc(list, func(d Diagnostic) bool { return d.Severity == Warning })
}

// All returns the findings sorted by file and position; exact duplicates appear once.
func (l *List) All() []Diagnostic {
	out := slices.Clone(l.items)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Range.File, b.Range.File),
			cmp.Compare(a.Range.Start.Line, b.Range.Start.Line),
			cmp.Compare(a.Range.Start.Column, b.Range.Start.Column),
			cmp.Compare(a.Code.ID, b.Code.ID),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	return slices.CompactFunc(out, func(a, b Diagnostic) bool {
		return a.Code == b.Code && a.Range == b.Range && a.Summary == b.Summary
	})
}
