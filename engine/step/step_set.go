package step

import (
	"context"

	"pipelined/engine/execution"
	"pipelined/internal/field"
)

type setParams struct {
	Set field.Assignments `yaml:"set" required:"" doc:"Variables and their values, assigned in the order written; each sees the ones before."`
}

func setControl() *Control {
	return define("set", "Assigns variables, read as vars.<name>.", "", `
- set: { total: "${{ input.qty * input.price }}" }
`, func(b *Compiler, _ *field.Context, _ *Node, p *setParams) Action {
		s := &set{}
		for _, item := range p.Set.Items() {
			s.items = append(s.items, assignment{b.vars[item.Name].Slot, item.Value})
		}
		return s
	})
}

type assignment struct {
	slot  int
	value field.JSON
}

type set struct{ items []assignment }

func (s *set) Run(_ context.Context, x *execution.Execution) (any, error) {
	for i := range s.items {
		v, err := s.items[i].value.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		x.Frame.Slots[s.items[i].slot] = v
	}
	return nil, nil
}
