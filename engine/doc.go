// Package engine runs programs: it admits work, runs executions, commits what
// comes of them, recovers after a crash, swaps one revision for the next and
// drains.
//
// One deterministic core, RunDue, runs what is due on the injected clock. The
// daemon (Run) wraps the same parts in workers and timers.
//
//	trigger ─► admit ─► execution (pins the program) ─► steps ─► outcome
//	                                                             │
//	      one store.Commit: acknowledgement or deferral, tick, ◄─┘
//	      events, documents, failed outcome
//	                         │
//	                         ▼
//	      reply goes out, subscribers wake, counters count
//
// What becomes of a failed execution, in this order: put off if the event may be
// retried; else compensations and on_error; else on_failure's error record; else
// the dead letters and the error trigger. Whatever happens is in the same commit
// as the acknowledgement (I1), so nothing is ever dropped silently.
package engine
