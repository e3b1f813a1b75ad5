package step

import (
	"context"

	"pipelined/engine/execution"
	"pipelined/internal/field"
)

type getParams struct {
	Get struct {
		Collection Literal    `yaml:"collection" required:"" doc:"Collection to read."`
		ID         field.Text `yaml:"id" required:"" doc:"The document's id."`
	} `yaml:"object_store.get" required:"" doc:"The document to read."`
}

func getControl() *Control {
	return define("object_store.get", "Reads a document by id.", "the document, or null", `
- name: known
  object_store.get: { collection: orders, id: "${{ input.id }}" }
`, func(b *Compiler, c *field.Context, _ *Node, p *getParams) Action {
		if !b.storeFacts(c, p.Get.Collection, false) {
			return nil
		}
		return &get{p.Get.Collection.Text, p.Get.ID}
	})
}

type get struct {
	collection string
	id         field.Text
}

func (s *get) Run(ctx context.Context, x *execution.Execution) (any, error) {
	id, err := documentID(x, s.id, s.collection)
	if err != nil {
		return nil, err
	}
	doc, ok, err := x.Effects.Documents().Get(ctx, s.collection, id)
	if err != nil || !ok {
		return nil, err
	}
	return doc, nil
}
