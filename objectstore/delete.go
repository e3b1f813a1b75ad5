package objectstore

import (
	"context"

	"pipelined/internal/store"
)

// DeleteQuery says which documents go.
type DeleteQuery struct {
	Collection string
	ID         string
	Where      Where
	IfVersion  int64
}

// Delete removes documents and returns how many there were.
func (s *Session) Delete(ctx context.Context, q DeleteQuery) (int, error) {
	if err := checkCollection(q.Collection); err != nil {
		return 0, err
	}
	s.lock()
	defer s.unlock()
	if q.Where.Program == nil {
		return s.deleteOne(ctx, key{q.Collection, q.ID}, q.IfVersion)
	}
	n := 0
	err := s.each(ctx, q.Collection, q.Where, func(k key, d *store.Document, e *entry) error {
		n++
		return s.remove(k, d, e, false)
	})
	return n, err
}

func (s *Session) deleteOne(ctx context.Context, k key, ifVersion int64) (int, error) {
	stored, e, exists, err := s.one(ctx, k, ifVersion)
	if err != nil || !exists {
		return 0, err
	}
	return 1, s.remove(k, stored, e, ifVersion > 0)
}

// remove deletes a document, unless a sibling is in the way.
func (s *Session) remove(k key, d *store.Document, e *entry, stated bool) error {
	if err := s.writable(k, stated); err != nil {
		return err
	}
	base := seenOf(d).demand()
	if e != nil {
		base = e.base
	}
	s.set(k, &entry{base: base})
	return nil
}
