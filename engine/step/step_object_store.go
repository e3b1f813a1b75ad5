package step

import (
	"context"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// where is a condition over `doc`, compiled in a scope of its own.
type where struct {
	condition expression.Condition
	slot      int
}

func (b *Compiler) where(c *field.Context, l Later) where {
	if l.node == nil {
		return where{}
	}
	w := where{slot: b.slot()}
	syms := expression.NewSymbols(c.Symbols)
	syms.Declare("doc", &expression.Symbol{Slot: w.slot})
	w.condition = field.Condition(c.With(syms), l.node)
	return w
}

func (w where) bind(x *execution.Execution) objectstore.Where {
	if w.condition.IsZero() {
		return objectstore.Where{}
	}
	return objectstore.Where{Program: w.condition.Program, Frame: x.Frame, Slot: w.slot}
}

// storeFacts notes which collection a step works on.
func (b *Compiler) storeFacts(c *field.Context, l Literal, writes bool) bool {
	if !collectionName(c, l) {
		return false
	}
	m := Mention{l.Text, c.Range(l.node)}
	if writes {
		b.Facts.Writes = append(b.Facts.Writes, m)
	} else {
		b.Facts.Reads = append(b.Facts.Reads, m)
	}
	return true
}

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

// documentID is the id that is written; empty where none is, which is asked for a new
// one. One that comes to nothing is an error: it would be another document each time.
func documentID(x *execution.Execution, t field.Text, collection string) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	id, err := t.Eval(x.Frame)
	if err != nil {
		return "", err
	}
	if id == "" {
		return "", pipelined.Problemf(objectstore.TypeDocument, "The id of a document is empty", 500,
			"id of a document of %s comes to nothing; leave id out to have one made", collection)
	}
	return id, nil
}

func version(x *execution.Execution, j field.JSON) (int64, error) {
	if j.IsZero() {
		return 0, nil
	}
	v, err := j.Eval(x.Frame)
	if err != nil {
		return 0, err
	}
	n, ok := value.Int(v)
	if !ok || n < 1 {
		return 0, pipelined.Problemf(pipelined.TypeExpression, "if_version is not a version", 500,
			"a version is a whole number from 1; this is %s", value.Describe(v))
	}
	return n, nil
}

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

// oneOf demands exactly one of id and where: neither would change everything.
func oneOf(c *field.Context, key string, id field.Text, w Later) bool {
	if id.IsZero() == (w.node == nil) {
		c.Report(field.CodeMissing, diag.Error, c.Pos(key), "give either id or where",
			"It would not be clear which documents are meant.", "add `id:` for one document, or `where:` for many")
		return false
	}
	return true
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
