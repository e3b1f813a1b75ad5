package step

import (
	"context"

	"pipelined/engine/execution"
	"pipelined/internal/field"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

type updateParams struct {
	Update struct {
		Collection Literal    `yaml:"collection" required:"" doc:"Collection to change."`
		ID         field.Text `yaml:"id" doc:"The one document to change."`
		Where      Later      `yaml:"where" doc:"Or: bare expression over doc; every document it holds for."`
		Merge      field.JSON `yaml:"merge" required:"" doc:"An object merged into the document as RFC 7396 says; null removes a field."`
		IfVersion  field.JSON `yaml:"if_version" doc:"With id: only at this version; otherwise error conflict (409)."`
	} `yaml:"object_store.update" required:"" doc:"What to change."`
}

func updateControl() *Control {
	return define("object_store.update", "Merges fields into documents.", "`updated`", `
- object_store.update: { collection: orders, id: "${{ input.id }}", merge: { status: done } }
`, func(b *Compiler, c *field.Context, _ *Node, p *updateParams) Action {
		u := p.Update
		if !b.storeFacts(c, u.Collection, true) || !oneOf(c, "object_store.update", u.ID, u.Where) {
			return nil
		}
		return &update{u.Collection.Text, u.ID, b.where(c, u.Where), u.Merge, u.IfVersion}
	})
}

type update struct {
	collection string
	id         field.Text
	where      where
	merge      field.JSON
	ifVersion  field.JSON
}

func (s *update) Run(ctx context.Context, x *execution.Execution) (any, error) {
	id, err := documentID(x, s.id, s.collection)
	if err != nil {
		return nil, err
	}
	v, err := s.merge.Eval(x.Frame)
	if err != nil {
		return nil, err
	}
	patch, err := value.JSON(v)
	if err != nil {
		return nil, err
	}
	ifVersion, err := version(x, s.ifVersion)
	if err != nil {
		return nil, err
	}
	n, err := x.Effects.Documents().Update(ctx, objectstore.UpdateQuery{
		Collection: s.collection, ID: id, Where: s.where.bind(x), Merge: patch, IfVersion: ifVersion})
	return map[string]any{"updated": n}, err
}
