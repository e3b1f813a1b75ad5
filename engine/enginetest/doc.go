// Package enginetest furnishes one room of the engine for its own tests: a project given
// as a text, the embedded store in a folder of the test's, a clock that stands still, a
// connector that does what the test says, and an attempt.Runner on them. There is no
// engine above: a test wires the room it is about by hand.
//
// Only tests import it.
package enginetest
