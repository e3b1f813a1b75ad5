// Package step is what runs inside one execution: the steps of a pipeline,
// compiled once, and the Execution they run in.
//
// A Flow is a list of Nodes. A Node is one step: an Action and the options every
// step has (when, timeout, retry, compensate, on_error), applied in one place,
// node.go. Actions are the control-flow keys, one file each, and connector
// operations. A Compiler turns the author's YAML into Flows; whatever it accepts
// can run.
//
// A step never touches the store. What it publishes and writes is appended to
// the Execution's Effects, which the engine commits once, at the end. A step that
// fails leaves no effects: each try, try body, loop item and branch takes a mark
// and rolls back to it.
//
//	Flow ── Node ──► when? ──► try: Action.Run ──ok──► result in its slot
//	                  │no             │error
//	                  ▼               ▼
//	             result null    roll back ─► retry? ─► on_error ─► fail the flow
//
// Results live in the slots of a flat expression.Frame; which slot a name has was
// decided at compile time. Concurrent branches work on a fork of the frame and on
// a branch of the effects, joined when they succeed.
package step
