// Package aftermath does what executions left to be done: compensations that failed or that
// nobody came to run, and after_commit.
//
// Each is a row of the store (attempt.Left), written by the commit of the execution that
// left it, or of what gave its saga up, and removed by the commit of what it does:
//
//	left ─► due ─► run ─┬─ ok ───────────────► its effects, without the row
//	          ▲         ├─ failed, tries left ► the row, due later ─┐
//	          │         └─ failed, no more ───► an error record, without the row
//	          └───────────────────────────────────────────────────────┘
//
// What belongs together (a saga, the lists of one execution) is done one after the other:
// of a saga what was done last is undone first. A row of the process before is claimed
// before it is run, which counts how often that killed the process.
package aftermath
