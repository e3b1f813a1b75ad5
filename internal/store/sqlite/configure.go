package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pipelined/internal/store"
)

// buildBound is how long building indexes may take.
const buildBound = 24 * time.Hour

// declaration is one index of a collection.
type declaration struct {
	collection, path string
	text             string // the SQL that builds it
	unique           bool
}

// Configure declares collections and event types, and brings the indexes in line.
func (s *Store) Configure(ctx context.Context, collections []store.Collection, types []store.EventType) error {
	wanted := map[string]declaration{}
	declare := func(c store.Collection, paths []string, unique bool) error {
		for _, path := range paths {
			name, text, err := index(c.Name, path, unique)
			if err != nil {
				return fmt.Errorf("index collection %s: %w", c.Name, err)
			}
			wanted[name] = declaration{c.Name, path, text, unique}
		}
		return nil
	}
	for _, c := range collections {
		if err := errors.Join(declare(c, c.Index, false), declare(c, c.Unique, true)); err != nil {
			return err
		}
	}
	build := func(ctx context.Context, w *writer) error { return w.indexes(ctx, wanted) }
	if _, err := s.await(ctx, &request{batch: &store.Batch{}, apply: build}, buildBound); err != nil {
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

// index returns the name and the SQL of the index of a path. The name changes with
// the SQL, so that an index that a newer program would build otherwise is rebuilt.
func index(collection, path string, unique bool) (name, text string, err error) {
	col, err := extract(path)
	if err != nil {
		return "", "", err
	}
	kind, create, columns := "ix", "create index", col+", id"
	if unique {
		kind, create, columns = "ux", "create unique index", col+", "+kindOf(path)
	}
	sum := sha256.Sum256([]byte(columns))
	name = "doc_" + kind + "_" + collection + "_" + hex.EncodeToString(sum[:6])
	return name, fmt.Sprintf("%s %s on documents (%s) where collection = %s", create, name, columns, literal(collection)), nil
}

// kindOf tells apart, for unique keys, what SQLite reads as the same value: true
// and 1, a list and its text.
func kindOf(path string) string {
	typ := "json_type(body, " + literal(memberPath(path)) + ")"
	return "case " + typ + " when 'true' then 1 when 'false' then 1 when 'object' then 2 when 'array' then 2 else 0 end"
}

// indexes builds what is missing and drops what is declared no longer.
func (w *writer) indexes(ctx context.Context, wanted map[string]declaration) error {
	have, err := w.texts(ctx, "select name from sqlite_master where type = 'index' and name glob 'doc_[iu]x_*' order by name")
	if err != nil {
		return err
	}
	for _, name := range have {
		if _, still := wanted[name]; still {
			continue
		}
		if _, err := w.conn.ExecContext(ctx, "drop index "+name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if slices.Contains(have, name) {
			continue
		}
		if err := w.build(ctx, wanted[name]); err != nil {
			return err
		}
	}
	return nil
}

// build builds an index. One over documents that collide is refused with the ids
// of two of them.
func (w *writer) build(ctx context.Context, d declaration) error {
	if d.unique {
		if err := w.dropExpired(ctx, &store.Write{Collection: d.collection}, w.s.cfg.Clock.Now()); err != nil {
			return err
		}
	}
	_, err := w.conn.ExecContext(ctx, d.text)
	if !isConstraint(err) {
		return err
	}
	col, err := extract(d.path)
	if err != nil {
		return err
	}
	ids, err := w.texts(ctx, fmt.Sprintf(`select id from documents where collection = %[1]s and (%[2]s, %[3]s) = (
		select %[2]s, %[3]s from documents where collection = %[1]s and %[2]s is not null group by 1, 2 having count(*) > 1 limit 1)
		order by id limit 2`, literal(d.collection), col, kindOf(d.path)))
	if err != nil || len(ids) < 2 {
		return errors.Join(err, fmt.Errorf("build the unique index on %s of %s: documents collide", d.path, d.collection))
	}
	return refused{fmt.Errorf("documents %s and %s of %s have the same %s, which is declared unique: %w",
		ids[0], ids[1], d.collection, d.path,
		&store.ConflictError{Collection: d.collection, ID: ids[1], Field: d.path, Reason: "unique"})}
}

// texts reads a column of texts.
func (w *writer) texts(ctx context.Context, query string) ([]string, error) {
	rows, err := w.conn.QueryContext(ctx, query)
	return collect(rows, err, scanText)
}
