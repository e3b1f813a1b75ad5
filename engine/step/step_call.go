package step

import (
	"context"
	"slices"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
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
			if p.Call.With.IsZero() {
				c.Symbols.Read("input")
			}
			b.Facts.Calls = append(b.Facts.Calls, Mention{name, c.Range(p.Call.Pipeline.node)})
			return &call{node: n, pipeline: name, with: p.Call.With}
		})
}

type call struct {
	node     *Node
	pipeline string
	with     field.JSON
}

func (*call) composite() {}

func (s *call) Run(ctx context.Context, x *execution.Execution) (any, error) {
	if x.Depth() >= maxCallDepth {
		return nil, pipelined.Problemf(pipelined.TypeIterations, "Pipelines call each other too deeply", 500,
			"%d calls deep at %s", x.Depth(), s.pipeline)
	}
	input := x.Frame.Slots[execution.SlotInput]
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
		ctx, cancel = x.Run.Host.WithTimeout(ctx, callee.Timeout, pipelined.Problemf(pipelined.TypeTimeout,
			"The pipeline ran out of time", 504, "the limit of %s is %s", callee.Name, callee.Timeout).Transient())
		defer cancel()
	}
	y := x.Enter(s.node.Identity, callee, input)
	defer y.Close()
	if err := execution.RunCalled(ctx, y); err != nil {
		return nil, err
	}
	if y.Answer().Body == "" {
		return nil, nil
	}
	return value.Raw(y.Answer().Body), nil
}
