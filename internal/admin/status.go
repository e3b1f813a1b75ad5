package admin

import (
	"context"
	"fmt"
	"strings"

	"pipelined/engine/broker"
	"pipelined/internal/store"
)

// Status is how a running project stands.
type Status struct {
	Project       string           `json:"project"`
	Revision      string           `json:"revision"`
	Pipelines     []string         `json:"pipelines"`
	Subscriptions []broker.Status  `json:"subscriptions"`
	Left          int              `json:"left"` // compensations and lists of after_commit that wait or run
	Collections   map[string]int64 `json:"collections"`
}

// Status tells how the project stands.
func (s *Service) Status(ctx context.Context) (*Status, error) {
	st := &Status{Project: s.Program.Name, Revision: s.Program.Revision, Collections: map[string]int64{}}
	for _, p := range s.Program.Pipelines {
		st.Pipelines = append(st.Pipelines, p.Name)
	}
	if s.View != nil {
		v := s.View()
		st.Subscriptions, st.Left = v.Subscriptions, v.Left
	}
	names, err := s.Store.CollectionNames(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the collections: %w", err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, "_") { // the runtime's own
			continue
		}
		if st.Collections[n], err = s.Store.Count(ctx, n, store.Estimate); err != nil {
			return nil, fmt.Errorf("count %s: %w", n, err)
		}
	}
	return st, nil
}
