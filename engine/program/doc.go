// Package program compiles a project into a Program: everything that can be
// decided before anything runs, decided. It does no I/O beyond reading files of
// the project through definition.Project. Lint, the editor, the API and start-up
// call the same Compile, so what passes lint starts (I6).
//
//	definition.Project ─► connections against their shapes
//	                   ─► per pipeline: trigger → Plan, steps → Flow
//	                   ─► wiring across pipelines (wiring.go)
//	                   ─► Program, or findings
//
// A Program is immutable, apart from the clients the engine opens for its
// connections before anything runs.
package program
