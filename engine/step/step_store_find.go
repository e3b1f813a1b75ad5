package step

import (
	"context"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/objectstore"
)

// unasked is how many documents a find without a limit may come to. A list that is cut
// where nobody said so would be taken for all there is.
const unasked = 1000

type findParams struct {
	Find struct {
		Collection Literal  `yaml:"collection" required:"" doc:"Collection to search."`
		Where      Later    `yaml:"where" doc:"Bare expression over doc; default is every document."`
		OrderBy    []string `yaml:"order_by" doc:"Paths into the document; a leading - sorts descending. Default is _id."`
		Limit      amount   `yaml:"limit" doc:"At most this many, and more says whether there are others; 0 is all. Without it more than 1000 are an error."`
		Offset     amount   `yaml:"offset" doc:"Skips this many first."`
		Stream     bool     `yaml:"stream" default:"false" doc:"documents becomes a stream for foreach: constant memory, no items kept; without limit it is all."`
	} `yaml:"object_store.find" required:"" doc:"What to look for."`
}

func findControl() *Control {
	return define("object_store.find", "Searches a collection.",
		"`documents`, `count`, `more` (whether the limit left any out); of a stream only `documents`", `
- name: open
  object_store.find: { collection: orders, where: doc.status == "open", order_by: [created], limit: 10 }
`, func(b *Compiler, c *field.Context, n *Node, p *findParams) Action {
			f := p.Find
			if !b.storeFacts(c, f.Collection, false) {
				return nil
			}
			if f.Limit.IsZero() && !f.Stream {
				c.Report(CodeNoLimit, diag.Warning, c.Pos("object_store.find"), "this find has no limit",
					"It fails once more than 1000 documents match.", "add `limit:`, `limit: 0` for all there are, or `stream: true` for a foreach")
			}
			return &find{n, f.Collection.Text, b.where(c, f.Where), objectstore.ParseOrder(f.OrderBy), f.Limit, f.Offset, f.Stream}
		})
}

type find struct {
	node          *Node
	collection    string
	where         where
	order         []objectstore.Order
	limit, offset amount
	stream        bool
}

func (s *find) Run(ctx context.Context, x *execution.Execution) (any, error) {
	q := objectstore.FindQuery{Collection: s.collection, Where: s.where.bind(x), OrderBy: s.order}
	var err error
	if q.Limit, err = s.limit.eval(x, "limit"); err != nil {
		return nil, err
	}
	if q.Offset, err = s.offset.eval(x, "offset"); err != nil {
		return nil, err
	}
	docs := x.Effects.Documents()
	if s.stream {
		stream, err := docs.Stream(ctx, q)
		if err != nil {
			return nil, err
		}
		return s.node.readOnce(x, map[string]any{"documents": stream}), nil
	}
	if s.limit.IsZero() {
		q.Limit = unasked
	}
	list, more, err := docs.Page(ctx, q)
	if err != nil {
		return nil, err
	}
	if more && s.limit.IsZero() {
		return nil, pipelined.Problemf(objectstore.TypeTooMany, "More documents match than a find without a limit takes", 500,
			"over %d documents of %s match: write `limit:` (0 is all), or `stream: true` and read them with foreach", unasked, s.collection)
	}
	return map[string]any{"documents": list, "count": len(list), "more": more}, nil
}
