// Package daemon runs a project folder as a process: it loads and compiles the
// folder, opens the store, starts the engine and the two listeners, watches for
// changes, and drains when told to stop. It prints what a person needs to see.
//
// It also opens a stopped project for the commands that only look, and finds the
// admin listener of a running one.
package daemon
