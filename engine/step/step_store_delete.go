package step

import (
	"context"

	"pipelined/engine/execution"
	"pipelined/internal/field"
	"pipelined/objectstore"
)

type deleteParams struct {
	Delete struct {
		Collection Literal    `yaml:"collection" required:"" doc:"Collection to delete from."`
		ID         field.Text `yaml:"id" doc:"The one document to delete."`
		Where      Later      `yaml:"where" doc:"Or: bare expression over doc; every document it holds for."`
		IfVersion  field.JSON `yaml:"if_version" doc:"With id: only at this version; otherwise error conflict (409)."`
	} `yaml:"object_store.delete" required:"" doc:"What to delete."`
}

func deleteControl() *Control {
	return define("object_store.delete", "Deletes documents.", "`deleted`", `
- object_store.delete: { collection: orders, where: doc.status == "done" }
`, func(b *Compiler, c *field.Context, _ *Node, p *deleteParams) Action {
		d := p.Delete
		if !b.storeFacts(c, d.Collection, true) || !oneOf(c, "object_store.delete", d.ID, d.Where) {
			return nil
		}
		return &deleteStep{d.Collection.Text, d.ID, b.where(c, d.Where), d.IfVersion}
	})
}

type deleteStep struct {
	collection string
	id         field.Text
	where      where
	ifVersion  field.JSON
}

func (s *deleteStep) Run(ctx context.Context, x *execution.Execution) (any, error) {
	id, err := documentID(x, s.id, s.collection)
	if err != nil {
		return nil, err
	}
	ifVersion, err := version(x, s.ifVersion)
	if err != nil {
		return nil, err
	}
	n, err := x.Effects.Documents().Delete(ctx, objectstore.DeleteQuery{
		Collection: s.collection, ID: id, Where: s.where.bind(x), IfVersion: ifVersion})
	return map[string]any{"deleted": n}, err
}
