// Package admin is the admin side of a project: what a person, a script or a
// dashboard asks of it. The same Service answers the command line on a stopped
// project, from its store, and the admin listener of a running one.
package admin

import (
	"context"
	"fmt"
	"time"

	"pipelined"
	"pipelined/engine"
	"pipelined/engine/program"
	"pipelined/internal/store"
)

// Service answers questions about a project.
type Service struct {
	Store interface {
		store.Log
		store.Documents
		store.History
	}
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
