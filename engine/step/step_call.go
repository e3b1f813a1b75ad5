package step

import (
	"context"
	"errors"
	"slices"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

// maxCallDepth bounds pipelines that call each other.
const maxCallDepth = 32

type callParams struct {
	Call callValue `yaml:"call" required:"" doc:"The pipeline to run, and its input."`
}

type callValue struct {
	Pipeline Literal    `yaml:"pipeline" required:"" doc:"Name of a pipeline of this project."`
	With     field.JSON `yaml:"with" doc:"Its input; default is this pipeline's input."`
}

func callControl() *Control {
	return define("call", "Runs another pipeline now, inside this execution: its effects commit with this one's.",
		"the body the called pipeline responds, or null", `
- name: priced
  call: { pipeline: price_order, with: { lines: "${{ input.lines }}" } }
`, func(b *Compiler, c *field.Context, n *Node, p *callParams) Action {
			name := p.Call.Pipeline.Text
			if !slices.Contains(b.Pipelines, name) {
				fix := "create a pipeline of that name, or correct it"
				if s := diag.Suggest(name, b.Pipelines); s != "" {
					fix = "did you mean " + s + "?"
				}
				c.Report(CodeCallee, diag.Error, p.Call.Pipeline.node, "there is no pipeline called "+name,
					"The step would always fail.", fix)
				return nil
			}
			b.Facts.Calls = append(b.Facts.Calls, Mention{name, c.Range(p.Call.Pipeline.node)})
			return &call{pipeline: name, with: p.Call.With}
		})
}

type call struct {
	pipeline string
	with     field.JSON
}

func (s *call) Run(ctx context.Context, x *Execution) (any, error) {
	if x.depth >= maxCallDepth {
		return nil, pipelined.Problemf(pipelined.TypeIterations, "Pipelines call each other too deeply", 500,
			"%d calls deep at %s", x.depth, s.pipeline)
	}
	input := x.Frame.Slots[SlotInput]
	if !s.with.IsZero() {
		v, err := s.with.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		input = v
	}
	callee := x.Run.Program.Callee(s.pipeline)
	if callee.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callee.Timeout)
		defer cancel()
	}
	y := x.enter(callee, input)
	if err := y.run(ctx); err != nil {
		return nil, err
	}
	if y.answer.Body == "" {
		return nil, nil
	}
	return value.Raw(y.answer.Body), nil
}

// enter returns an Execution for a called pipeline: a frame of its own, the
// caller's effects.
func (x *Execution) enter(callee *Callee, input any) *Execution {
	y := &Execution{Run: x.Run, Effects: x.Effects, callee: callee, answer: &pipelined.Reply{},
		turns: x.turns, depth: x.depth + 1,
		Frame: &expression.Frame{Slots: make([]any, callee.Slots), Host: x.Frame.Host}}
	for _, s := range callee.VarSlots {
		y.Frame.Slots[s] = expression.Unset
	}
	y.Frame.Slots[SlotInput] = input
	y.Frame.Slots[SlotRun] = x.Frame.Slots[SlotRun]
	y.Frame.Slots[SlotGlobals] = x.Frame.Slots[SlotGlobals]
	y.Frame.Slots[SlotEnv] = x.Frame.Slots[SlotEnv]
	return y
}

// run runs a called pipeline with its own on_error.
func (x *Execution) run(ctx context.Context) error {
	mark := x.Effects.Mark()
	err := x.callee.Flow.Run(ctx, x)
	if err == nil || errors.Is(err, errStop) {
		return nil
	}
	x.Effects.Rollback(mark)
	if len(x.callee.OnError) == 0 || beyond(ctx, err) {
		return err
	}
	if herr := runCatch(ctx, x, x.callee.OnError, err); herr != nil && !errors.Is(herr, errStop) {
		p := pipelined.AsProblem(herr).Clone()
		p.Cause = pipelined.AsProblem(err)
		return p
	}
	return nil
}
