package step

import (
	"context"

	"pipelined/engine/execution"
	"pipelined/internal/field"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

type putValue struct {
	Collection Literal    `yaml:"collection" required:"" doc:"Collection to write to; made on first use."`
	ID         field.Text `yaml:"id" doc:"The document's id; default is a new one."`
	Document   field.JSON `yaml:"document" required:"" doc:"A JSON object."`
	IfVersion  field.JSON `yaml:"if_version" doc:"Write only if the document is at this version; otherwise error conflict (409)."`
}

type putParams struct {
	Put putValue `yaml:"object_store.put" required:"" doc:"The document to write."`
}

type insertParams struct {
	Insert insertValue `yaml:"object_store.insert" required:"" doc:"The document to create."`
}

type insertValue struct {
	Collection Literal    `yaml:"collection" required:"" doc:"Collection to write to; made on first use."`
	ID         field.Text `yaml:"id" doc:"The document's id; default is a new one."`
	Document   field.JSON `yaml:"document" required:"" doc:"A JSON object."`
}

const putResult = "`_id`, `_version`"

func putControl() *Control {
	return define("object_store.put", "Writes a document, replacing what is there.", putResult, `
- object_store.put: { collection: orders, id: "${{ input.id }}", document: "${{ input }}" }
`, func(b *Compiler, c *field.Context, n *Node, p *putParams) Action {
		if !b.storeFacts(c, p.Put.Collection, true) {
			return nil
		}
		return &put{putValue: p.Put, named: n.named}
	})
}

func insertControl() *Control {
	return define("object_store.insert", "Creates a document; error conflict (409) if the id exists.", putResult, `
- object_store.insert: { collection: orders, id: "${{ input.id }}", document: "${{ input }}" }
`, func(b *Compiler, c *field.Context, n *Node, p *insertParams) Action {
		if !b.storeFacts(c, p.Insert.Collection, true) {
			return nil
		}
		return &put{insert: true, named: n.named, putValue: putValue{Collection: p.Insert.Collection, ID: p.Insert.ID, Document: p.Insert.Document}}
	})
}

type put struct {
	putValue
	insert bool
	named  bool // somebody may read the version
}

func (s *put) Run(ctx context.Context, x *execution.Execution) (any, error) {
	id, err := documentID(x, s.ID, s.Collection.Text)
	if err != nil {
		return nil, err
	}
	v, err := s.Document.Eval(x.Frame)
	if err != nil {
		return nil, err
	}
	doc, err := value.JSON(v)
	if err != nil {
		return nil, err
	}
	ifVersion, err := version(x, s.IfVersion)
	if err != nil {
		return nil, err
	}
	docs := x.Effects.Documents()
	if s.named && ifVersion == 0 && !s.insert {
		if err := docs.Version(ctx, s.Collection.Text, id); err != nil {
			return nil, err
		}
	}
	var r objectstore.PutResult
	if s.insert {
		r, err = docs.Insert(ctx, s.Collection.Text, id, doc)
	} else {
		r, err = docs.Put(ctx, s.Collection.Text, id, doc, ifVersion)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"_id": r.ID, "_version": r.Version}, nil
}
