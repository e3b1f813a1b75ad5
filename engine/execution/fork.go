package execution

import (
	"slices"

	"pipelined/objectstore"
)

// Fork is branches of one execution that run at the same time. The execution they
// are of must not be used until the fork is closed.
type Fork struct {
	x    *Execution
	docs *objectstore.Group
}

// Fork begins branches. Close it when all have ended.
func (x *Execution) Fork() *Fork {
	return &Fork{x: x, docs: x.Effects.Documents().Fork()}
}

// Branch returns the execution of one branch: its own copy of the frame, its own
// events on top of what happened so far, and the documents that all branches share.
func (f *Fork) Branch(name objectstore.Branch) *Execution {
	b := *f.x
	b.Frame = f.x.Frame.Fork()
	b.Effects = &Effects{run: f.x.Run, parent: f.x.Effects, group: f.docs, name: name}
	b.turns = slices.Clone(f.x.turns)
	return &b
}

// Close ends the fork. The branches given are those whose effects stay: their events
// come in this order, whichever was faster.
func (f *Fork) Close(stay ...*Execution) {
	f.docs.Close()
	e := f.x.Effects
	for _, b := range stay {
		e.events = append(e.events, b.Effects.events...)
		e.delayed = append(e.delayed, b.Effects.delayed...)
		e.after = append(e.after, b.Effects.after...)
	}
}
