package step

import (
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

// oneOf demands exactly one of id and where: neither would change everything.
func oneOf(c *field.Context, key string, id field.Text, w Later) bool {
	if id.IsZero() == (w.node == nil) {
		c.Report(field.CodeMissing, diag.Error, c.Pos(key), "give either id or where",
			"It would not be clear which documents are meant.", "add `id:` for one document, or `where:` for many")
		return false
	}
	return true
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
