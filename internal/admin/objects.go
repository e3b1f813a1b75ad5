package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// ObjectQuery asks for documents.
type ObjectQuery struct {
	Collection string
	Where      string // expression over doc; empty: all
	OrderBy    []string
	Limit      int // 0: 50
	Offset     int
}

// Objects is the answer to an ObjectQuery.
type Objects struct {
	Documents []json.RawMessage `json:"documents"`
	Total     int               `json:"total"` // that match, without limit
}

// Objects finds documents, with the project's redaction applied.
func (s *Service) Objects(ctx context.Context, q ObjectQuery) (*Objects, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	where, err := s.where(q.Where)
	if err != nil {
		return nil, err
	}
	docs := objectstore.NewSession(s.Store, s.Program.Collection, s.NewID, s.Clock.Now)
	total, err := docs.Count(ctx, q.Collection, where)
	if err != nil {
		return nil, err
	}
	list, err := docs.Find(ctx, objectstore.FindQuery{Collection: q.Collection, Where: where,
		OrderBy: objectstore.ParseOrder(q.OrderBy), Limit: q.Limit, Offset: q.Offset})
	if err != nil {
		return nil, err
	}
	elements, err := value.Elements(list)
	if err != nil {
		return nil, err
	}
	out := &Objects{Total: total, Documents: []json.RawMessage{}}
	for _, e := range elements {
		raw, err := value.JSON(e)
		if err != nil {
			return nil, err
		}
		out.Documents = append(out.Documents, json.RawMessage(value.Redact(raw, s.Program.Redaction)))
	}
	return out, nil
}

// Versions are the document collection/id as it is and as it was, newest first. If it is
// there no more, they are what is still kept of it.
func (s *Service) Versions(ctx context.Context, collection, id string) (*Versions, error) {
	now, err := s.Store.Get(ctx, collection, id)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Versions(ctx, collection, id)
	if err != nil {
		return nil, err
	}
	if now != nil {
		list = append([]store.Document{*now}, list...)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("document %s/%s: %w", collection, id, ErrNotFound)
	}
	out := &Versions{Versions: make([]json.RawMessage, len(list)), Exists: now != nil}
	for i := range list {
		out.Versions[i] = json.RawMessage(value.Redact(objectstore.Shown(&list[i]), s.Program.Redaction))
	}
	for _, c := range s.Program.Collections() {
		out.Kept = out.Kept || c.Name == collection && c.History
	}
	return out, nil
}

// Versions is the answer of Service.Versions.
type Versions struct {
	Versions []json.RawMessage `json:"versions"` // newest first
	Exists   bool              `json:"exists"`   // the first is the document as it is
	Kept     bool              `json:"kept"`     // the collection keeps earlier versions: history: true
}

// where compiles a condition given on the command line.
func (s *Service) where(source string) (objectstore.Where, error) {
	if source == "" {
		return objectstore.Where{}, nil
	}
	syms := expression.NewSymbols(nil)
	syms.Declare("doc", &expression.Symbol{Slot: 0})
	p, perr := expression.CompileCondition(source, syms)
	if perr != nil {
		return objectstore.Where{}, &BadWhere{Source: source, Problem: perr}
	}
	frame := &expression.Frame{Slots: make([]any, 1), Host: &function.Env{
		Now: s.Clock.Now, NewID: s.NewID, Random: func() float64 { return 0 }}}
	return objectstore.Where{Program: p.Program, Frame: frame, Slot: 0}, nil
}

// BadWhere is a condition with a mistake in it.
type BadWhere struct {
	Source  string
	Problem *expression.Error
}

func (b *BadWhere) Error() string {
	s := fmt.Sprintf("where: %s\n  %s\n  %*s", b.Problem.Summary, b.Source, b.Problem.Offset+1, "^")
	if b.Problem.Fix != "" {
		s += "\n  fix: " + b.Problem.Fix
	}
	return s
}
