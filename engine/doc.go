// Package engine runs programs: it wires the parts together, recovers after a crash,
// swaps one revision for the next and drains.
//
//	edge ──────── request ─┐                    ┌─► reply
//	consumer ─── delivery ─┼─► attempt.Runner ──┼─► the broker hands on what was published
//	scheduler ────── tick ─┘   (see package     └─► counters, one line for a failure
//	                            attempt)
//	     each pins the revision in use before it looks at anything of it
//
// The life of an attempt:
//
//	started ─► run ─┬─ ok ───────────────► committed: ok
//	   ▲            ├─ put off ──────────► committed: retrying ─► started again, attempt + 1
//	   │            ├─ the caller's fault ► committed: rejected
//	   │            ├─ failed ───────────► committed: failed, and kept: record or dead letter
//	   │            ├─ stale ────────────► run again, at most 50 times; then failed
//	   │            └─ cut off by a drain ► given back undone
//	   │ commit: conflict ───────────────► run again, the same
//	   │ commit: taken ──────────────────► dropped and counted: somebody else did it
//	   └ commit: unavailable ────────────► a request is told 503; a delivery, a tick come again
//
// One deterministic core, RunDue, runs what is due on the injected clock. The daemon
// (Run) wraps the same parts in workers and timers.
package engine
