package step

import (
	"context"

	"pipelined/engine/execution"
	"pipelined/internal/field"
)

type countParams struct {
	Count struct {
		Collection Literal `yaml:"collection" required:"" doc:"Collection to count."`
		Where      Later   `yaml:"where" doc:"Bare expression over doc; default is every document."`
	} `yaml:"object_store.count" required:"" doc:"What to count."`
}

func countControl() *Control {
	return define("object_store.count", "Counts documents.", "`count`", `
- name: waiting
  object_store.count: { collection: orders, where: doc.status == "open" }
`, func(b *Compiler, c *field.Context, _ *Node, p *countParams) Action {
		if !b.storeFacts(c, p.Count.Collection, false) {
			return nil
		}
		return &count{p.Count.Collection.Text, b.where(c, p.Count.Where)}
	})
}

type count struct {
	collection string
	where      where
}

func (s *count) Run(ctx context.Context, x *execution.Execution) (any, error) {
	n, err := x.Effects.Documents().Count(ctx, s.collection, s.where.bind(x))
	return map[string]any{"count": n}, err
}

type distinctParams struct {
	Distinct struct {
		Collection Literal `yaml:"collection" required:"" doc:"Collection to read."`
		Field      Literal `yaml:"field" required:"" doc:"Path into the document."`
		Where      Later   `yaml:"where" doc:"Bare expression over doc; default is every document."`
	} `yaml:"object_store.distinct" required:"" doc:"What to list."`
}

func distinctControl() *Control {
	return define("object_store.distinct", "Lists the different values of a field.", "`values`", `
- name: lanes
  object_store.distinct: { collection: orders, field: lane }
`, func(b *Compiler, c *field.Context, _ *Node, p *distinctParams) Action {
		if !b.storeFacts(c, p.Distinct.Collection, false) {
			return nil
		}
		return &distinct{p.Distinct.Collection.Text, p.Distinct.Field.Text, b.where(c, p.Distinct.Where)}
	})
}

type distinct struct {
	collection string
	field      string
	where      where
}

func (s *distinct) Run(ctx context.Context, x *execution.Execution) (any, error) {
	values, err := x.Effects.Documents().Distinct(ctx, s.collection, s.field, s.where.bind(x))
	return map[string]any{"values": values}, err
}
