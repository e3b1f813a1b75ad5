package step

import (
	"context"
	"sync"

	"gopkg.in/yaml.v3"

	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

type switchParams struct {
	Switch Later `yaml:"switch" required:"" doc:"List of {when, steps}; the first whose when is true runs. The last may be {else: [steps]}."`
}

type caseParams struct {
	When  expression.Condition `yaml:"when" required:"" doc:"Bare expression."`
	Steps Block                `yaml:"steps" required:"" doc:"What runs when it is true."`
}

type elseParams struct {
	Else Block `yaml:"else" required:"" doc:"What runs when no case matched."`
}

var (
	caseShape = sync.OnceValue(field.Of[caseParams])
	elseShape = sync.OnceValue(field.Of[elseParams])
)

func switchControl() *Control {
	return define("switch", "Runs the steps of the first case whose condition is true.", "", `
- switch:
    - when: input.total > 1000
      steps:
        - set: { lane: priority }
    - else:
        - set: { lane: standard }
`, buildSwitch)
}

func buildSwitch(b *Compiler, c *field.Context, _ *Node, p *switchParams) Action {
	list := p.Switch.node
	if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		c.Report(CodeBadSwitch, diag.Error, list, "switch takes a list of cases", "Nothing would run.",
			"write a list below switch: `- when: …` with `steps:`, and a last `- else:`")
		return nil
	}
	s := &switchStep{}
	good := true
	for i, n := range list.Content {
		if isElse(n) {
			if i != len(list.Content)-1 {
				c.Report(CodeBadSwitch, diag.Error, n, "else must be the last case",
					"The cases after it could never run.", "move it to the end")
				good = false
			}
			var e elseParams
			if good = elseShape().DecodeInto(c, n, &e) && good; good {
				s.otherwise = b.block(c, e.Else, c.Symbols)
			}
			continue
		}
		var k caseParams
		if !caseShape().DecodeInto(c, n, &k) {
			good = false
			continue
		}
		s.cases = append(s.cases, switchCase{k.When, b.block(c, k.Steps, c.Symbols)})
	}
	if !good {
		return nil
	}
	return s
}

func isElse(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && len(n.Content) >= 2 && n.Content[0].Value == "else"
}

type switchCase struct {
	when expression.Condition
	flow Flow
}

type switchStep struct {
	cases     []switchCase
	otherwise Flow
}

func (*switchStep) composite() {}

func (s *switchStep) Run(ctx context.Context, x *execution.Execution) (any, error) {
	for i := range s.cases {
		ok, err := s.cases[i].when.Bool(x.Frame)
		if err != nil {
			return nil, err
		}
		if ok {
			return nil, s.cases[i].flow.Run(ctx, x)
		}
	}
	return nil, s.otherwise.Run(ctx, x)
}
