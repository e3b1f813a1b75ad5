package step

import (
	"context"
	"errors"
	"sync"

	"pipelined"

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

type tryParams struct {
	Try     Block `yaml:"try" required:"" doc:"Steps that may fail; if they do, what they published and wrote is dropped."`
	Catch   Block `yaml:"catch" doc:"Runs when they failed, with error in scope; the flow then goes on."`
	Finally Block `yaml:"finally" doc:"Runs in every case."`
}

func tryControl() *Control {
	return define("try", "Runs steps whose failure the flow can survive.", "", `
- try:
    - fail: { type: demo/broken, title: Broken }
  catch:
    - log: { level: warn, message: "${{ error.title }}" }
  finally:
    - log: { message: done }
`, func(b *Compiler, c *field.Context, _ *Node, p *tryParams) Action {
		if p.Catch.node == nil && p.Finally.node == nil {
			c.Report(CodeBadSwitch, diag.Error, p.Try.node, "try has neither catch nor finally",
				"It would change nothing.", "add `catch:` with a list of steps")
			return nil
		}
		t := &try{hasCatch: p.Catch.node != nil}
		t.body = b.block(c, p.Try, c.Symbols)
		t.catch = b.block(c, p.Catch, WithError(c.Symbols))
		t.finally = b.block(c, p.Finally, c.Symbols)
		return t
	})
}

type try struct {
	body, catch, finally Flow
	hasCatch             bool
}

func (t *try) Run(ctx context.Context, x *execution.Execution) (any, error) {
	mark := x.Effects.Mark()
	err := t.body.Run(ctx, x)
	if err != nil && !execution.Signal(err) && !execution.Beyond(ctx, err) {
		x.Effects.Rollback(mark)
		if t.hasCatch {
			err = t.caught(ctx, x, pipelined.AsProblem(err))
		}
	}
	if len(t.finally) == 0 {
		return nil, err
	}
	// finally runs even when the context has ended, or a timeout would skip the
	// very clean-up it is there for.
	ferr := t.finally.Run(context.WithoutCancel(ctx), x)
	switch {
	case ferr == nil || execution.Beyond(ctx, err):
		return nil, err
	case err == nil || errors.Is(err, execution.ErrStop) || execution.Signal(ferr):
		return nil, ferr
	}
	return nil, execution.Because(ferr, pipelined.AsProblem(err))
}

// caught runs catch with p in scope; a failure of catch keeps p as its cause.
func (t *try) caught(ctx context.Context, x *execution.Execution, p *pipelined.Problem) error {
	restore := x.ShowError(p)
	defer restore()
	err := t.catch.Run(ctx, x)
	if err == nil || execution.Signal(err) {
		return err
	}
	return execution.Because(err, p)
}
