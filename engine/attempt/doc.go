// Package attempt runs one pipeline once, from what started it to its durable end,
// for every cause alike: a request, a delivery, a tick, a person.
//
//	            ┌──────────────────────── again: at most 50 times, within the pipeline's timeout
//	            ▼                                                              │
//	Attempt ─► run ─► the flow, under its limits ──ok──────────────┐           │
//	            │            │ failed                              │           │
//	            │            ▼                                     ▼           │ stale
//	            │     put off? ─ compensated ─ on_error ─ kept ─► batch ─► commit
//	            │                (record, dead letter, error trigger)          │ done
//	            ▼                                                              ▼
//	     aborted: the runtime drains                       reply, counters, one line for a failure
//
// Whatever happens is in one batch together with what acknowledges the cause (I1), so
// nothing is ever dropped silently. Two executions that change one document meet at
// the commit: the later one runs again. What running again cannot mend is met by the
// step that does it, as object_store/conflict. A cause that somebody else has claimed
// (store.ErrTaken) is nobody's failure: what came of it is dropped and counted.
package attempt
