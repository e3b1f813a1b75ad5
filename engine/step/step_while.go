package step

import (
	"context"
	"fmt"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

type whileParams struct {
	While         expression.Condition `yaml:"while" required:"" doc:"Bare expression, tested before each turn."`
	MaxIterations int                  `yaml:"max_iterations" default:"1000" min:"1" max:"10000000" doc:"More turns than this are an error."`
	Steps         Block                `yaml:"steps" required:"" doc:"What runs each turn, with index (from 0) in scope."`
}

type untilParams struct {
	Until         Later `yaml:"until" required:"" doc:"Bare expression, tested after each turn; it may use the turn's results."`
	MaxIterations int   `yaml:"max_iterations" default:"1000" min:"1" max:"10000000" doc:"More turns than this are an error."`
	Steps         Block `yaml:"steps" required:"" doc:"What runs each turn, with index (from 0) in scope."`
}

const loopResult = "`items` (each with that turn's named results), `total`"

func whileControl() *Control {
	return define("while", "Runs steps as long as a condition is true.", loopResult, `
- set: { page: 0 }
- while: vars.page < 3
  steps:
    - set: { page: "${{ vars.page + 1 }}" }
`, func(b *Compiler, c *field.Context, n *Node, p *whileParams) Action {
		l := &loop{node: n, condition: p.While, max: p.MaxIterations}
		l.compile(b, c, p.Steps, nil)
		return l
	})
}

func untilControl() *Control {
	return define("until", "Runs steps, at least once, until a condition is true.", loopResult, `
- set: { page: 0 }
- until: vars.page >= 3
  steps:
    - set: { page: "${{ vars.page + 1 }}" }
`, func(b *Compiler, c *field.Context, n *Node, p *untilParams) Action {
		l := &loop{node: n, after: true, max: p.MaxIterations}
		l.compile(b, c, p.Steps, &p.Until)
		return l
	})
}

type loop struct {
	node      *Node
	condition expression.Condition
	after     bool
	max       int
	body      Flow
	names     []named
	indexSlot int
}

func (l *loop) compile(b *Compiler, c *field.Context, steps Block, until *Later) {
	l.indexSlot = b.slot()
	inner := b.inner(c.Symbols)
	inner.Declare("index", &expression.Symbol{Slot: l.indexSlot, Type: &expression.Type{Kind: value.Integer}})
	b.loops++
	l.body = b.block(c, steps, inner)
	b.loops--
	if until != nil {
		l.condition = field.Condition(c.With(inner), until.node)
	}
	l.names = b.close(c.Symbols, inner, "step %s belongs to one turn of a loop; outside it is in the items of the loop's own result, if the loop has a name")
}

func (*loop) composite() {}

func (l *loop) Run(ctx context.Context, x *execution.Execution) (any, error) {
	saved := x.Frame.Slots[l.indexSlot]
	defer func() { x.Frame.Slots[l.indexSlot] = saved }()
	defer x.BeginTurns()()
	items := []any{}
	total := 0
	for {
		x.Frame.Slots[l.indexSlot] = total
		if !l.after {
			if more, err := l.condition.Bool(x.Frame); err != nil || !more {
				return l.result(items, total), err
			}
		}
		if total >= l.max {
			return nil, pipelined.Problemf(pipelined.TypeIterations, "A loop ran too often", 500,
				"max_iterations is %d and %s still holds", l.max, l.describe())
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		x.Turn(total)
		clearResults(x, l.names)
		if err := l.body.Run(ctx, x); err != nil {
			return nil, err
		}
		total++
		if l.node.named {
			items = append(items, results(x, l.names))
		}
		if l.after {
			if done, err := l.condition.Bool(x.Frame); err != nil || done {
				return l.result(items, total), err
			}
		}
	}
}

func (l *loop) describe() string {
	if l.after {
		return fmt.Sprintf("not (%s)", l.condition.Source())
	}
	return l.condition.Source()
}

func (l *loop) result(items []any, total int) any {
	return map[string]any{"items": items, "total": total}
}
