package step

import (
	"context"
	"errors"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

type foreachParams struct {
	Foreach     expression.Bare `yaml:"foreach" required:"" doc:"Bare expression that gives a list, a map or a stream."`
	As          field.Name      `yaml:"as" default:"item" doc:"The name of the current element; of a map it is {key, value}."`
	Concurrency int             `yaml:"concurrency" default:"1" min:"1" max:"1000" doc:"How many turns run at a time. Above 1 every turn has its own copy of the variables."`
	Steps       Block           `yaml:"steps" required:"" doc:"What runs for each element, with index (from 0) in scope."`
	OnItemError string          `yaml:"on_item_error" enum:"fail,continue" default:"fail" doc:"continue counts a failed turn and goes on; what that turn published and wrote is dropped."`
	CommitEvery int             `yaml:"commit_every" min:"1" max:"100000" doc:"Commits the effects so far after every N elements and records how far it is, so that a restart goes on there. Needs an order that is the same each time."`
}

func foreachControl() *Control {
	return define("foreach", "Runs steps for each element of a list, a map or a stream.",
		"`items` (in input order, each with that turn's named results; not for streams), `total`, `succeeded`, `failed`", `
- name: lines
  foreach: input.lines
  as: line
  steps:
    - name: price
      set: { last: "${{ line.price }}" }
`, buildForeach)
}

func buildForeach(b *Compiler, c *field.Context, n *Node, p *foreachParams) Action {
	f := &foreach{
		node: n, over: p.Foreach, concurrency: p.Concurrency, keepGoing: p.OnItemError == "continue",
		commitEvery: p.CommitEvery, itemSlot: b.slot(), indexSlot: b.slot(),
	}
	if p.CommitEvery > 0 && (b.loops > 0 || b.handler) {
		c.Report(CodeCommitEvery, diag.Error, c.Pos("commit_every"),
			"commit_every only works in a loop that is a step of the pipeline itself",
			"Inside another loop, branch, try or handler the place to go on after a restart is not one number.",
			"move the loop to the top level of steps, or remove commit_every")
		return nil
	}
	b.Facts.CommitsParts = b.Facts.CommitsParts || p.CommitEvery > 0
	inner := b.inner(c.Symbols)
	inner.Declare(string(p.As), &expression.Symbol{Slot: f.itemSlot})
	inner.Declare("index", &expression.Symbol{Slot: f.indexSlot, Type: &expression.Type{Kind: value.Integer}})
	b.loops++
	f.body = b.block(c, p.Steps, inner)
	b.loops--
	what := "this foreach"
	if n.named {
		what = "steps." + n.Name + ".items"
	}
	f.names = b.close(c.Symbols, inner, "step %s belongs to one turn of a foreach; outside the loop its results are in "+what)
	return f
}

type foreach struct {
	node        *Node
	over        expression.Bare
	concurrency int
	keepGoing   bool
	commitEvery int
	body        Flow
	names       []named
	itemSlot    int
	indexSlot   int
}

// tally is what a running loop counts and gathers.
type tally struct {
	execution.Progress
	items []any
}

func (*foreach) composite() {}

func (f *foreach) Run(ctx context.Context, x *execution.Execution) (any, error) {
	over, err := f.over.Eval(x.Frame)
	if err != nil {
		return nil, err
	}
	s, stream, err := value.Read(over)
	if err != nil {
		return nil, err
	}
	if stream {
		defer s.Close()
	}
	next, err := f.source(ctx, over, s)
	if err != nil {
		return nil, err
	}
	t := &tally{}
	if f.commitEvery > 0 {
		t.Progress = f.resumed(x)
		for i := 0; i < t.Total; i++ {
			if _, ok, err := next(); err != nil || !ok {
				return nil, err
			}
		}
	}
	keep := f.node.named && !stream
	if f.concurrency > 1 {
		err = f.concurrent(ctx, x, next, t, keep)
	} else {
		err = f.sequential(ctx, x, next, t, keep)
	}
	if err != nil {
		return nil, err
	}
	out := map[string]any{"total": t.Total, "succeeded": t.Succeeded, "failed": t.Failed}
	if keep {
		if t.items == nil {
			t.items = []any{}
		}
		out["items"] = t.items
	}
	return out, nil
}

// source returns what gives the next element; s is nil where it is no stream.
func (f *foreach) source(ctx context.Context, over any, s value.Stream) (next func() (any, bool, error), err error) {
	if s != nil {
		return func() (any, bool, error) {
			v, ok, err := s.Next(ctx)
			return v, ok, cut(ctx, err)
		}, nil
	}
	if over == nil {
		return func() (any, bool, error) { return nil, false, nil }, nil
	}
	list, err := value.Elements(over)
	if err != nil {
		return nil, pipelined.Problemf(pipelined.TypeExpression, "foreach needs a list, a map or a stream", 500,
			"%s is %s", f.over.Source(), value.Describe(over))
	}
	i := -1
	return func() (any, bool, error) {
		if i++; i >= len(list) {
			return nil, false, nil
		}
		return list[i], true, nil
	}, nil
}

func (f *foreach) sequential(ctx context.Context, x *execution.Execution, next func() (any, bool, error), t *tally, keep bool) error {
	savedItem, savedIndex := x.Frame.Slots[f.itemSlot], x.Frame.Slots[f.indexSlot]
	defer func() { x.Frame.Slots[f.itemSlot], x.Frame.Slots[f.indexSlot] = savedItem, savedIndex }()
	defer x.BeginTurns()()
	for {
		item, ok, err := next()
		if err != nil || !ok {
			return err
		}
		err = f.attempt(ctx, x, item, t.Total)
		if err != nil && !f.survives(ctx, err) {
			return err
		}
		f.record(ctx, x, t, err, keep)
		if f.commitEvery > 0 && t.Total%f.commitEvery == 0 {
			if err := f.commit(ctx, x, t); err != nil {
				return err
			}
		}
	}
}

// survives reports whether the loop goes on after a turn that ended with err.
func (f *foreach) survives(ctx context.Context, err error) bool {
	return f.keepGoing && !errors.Is(err, execution.ErrStop) && ctx.Err() == nil && !execution.Beyond(ctx, err)
}

// attempt runs a turn. One that the loop can survive leaves nothing when it fails.
func (f *foreach) attempt(ctx context.Context, x *execution.Execution, item any, index int) error {
	if !f.keepGoing {
		return f.turn(ctx, x, item, index)
	}
	mark := x.Effects.Begin()
	err := f.turn(ctx, x, item, index)
	if err == nil || errors.Is(err, execution.ErrStop) {
		x.Effects.Keep()
	} else {
		x.Effects.Rollback(mark)
	}
	return err
}

// turn runs the body for one element in x's own frame.
func (f *foreach) turn(ctx context.Context, x *execution.Execution, item any, index int) error {
	x.Frame.Slots[f.itemSlot], x.Frame.Slots[f.indexSlot] = item, index
	x.Turn(index)
	clearResults(x, f.names)
	return f.body.Run(ctx, x)
}

func (f *foreach) record(ctx context.Context, x *execution.Execution, t *tally, err error, keep bool) {
	t.Total++
	if err == nil {
		t.Succeeded++
	} else {
		t.Failed++
		p := pipelined.AsProblem(err)
		x.Run.Logger.WarnContext(ctx, "a turn of foreach failed and the loop goes on", "pipeline", x.Run.Pipeline,
			"execution", x.Run.ID, "step", f.node.Name, "index", t.Total-1, "problem", p.Type, "detail", p.Detail)
	}
	if !keep {
		return
	}
	r := results(x, f.names)
	if err != nil {
		r["error"] = execution.ProblemValue(pipelined.AsProblem(err))
	}
	t.items = append(t.items, r)
}

// commit makes the effects so far durable, together with how far the loop is.
func (f *foreach) commit(ctx context.Context, x *execution.Execution, t *tally) error {
	if x.Run.CommitPart == nil {
		return nil
	}
	return x.Run.CommitPart(ctx, x, f.node.Identity, t.Progress)
}

// resumed is how far the loop was when the process ended. Older stores know a loop
// without a name by its line.
func (f *foreach) resumed(x *execution.Execution) execution.Progress {
	if p, ok := x.Run.Resume[f.node.Identity]; ok {
		return p
	}
	return x.Run.Resume[f.node.Name]
}
