// Package broker hands events to pipelines: which event goes to which
// subscription, in what order, how many at a time, and when a delivery that has
// to wait comes again.
//
// The log and every subscription's progress live in the store; the broker keeps
// only what is between the two in memory, and can always rebuild it.
//
//	store.Commit ─► Committed ─► pending (gap-free from head) ─┐
//	                                                           ▼
//	log ── Read ──────────────────────────────► lagging ─► examine: type? where? key?
//	                                                           │
//	deferred, due ──────────────────────────┐                  ▼
//	                                        └──────────► ready (per key one, tenants in turn)
//	                                                           ▼
//	                               Handler ─► Settle / Postpone into the Batch ─► Done
//
// A subscription is live while its queue has room: events reach it from memory,
// without being read back. One whose queue is full lags: it forgets what comes
// and later reads on from the log where it left off, so a backlog of any size
// costs the same memory.
//
// Setting aside: what is more of one tenant, or of one key, than waits well in memory
// goes to a queue of its own in the store, so that the others' turns come (park.go).
//
// Acknowledging: numbers that do not concern a subscription are folded into the
// range of the next one that does, so one Ack covers both (see package store). An
// event is acknowledged only in the Batch of its outcome (I1); until then it is
// in memory, and after a crash it is read again (I3).
//
// Order: with order_by, one delivery per key is out at a time, from hand-out until
// its commit (I5). While one waits for its retry, while_waiting: block keeps its
// key closed; skip lets the key's next event pass.
package broker
