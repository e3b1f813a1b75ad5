package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pipelined/internal/store"
)

func sorted(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// indexName names the index of a path of a collection.
func indexName(collection, path string, unique bool) string {
	kind := "ix"
	if unique {
		kind = "ux"
	}
	sum := sha256.Sum256([]byte(path))
	return "doc_" + kind + "_" + collection + "_" + hex.EncodeToString(sum[:4])
}

// Configure declares collections and event types, and brings the indexes in line.
func (s *Store) Configure(_ context.Context, collections []store.Collection, types []store.EventType) error {
	wanted := map[string]string{}
	for _, c := range collections {
		for _, path := range c.Index {
			wanted[indexName(c.Name, path, false)] = fmt.Sprintf("create index %s on documents (%s, id) where collection = %s",
				indexName(c.Name, path, false), extract(path), literal(c.Name))
		}
		for _, path := range c.Unique {
			wanted[indexName(c.Name, path, true)] = fmt.Sprintf("create unique index %s on documents (%s) where collection = %s",
				indexName(c.Name, path, true), extract(path), literal(c.Name))
		}
	}
	err := s.do(func(ctx context.Context, w *writer) error { return w.indexes(ctx, wanted) })
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collections, s.types = map[string]store.Collection{}, map[string]store.EventType{}
	for _, c := range collections {
		s.collections[c.Name] = c
	}
	for _, t := range types {
		s.types[t.Type] = t
	}
	return nil
}

// indexes builds what is missing and drops what is declared no longer.
func (w *writer) indexes(ctx context.Context, wanted map[string]string) error {
	rows, err := w.conn.QueryContext(ctx, "select name from sqlite_master where type = 'index' and name glob 'doc_[iu]x_*'")
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			rows.Close()
			return err
		}
		have[n] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, name := range sorted(have) {
		if wanted[name] == "" {
			if _, err := w.conn.ExecContext(ctx, "drop index "+name); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if have[name] {
			continue
		}
		if _, err := w.conn.ExecContext(ctx, wanted[name]); err != nil {
			if isConstraint(err) {
				return refused{fmt.Errorf("a unique index cannot be built: documents already share a value (%s): %w", wanted[name], store.ErrConflict)}
			}
			return err
		}
	}
	return nil
}
