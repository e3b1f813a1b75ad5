package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"pipelined"
	"pipelined/engine/broker"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/pattern"
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

// Event is an event to publish.
type Event struct {
	Type    string            `json:"type"`
	Key     string            `json:"key,omitempty"`
	ID      string            `json:"id,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Data    json.RawMessage   `json:"data"`
}

// PublishEvent puts an event into the log and returns its id.
func (s *Service) PublishEvent(ctx context.Context, in Event) (string, error) {
	raw, err := value.Parse([]byte(in.Data))
	if err != nil {
		return "", fmt.Errorf("data is not JSON: %w", err)
	}
	if why := pattern.CheckType(in.Type); why != "" {
		return "", &badRequest{"type", why}
	}
	ev := &pipelined.Event{Type: in.Type, Key: in.Key, ID: in.ID, DedupeID: in.ID, Headers: in.Headers, Data: string(raw)}
	if err := s.Program.CompleteEvent(ev); err != nil {
		return "", err
	}
	if s.Publish != nil {
		return s.Publish(ctx, ev)
	}
	if ev.ID == "" {
		ev.ID = s.NewID()
	}
	ev.Time, ev.Source, ev.Attempt = s.Clock.Now(), "/"+s.Program.Name, 1
	if _, err := s.Store.Commit(ctx, &store.Batch{Events: []*pipelined.Event{ev}}); err != nil {
		return "", fmt.Errorf("publish %s: %w", ev.Type, err)
	}
	return ev.ID, nil
}

// Status is how a running project stands.
type Status struct {
	Project       string           `json:"project"`
	Revision      string           `json:"revision"`
	Pipelines     []string         `json:"pipelines"`
	Subscriptions []broker.Status  `json:"subscriptions"`
	Collections   map[string]int64 `json:"collections"`
}

// Status tells how the project stands.
func (s *Service) Status(ctx context.Context) (*Status, error) {
	st := &Status{Project: s.Program.Name, Revision: s.Program.Revision, Collections: map[string]int64{}}
	for _, p := range s.Program.Pipelines {
		st.Pipelines = append(st.Pipelines, p.Name)
	}
	if s.View != nil {
		st.Subscriptions = s.View().Subscriptions
	}
	names, err := s.Store.CollectionNames(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the collections: %w", err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, "_") { // the runtime's own
			continue
		}
		if st.Collections[n], err = s.Store.Count(ctx, n); err != nil {
			return nil, fmt.Errorf("count %s: %w", n, err)
		}
	}
	return st, nil
}
