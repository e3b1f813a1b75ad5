// Package fault marks the places where a crash would hurt most, so that the crash
// harness can kill the process exactly there.
//
// A normal build has nothing of it: Point is empty and inlined away. Built with
// the tag `faults`, the process kills itself (SIGKILL, as from outside) at the nth
// pass of the point that PIPELINED_FAULT names: "commit.durable:17".
package fault

// The points, in the order a message passes them.
const (
	BeforeCommit  = "execute.done"    // an execution has ended, nothing of it is submitted
	CommitBegin   = "commit.begin"    // a group is gathered, its transaction not begun
	CommitApplied = "commit.applied"  // everything of a group is written, not committed
	CommitDurable = "commit.durable"  // COMMIT has returned, nobody knows
	Answer        = "http.answer"     // the caller's effects are durable, the answer is not sent
	PartCommitted = "part.committed"  // a part of a commit_every loop is durable
	Delivered     = "source.commit"   // what a source delivered is durable, it is not acknowledged outside
	Acknowledged  = "source.after"    // it is acknowledged outside, which is not noted
	Released      = "delayed.release" // delayed events entered the log, nobody knows
	Trimmed       = "trim.step"       // one step of retention is done
	Recovered     = "recover.counted" // those in flight at the last crash are counted, none has run
	SagaBegun     = "saga.begun"      // a step that can be undone is journaled, its call not made
	SagaCalled    = "saga.called"     // its call has returned, the journal does not know
	SagaNoted     = "saga.noted"      // the journal knows what came of it
	SagaDecided   = "saga.decided"    // the journal knows that the saga goes back, nothing is undone
	Undone        = "saga.undone"     // a compensation has run, nothing of it is submitted
	AfterRun      = "after.run"       // an after_commit has run, nothing of it is submitted
	PutOff        = "left.put-off"    // what is left to be done failed, and when it is tried again is durable
	Swapped       = "swap"            // a new revision is in use, the old one not closed
)

// Points lists all points.
func Points() []string {
	return []string{BeforeCommit, CommitBegin, CommitApplied, CommitDurable, Answer, PartCommitted, Delivered, Acknowledged, Released, Trimmed, Recovered,
		SagaBegun, SagaCalled, SagaNoted, SagaDecided, Undone, AfterRun, PutOff, Swapped}
}
