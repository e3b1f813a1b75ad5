package source

import (
	"context"
	"fmt"
	"slices"

	"pipelined/engine/consumer"
	"pipelined/internal/store"
	"pipelined/triggers"
)

// All takes hold of every partition that has a cursor.
func (s *session) All(ctx context.Context) (map[string]string, error) {
	list, err := s.sources.Runner.Store.Claims(ctx, store.CursorClaim, s.name()+"/")
	if err != nil {
		return nil, fmt.Errorf("read the cursors: %w", err)
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Key[len(s.name())+1:]
	}
	return s.hold(ctx, names)
}

// Hold takes hold of partitions that are not held yet.
func (s *session) Hold(ctx context.Context, partitions ...string) error {
	s.mu.Lock()
	fresh := slices.DeleteFunc(slices.Clone(partitions), func(p string) bool { return s.held[p] != 0 })
	s.mu.Unlock()
	_, err := s.hold(ctx, fresh)
	return err
}

// hold acquires partitions and returns their cursors.
func (s *session) hold(ctx context.Context, partitions []string) (map[string]string, error) {
	out := make(map[string]string, len(partitions))
	if len(partitions) == 0 {
		return out, nil
	}
	claims := make([]store.Claim, len(partitions))
	for i, p := range partitions {
		claims[i] = store.Cursor{Source: s.name(), Partition: p}.Claim()
	}
	got, err := s.sources.Runner.Store.Claim(ctx, claims)
	if err != nil {
		return nil, fmt.Errorf("take hold of %d partitions: %w", len(partitions), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range got {
		if c.Err != nil {
			return nil, fmt.Errorf("take hold of partition %q: %w", partitions[i], c.Err)
		}
		s.held[partitions[i]] = c.Epoch
		out[partitions[i]] = c.Value
	}
	return out, nil
}

// Ended tells which partitions have no event any more that is owed to the pipeline.
func (s *session) Ended(ctx context.Context, partitions ...string) (map[string]triggers.Ending, error) {
	if err := s.scan(ctx, partitions); err != nil {
		return nil, err
	}
	owed := s.sources.Broker.Owed(s.pipeline.Name)
	failed, err := s.failures(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]triggers.Ending{}
	for _, p := range partitions {
		if at, known := s.spans[p]; !known || !owed.Any(at.from, at.to) {
			out[p] = triggers.Ending{Failed: failed[p]}
		}
	}
	return out, nil
}

// failures are the partitions of which an event failed for good.
func (s *session) failures(ctx context.Context) (map[string]bool, error) {
	prefix := consumer.FailedPrefix(s.pipeline)
	rows, err := s.sources.Runner.Store.Metas(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("read what failed: %w", err)
	}
	out := make(map[string]bool, len(rows))
	for _, m := range rows {
		out[m.Key[len(prefix):]] = true
	}
	return out, nil
}

// scan looks, once, for what was delivered before this session of partitions that it
// does not know.
func (s *session) scan(ctx context.Context, partitions []string) error {
	s.mu.Lock()
	unknown := slices.ContainsFunc(partitions, func(p string) bool { _, known := s.spans[p]; return !known })
	needed := unknown && !s.scanned
	s.mu.Unlock()
	if !needed {
		return nil
	}
	for q := (store.EventQuery{Types: []string{s.typ}, Limit: 500}); ; {
		list, err := s.sources.Log.FindEvents(ctx, q)
		if err != nil {
			return fmt.Errorf("look for what was delivered before: %w", err)
		}
		s.mu.Lock()
		for i := range list {
			q.After = list[i].Seq
			if partition, ok := consumer.Brought(&list[i].Event); ok {
				s.span(partition, list[i].Seq)
			}
		}
		s.scanned = s.scanned || len(list) < q.Limit
		ready := s.scanned
		s.mu.Unlock()
		if ready {
			return nil
		}
	}
}

// Drop forgets partitions, and that events of them failed.
func (s *session) Drop(ctx context.Context, partitions ...string) error {
	b := &store.Batch{}
	s.mu.Lock()
	for _, p := range partitions {
		b.Drop = append(b.Drop, store.Cursor{Source: s.name(), Partition: p, Epoch: s.held[p]}.Claim())
		b.Meta = append(b.Meta, store.Meta{Key: consumer.FailedPrefix(s.pipeline) + p})
		delete(s.held, p)
		delete(s.spans, p)
	}
	s.mu.Unlock()
	if b.Empty() {
		return nil
	}
	if _, err := s.sources.Runner.Commit(ctx, b); err != nil {
		return fmt.Errorf("forget %d partitions: %w", len(partitions), err)
	}
	return nil
}
