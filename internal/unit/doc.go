// Package unit is how authors write quantities and names: lengths of time, sizes, and
// the words that expressions use. Each has one grammar, here, wherever it is written: in
// a field of a file, in a flag of the command line, in a query of the admin API, or
// computed by an expression.
package unit
