// Package scenario runs an engine under a host of the test's own: one branch at a time,
// in an order that a seed decides, on a clock that moves only when everything waits. The
// same seed gives the same run, whatever the machine does, and a wait of a day takes no
// time. A run can be ended at any of its fault points, as a crash would end it.
//
//	Host.Run(f) ─► the task f ─┬─ Branches.Go ─► further tasks
//	                           ├─ Sleep, Wait, Outside ─► another task's turn, as the seed says
//	                           └─ none can go on ─► the clock moves to the next timer
package scenario
