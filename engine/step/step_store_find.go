package step

import (
	"context"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/field"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

type findParams struct {
	Find struct {
		Collection Literal    `yaml:"collection" required:"" doc:"Collection to search."`
		Where      Later      `yaml:"where" doc:"Bare expression over doc; default is every document."`
		OrderBy    []string   `yaml:"order_by" doc:"Paths into the document; a leading - sorts descending. Default is _id."`
		Limit      int        `yaml:"limit" default:"100" min:"0" doc:"At most this many; 0 is all."`
		Offset     field.JSON `yaml:"offset" doc:"Skips this many first."`
		Stream     bool       `yaml:"stream" default:"false" doc:"documents becomes a stream for foreach: constant memory, no items kept; limit then defaults to all."`
	} `yaml:"object_store.find" required:"" doc:"What to look for."`
}

func findControl() *Control {
	return define("object_store.find", "Searches a collection.", "`documents`, `count`", `
- name: open
  object_store.find: { collection: orders, where: doc.status == "open", order_by: [created], limit: 10 }
`, func(b *Compiler, c *field.Context, _ *Node, p *findParams) Action {
		f := p.Find
		if !b.storeFacts(c, f.Collection, false) {
			return nil
		}
		return &find{f.Collection.Text, b.where(c, f.Where), objectstore.ParseOrder(f.OrderBy), f.Limit, f.Offset, f.Stream}
	})
}

type find struct {
	collection string
	where      where
	order      []objectstore.Order
	limit      int
	offset     field.JSON
	stream     bool
}

func (s *find) Run(ctx context.Context, x *execution.Execution) (any, error) {
	q := objectstore.FindQuery{Collection: s.collection, Where: s.where.bind(x), OrderBy: s.order, Limit: s.limit}
	if !s.offset.IsZero() {
		v, err := s.offset.Eval(x.Frame)
		if err != nil {
			return nil, err
		}
		n, ok := value.Int(v)
		if !ok || n < 0 {
			return nil, pipelined.Problemf(pipelined.TypeExpression, "offset is not a count", 500, "it is %s", value.Describe(v))
		}
		q.Offset = int(n)
	}
	docs := x.Effects.Documents()
	if s.stream {
		stream, err := docs.Stream(ctx, q)
		if err != nil {
			return nil, err
		}
		return map[string]any{"documents": stream}, nil
	}
	list, err := docs.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	return map[string]any{"documents": list, "count": value.Length(list)}, nil
}
