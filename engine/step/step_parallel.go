package step

import (
	"context"
	"errors"

	"gopkg.in/yaml.v3"

	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/objectstore"
)

type parallelParams struct {
	Parallel Later `yaml:"parallel" required:"" doc:"Map of branch name to list of steps. All must end; the first failure cancels the others, unless its branch handles it."`
}

func parallelControl() *Control {
	return define("parallel", "Runs branches at the same time and waits for all.",
		"one key per branch, holding that branch's named results", `
- name: both
  parallel:
    left:
      - name: one
        set: { a: 1 }
    right:
      - name: two
        set: { b: 2 }
`, buildParallel)
}

func buildParallel(b *Compiler, c *field.Context, n *Node, p *parallelParams) Action {
	m := p.Parallel.node
	if m.Kind != yaml.MappingNode || len(m.Content) == 0 {
		c.Report(CodeLoop, diag.Error, m, "parallel takes a map of branch names to lists of steps",
			"There would be nothing to run.", "write `parallel:` with a name and a list of steps for each branch")
		return nil
	}
	s := &parallel{node: n}
	b.loops++
	defer func() { b.loops-- }()
	for i := 0; i+1 < len(m.Content); i += 2 {
		var name field.Name
		name.DecodeField(c, m.Content[i])
		inner := b.inner(c.Symbols)
		br := branch{name: m.Content[i].Value}
		br.flow = b.block(c, Block{m.Content[i+1]}, inner)
		where := "the result of a parallel step, if that has a name"
		if n.named {
			where = "steps." + n.Name + "." + br.name
		}
		br.names = b.close(c.Symbols, inner, "step %s belongs to a branch of parallel; outside it is in "+where)
		s.branches = append(s.branches, br)
	}
	return s
}

type branch struct {
	name  string
	flow  Flow
	names []named
}

type parallel struct {
	node     *Node
	branches []branch
}

func (*parallel) composite() {}

func (s *parallel) Run(ctx context.Context, x *execution.Execution) (any, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ends := &branches{cancel: cancel}
	fork, group := x.Fork(), x.Run.Host.Branches(0)
	runs := make([]*execution.Execution, len(s.branches))
	for i := range s.branches {
		name := objectstore.Branch{Name: s.branches[i].name}
		runs[i] = fork.Branch(name)
		group.Go(func() {
			err := execution.Protect(runs[i], s.node.Name, func() error { return s.branches[i].flow.Run(ctx, runs[i]) })
			ends.ended(err, name.String())
		})
	}
	group.Wait()
	if err := ends.outcome(); err != nil && !errors.Is(err, execution.ErrStop) {
		fork.Close()
		return nil, err
	}
	fork.Close(runs...)
	out := make(map[string]any, len(runs))
	for i, r := range runs {
		out[s.branches[i].name] = results(r, s.branches[i].names)
	}
	return out, ends.outcome()
}
