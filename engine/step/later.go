package step

import (
	"slices"

	"gopkg.in/yaml.v3"

	"pipelined/engine/execution"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// afterCommit is the pipeline's key of that name.
const afterCommit = "after_commit"

// reads collects what the steps of a block read of what is outside of it. Slots given out
// after it began are the block's own.
type reads struct {
	first int
	refs  []execution.Ref
}

func (b *Compiler) watch(syms *expression.Symbols) *reads {
	r := &reads{first: b.slots}
	syms.Watch(func(name string, slot int) {
		if slot < r.first && !slices.ContainsFunc(r.refs, func(o execution.Ref) bool { return o.Slot == slot }) {
			r.refs = append(r.refs, execution.Ref{Name: name, Slot: slot})
		}
	})
	return r
}

// kept is what was read, which has to be kept until the block is run.
func (b *Compiler) kept(c *field.Context, n *yaml.Node, r *reads, what string) []execution.Ref {
	slices.SortFunc(r.refs, func(a, b execution.Ref) int { return a.Slot - b.Slot })
	for _, ref := range r.refs {
		if name := b.streams[ref.Slot]; name != "" {
			c.Report(CodeStream, diag.Error, n, what+" reads steps."+name+", which holds a stream",
				"The stream is gone when it runs.", "consume it with foreach, and read what that gives, or query again in "+what)
		}
	}
	return r.refs
}

// undo compiles the steps that undo a step.
func (b *Compiler) undo(c *field.Context, n *Node, blk Block, syms *expression.Symbols) *execution.Later {
	if blk.node == nil {
		return nil
	}
	if b.inLater != "" {
		c.Report(CodeLater, diag.Error, blk.node, "compensate has no meaning inside "+b.inLater,
			"Nothing would ever run it: what fails there is tried again until it succeeds, or becomes an error record.",
			"remove it, and write the steps of "+b.inLater+" so that they can be repeated")
		return nil
	}
	inner := expression.NewSymbols(syms)
	r := b.watch(inner)
	b.inLater = "compensate"
	l := &execution.Later{Step: n.Identity, Name: n.Name, Pipeline: b.Pipeline, Slot: n.slot, Flow: b.block(c, blk, inner)}
	b.inLater = ""
	l.Reads = b.kept(c, blk.node, r, "compensate")
	if n.effect.Outside && !n.named {
		c.Report(CodeUnnamed, diag.Warning, blk.node, "a step that is undone should have a name",
			"It is found again, after a crash, by what it says: edited in between, it is not, and becomes an error record.",
			"give it a `name:`")
	}
	b.undos[n.Identity] = l
	return l
}

// Undos are the compensate steps of the pipeline, by the identity of the step they undo.
func (b *Compiler) Undos() map[string]*execution.Later { return b.undos }

// After compiles the pipeline's after_commit, in the scope that its steps left.
func (b *Compiler) After(c *field.Context, n *yaml.Node, list []*definition.Step) *execution.Later {
	inner := b.inner(c.Symbols)
	r := b.watch(inner)
	l := &execution.Later{Pipeline: b.Pipeline, Slot: -1}
	b.inLater, b.handler = afterCommit, true
	l.Flow = b.Steps(c.With(inner), list)
	b.inLater, b.handler = "", false
	l.Reads = b.kept(c, n, r, afterCommit)
	return l
}
