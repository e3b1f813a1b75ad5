// Package crashtest kills the real binary again and again and checks, against a
// ledger that the process never sees, that nothing was lost, done twice, half
// done or out of order.
//
// A run is a number of episodes, each a generated project, a load and some kills:
// SIGKILL at a random moment, or at one of the points of package fault. Between
// kills the project is also stopped in order and reloaded. At its end the episode
// lets everything settle, stops the project, and reads the store itself.
//
// Everything an episode decides comes from its seed; the run prints it, and
//
//	go test ./internal/crashtest -run TestCrash -seed 7 -kills 50
//
// does the same again (what the machine does in between is its own).
package crashtest
