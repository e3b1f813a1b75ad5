package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"pipelined/internal/store"
)

// buildBound is how long building indexes may take.
const buildBound = 24 * time.Hour

// slowBuild is how long an index may hold the writer without a line in the log.
const slowBuild = time.Second

// declaration is one index of a collection.
type declaration struct {
	name, collection, path string
	text                   string // the SQL that builds it
	unique                 bool
}

// Prepare builds the indexes of a revision that are not there, one after the other, so
// that commits take place in between. SQLite has one writer: while an index is built
// nobody else writes. That documents collide is found beside it.
func (s *Store) Prepare(ctx context.Context, revision string, collections []store.Collection) error {
	s.declared.changing.Lock()
	defer s.declared.changing.Unlock()
	wanted, err := declarations(collections)
	if err != nil {
		return err
	}
	have, err := s.built(ctx)
	if err != nil {
		return err
	}
	for _, d := range wanted {
		if slices.Contains(have, d.name) {
			continue
		}
		if err := s.build(ctx, d); err != nil {
			return err
		}
	}
	s.declared.set(revision, collections)
	return nil
}

// Retire drops the indexes that no prepared revision has, but for the one that goes.
func (s *Store) Retire(ctx context.Context, revision string) error {
	s.declared.changing.Lock()
	defer s.declared.changing.Unlock()
	s.declared.set(revision, nil)
	wanted, err := declarations(s.declared.all())
	if err != nil {
		return err
	}
	have, err := s.built(ctx)
	if err != nil {
		return err
	}
	for _, name := range have {
		if slices.ContainsFunc(wanted, func(d declaration) bool { return d.name == name }) {
			continue
		}
		err := s.do(ctx, func(ctx context.Context, w *writer) error {
			_, err := w.conn.ExecContext(ctx, "drop index if exists "+name)
			return err
		})
		if err != nil {
			return fmt.Errorf("drop an index nobody declares: %w", err)
		}
	}
	return nil
}

// declarations are the indexes of collections, by their names, each once.
func declarations(collections []store.Collection) ([]declaration, error) {
	wanted := map[string]declaration{}
	declare := func(c store.Collection, paths []string, unique bool) error {
		for _, path := range paths {
			name, text, err := index(c.Name, path, unique)
			if err != nil {
				return fmt.Errorf("index collection %s: %w", c.Name, err)
			}
			wanted[name] = declaration{name, c.Name, path, text, unique}
		}
		return nil
	}
	for _, c := range collections {
		if err := errors.Join(declare(c, c.Index, false), declare(c, c.Unique, true)); err != nil {
			return nil, err
		}
	}
	var out []declaration
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		out = append(out, wanted[name])
	}
	return out, nil
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

// built are the names of the indexes that are there.
func (s *Store) built(ctx context.Context) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, "select name from sqlite_master where type = 'index' and name glob 'doc_[iu]x_*' order by name")
	out, err := collect(rows, err, scanText)
	if err != nil {
		return nil, s.failed(err, "list the indexes")
	}
	return out, nil
}

// build builds an index. One over documents that collide is refused with the ids of
// two of them.
func (s *Store) build(ctx context.Context, d declaration) error {
	if d.unique {
		if err := s.collision(ctx, d); err != nil {
			return err
		}
	}
	var held time.Duration
	apply := func(ctx context.Context, w *writer) error {
		begun := time.Now()
		defer func() { held = time.Since(begun) }()
		if d.unique {
			if err := w.dropExpired(ctx, &store.Write{Collection: d.collection}, w.s.cfg.Clock.Now()); err != nil {
				return err
			}
		}
		_, err := w.conn.ExecContext(ctx, d.text)
		if isConstraint(err) {
			return refused{err}
		}
		return err
	}
	_, err := s.await(ctx, &request{batch: &store.Batch{}, apply: apply}, buildBound)
	if isConstraint(err) { // one came in between
		return errors.Join(s.collision(ctx, d), fmt.Errorf("build the unique index on %s of %s: %w", d.path, d.collection, store.ErrConflict))
	}
	if err != nil {
		return fmt.Errorf("build the index on %s of %s: %w", d.path, d.collection, err)
	}
	if d.unique || held > slowBuild {
		s.cfg.Logger.Info("an index was built; nothing else was written meanwhile", "collection", d.collection, "field", d.path,
			"unique", d.unique, "held", held.Round(time.Microsecond).String())
	}
	return nil
}

// collision is an error if two documents have the same value where it is to be unique.
func (s *Store) collision(ctx context.Context, d declaration) error {
	col, err := extract(d.path)
	if err != nil {
		return err
	}
	there := "collection = " + literal(d.collection) + " and (expires = 0 or expires > ?1)"
	rows, err := s.search.QueryContext(ctx, fmt.Sprintf(`select id from documents where %[1]s and (%[2]s, %[3]s) = (
		select %[2]s, %[3]s from documents where %[1]s and %[2]s is not null group by 1, 2 having count(*) > 1 limit 1)
		order by id limit 2`, there, col, kindOf(d.path)), micros(s.cfg.Clock.Now()))
	ids, err := collect(rows, err, scanText)
	if err != nil {
		return s.failed(err, "look for documents of %s with the same %s", d.collection, d.path)
	}
	if len(ids) < 2 {
		return nil
	}
	return fmt.Errorf("documents %s and %s of %s have the same %s, which is declared unique: %w",
		ids[0], ids[1], d.collection, d.path,
		&store.ConflictError{Collection: d.collection, ID: ids[1], Field: d.path, Reason: "unique"})
}

// declared is what the revisions that are prepared declare.
type declared struct {
	changing sync.Mutex // one Prepare or Retire at a time

	mu        sync.RWMutex
	revisions map[string][]store.Collection
	paths     map[string]fields // of each collection
}

// fields are the paths of a collection that an index is on, and those of unique ones.
type fields struct{ indexed, unique []string }

// set says what a revision declares; nil for none.
func (d *declared) set(revision string, list []store.Collection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.revisions == nil {
		d.revisions = map[string][]store.Collection{}
	}
	if delete(d.revisions, revision); list != nil {
		d.revisions[revision] = list
	}
	d.paths = map[string]fields{}
	for _, list := range d.revisions {
		for _, c := range list {
			f := d.paths[c.Name]
			f.indexed = slices.Concat(f.indexed, c.Index, c.Unique)
			f.unique = slices.Concat(f.unique, c.Unique)
			d.paths[c.Name] = f
		}
	}
}

func (d *declared) all() (out []store.Collection) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, list := range d.revisions {
		out = append(out, list...)
	}
	return out
}

func (d *declared) names() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Collect(maps.Keys(d.paths))
}

func (d *declared) indexed(collection string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.paths[collection].indexed)
}

func (d *declared) unique(collection string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.paths[collection].unique
}
