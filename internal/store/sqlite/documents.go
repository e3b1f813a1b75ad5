package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"pipelined/internal/store"
)

// state is a document as the writer finds it.
type state struct {
	row, version, created, updated, expires int64
	body                                    string
	there                                   bool // a row is there
	exists                                  bool // and has not expired
}

func (w *writer) state(ctx context.Context, d *store.Write, now time.Time) (s state, err error) {
	err = w.st.docGet.QueryRowContext(ctx, d.Collection, d.ID).Scan(&s.row, &s.version, &s.created, &s.updated, &s.expires, &s.body)
	if errors.Is(err, sql.ErrNoRows) {
		return state{}, nil
	}
	s.there = err == nil
	s.exists = s.there && (s.expires == 0 || s.expires > micros(now))
	return s, err
}

// document applies one write and returns the document's new version.
func (w *writer) document(ctx context.Context, d *store.Write, now time.Time) (int64, error) {
	was, err := w.state(ctx, d, now)
	if err != nil {
		return 0, err
	}
	if reason := conflict(d, was); reason != "" {
		return 0, refused{&store.ConflictError{Collection: d.Collection, ID: d.ID, Reason: reason}}
	}
	if was.exists {
		if err := w.keepVersion(ctx, d, was, now); err != nil {
			return 0, err
		}
	}
	if d.Kind == store.Delete {
		if was.there {
			w.counts.add(d.Collection, -1)
			_, err = w.st.docDelete.ExecContext(ctx, was.row)
		}
		return 0, err
	}
	return w.store(ctx, d, was, d.Document, now)
}

// store writes the text of a document over what was there.
func (w *writer) store(ctx context.Context, d *store.Write, was state, text string, now time.Time) (int64, error) {
	version, created := was.version, was.created
	if !was.exists {
		version, created = 0, micros(now)
	}
	version += max(d.Advance, 1)
	write := func() (err error) {
		if was.there {
			_, err = w.st.docUpdate.ExecContext(ctx, version, created, micros(now), micros(d.Expires), text, was.row)
		} else {
			_, err = w.st.docInsert.ExecContext(ctx, d.Collection, d.ID, version, created, micros(now), micros(d.Expires), text)
		}
		return err
	}
	err := write()
	if isConstraint(err) { // what has expired must not stand in the way
		if err := w.dropExpired(ctx, d, now); err != nil {
			return 0, err
		}
		err = write()
	}
	if isConstraint(err) {
		return 0, refused{&store.ConflictError{Collection: d.Collection, ID: d.ID, Reason: "unique", Field: w.s.uniqueField(d.Collection, err)}}
	}
	if err == nil && !was.there {
		w.counts.add(d.Collection, 1)
	}
	return version, err
}

// dropExpired removes the expired documents of a collection, but for the one that
// is being written.
func (w *writer) dropExpired(ctx context.Context, d *store.Write, now time.Time) error {
	res, err := w.conn.ExecContext(ctx, "delete from documents where collection = ? and expires > 0 and expires <= ? and id <> ?",
		d.Collection, micros(now), d.ID)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	w.counts.add(d.Collection, -n)
	return err
}

// conflict says why a write cannot take place; empty if it can.
func conflict(d *store.Write, was state) string {
	switch {
	case d.Kind == store.Insert && was.exists, d.IfVersion == -1 && was.exists:
		return "exists"
	case d.IfVersion > 0 && !was.exists:
		return "missing"
	case d.IfVersion > 0 && was.version != d.IfVersion,
		d.IfVersion > 0 && !d.IfCreatedAt.IsZero() && was.created != micros(d.IfCreatedAt):
		return "version"
	}
	return ""
}

func (w *writer) keepVersion(ctx context.Context, d *store.Write, was state, now time.Time) error {
	if !d.History {
		return nil
	}
	_, err := w.st.docVersion.ExecContext(ctx, d.Collection, d.ID, was.version, was.created, was.updated, micros(now), was.body)
	return err
}

// uniqueField is the field whose index an error names.
func (s *Store) uniqueField(collection string, err error) string {
	paths := s.declared.unique(collection)
	for _, path := range paths {
		if name, _, ierr := index(collection, path, true); ierr == nil && strings.Contains(err.Error(), name) {
			return path
		}
	}
	return strings.Join(paths, ", ")
}

// Get returns a document or nil.
func (s *Store) Get(ctx context.Context, collection, id string) (*store.Document, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.failed(err, "read document %s/%s", collection, id)
	}
	d := &store.Document{Collection: collection, ID: id}
	var created, updated, expires int64
	// It ends at once. A context that can end costs two goroutines, a third of the read.
	err := s.lookups.document.QueryRowContext(context.WithoutCancel(ctx), collection, id).Scan(&d.Version, &created, &updated, &expires, &d.Body)
	if errors.Is(err, sql.ErrNoRows) || err == nil && expires != 0 && expires <= micros(s.cfg.Clock.Now()) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failed(err, "read document %s/%s", collection, id)
	}
	d.CreatedAt, d.UpdatedAt = fromMicros(created), fromMicros(updated)
	return d, nil
}

// Versions reads the earlier versions of a document, newest first.
func (s *Store) Versions(ctx context.Context, collection, id string) ([]store.Document, error) {
	rows, err := s.search.QueryContext(ctx, "select version, created, updated, body from document_versions where collection = ? and id = ? order by n desc", collection, id)
	out, err := collect(rows, err, func(rows *sql.Rows) (store.Document, error) {
		d := store.Document{Collection: collection, ID: id}
		var created, updated int64
		err := rows.Scan(&d.Version, &created, &updated, &d.Body)
		d.CreatedAt, d.UpdatedAt = fromMicros(created), fromMicros(updated)
		return d, err
	})
	if err != nil {
		return nil, s.failed(err, "read the versions of %s/%s", collection, id)
	}
	return out, nil
}

// Count is how many documents a collection holds, always exactly: the counts are kept.
func (s *Store) Count(ctx context.Context, collection string, _ store.Precision) (n int64, err error) {
	if err = s.lookups.count.QueryRowContext(ctx, collection, micros(s.cfg.Clock.Now())).Scan(&n); err != nil {
		return 0, s.failed(err, "count %s", collection)
	}
	return n, nil
}

// CollectionNames lists collections that hold documents or are declared.
func (s *Store) CollectionNames(ctx context.Context) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, "select distinct collection from documents order by 1")
	names := map[string]bool{}
	if err := each(rows, err, scanText, func(n string) bool { names[n] = true; return true }); err != nil {
		return nil, s.failed(err, "list collections")
	}
	for _, n := range s.declared.names() {
		names[n] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}
