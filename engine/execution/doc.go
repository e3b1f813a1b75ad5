// Package execution is what a running pipeline is: the Execution that a step runs
// in, with its frame of values and its effects, the Run that all its branches
// share, and the Host it gets time and concurrency from.
//
// An execution never touches the store but to read. What it publishes and writes
// is appended to its Effects, which the engine commits once, at the end. A part
// that fails leaves no effects: it takes a mark before and rolls back to it.
//
//	Run ─┬─ Execution (frame, effects) ── Fork ─┬─ Branch ─► Execution ─┬─ Close ─┐
//	     │                                      └─ Branch ─► Execution ─┘         │
//	     └────────────────────────────────────────────────────────────────────────┴─► effects, reply
//
// Signals that are not failures travel as errors that every container passes on
// unchanged: ErrStop ends a flow well; objectstore.ErrStale says that what the
// execution read has changed, so that it has to run again; pipelined.ErrStopping
// that the runtime drains. Beyond tells the last two from what a flow may handle.
// They are Go values: no text that an author writes is ever taken for one.
package execution
