// Package admin is the admin side of a project: what a person, a script or a
// dashboard asks of it. The same Service answers the command line on a stopped
// project, from its store, and the admin listener of a running one.
package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pipelined"
	"pipelined/engine"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/pattern"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// Service answers questions about a project.
type Service struct {
	Store   store.Store
	Clock   pipelined.Clock
	NewID   func() string
	Program *program.Program
	// Publish puts an event into the log of a running project. Nil means that the
	// project is stopped: the event is written and taken at the next start.
	Publish func(context.Context, *pipelined.Event) (string, error)
	// Commit commits to a running project and has the events delivered; nil if it is
	// stopped.
	Commit func(context.Context, *store.Batch) (store.Result, error)
	// View tells how a running project stands; nil if it is stopped.
	View func() engine.View
}

// ExecutionQuery asks for executions.
type ExecutionQuery struct {
	Pipeline string
	Status   string
	Since    time.Duration // 0: no limit
	Limit    int           // 0: 50
}

// Executions lists executions, newest first: those in the history and, on a
// running project, the newest of those that the history policy does not keep.
func (s *Service) Executions(ctx context.Context, q ExecutionQuery) ([]store.Execution, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	sq := store.ExecutionQuery{Pipeline: q.Pipeline, Status: q.Status, Limit: q.Limit}
	if q.Since > 0 {
		sq.Since = s.Clock.Now().Add(-q.Since)
	}
	kept, err := s.Store.FindExecutions(ctx, sq)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	if s.View == nil {
		return kept, nil
	}
	var fresh []store.Execution
	for _, x := range s.View().Recent {
		if (q.Pipeline == "" || x.Pipeline == q.Pipeline) && (q.Status == "" || x.Status == q.Status) && !x.StartedAt.Before(sq.Since) {
			fresh = append(fresh, x)
		}
	}
	return mergeNewest(fresh, kept, q.Limit), nil
}

// mergeNewest merges two lists, both newest first, without repeating an id.
func mergeNewest(a, b []store.Execution, limit int) []store.Execution {
	out := make([]store.Execution, 0, limit)
	seen := map[string]bool{}
	for len(out) < limit && (len(a) > 0 || len(b) > 0) {
		var x store.Execution
		if len(b) == 0 || (len(a) > 0 && !a[0].StartedAt.Before(b[0].StartedAt)) {
			x, a = a[0], a[1:]
		} else {
			x, b = b[0], b[1:]
		}
		if !seen[x.ID] {
			seen[x.ID] = true
			out = append(out, x)
		}
	}
	return out
}

// ErrNotFound is returned for an id that is not there.
var ErrNotFound = fmt.Errorf("not found")

// Execution returns one execution.
func (s *Service) Execution(ctx context.Context, id string) (*store.Execution, error) {
	x, err := s.Store.GetExecution(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read execution %s: %w", id, err)
	}
	if x != nil {
		return x, nil
	}
	if s.View != nil {
		for _, r := range s.View().Recent {
			if r.ID == id {
				return &r, nil
			}
		}
	}
	return nil, fmt.Errorf("execution %s: %w", id, ErrNotFound)
}

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
	docs := objectstore.NewSession(s.Store, s.NewID, s.Clock.Now)
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
