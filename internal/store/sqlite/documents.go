package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

// document applies one write and returns the document's new version.
func (w *writer) document(ctx context.Context, d *store.Write) (int64, error) {
	var row, version, created, expires int64
	var body string
	now := w.s.cfg.Clock.Now()
	err := w.st.docGet.QueryRowContext(ctx, d.Collection, d.ID).Scan(&row, &version, &created, &expires, &body)
	there := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	exists := there && (expires == 0 || expires > micros(now))
	if reason := conflict(d, exists, version); reason != "" {
		return 0, refused{&store.ConflictError{Collection: d.Collection, ID: d.ID, Reason: reason}}
	}
	if d.Kind == store.Delete {
		if !there {
			return 0, nil
		}
		if err := w.keepHistory(ctx, d, version, now, body); err != nil {
			return 0, err
		}
		_, err := w.st.docDelete.ExecContext(ctx, row)
		return 0, err
	}
	if !exists {
		version, created = 0, micros(now)
	}
	text := d.Document
	if d.Kind == store.Merge {
		merged, err := value.MergePatch(value.Raw(body), value.Raw(d.Document))
		if err != nil {
			return 0, refused{err}
		}
		text = string(merged)
	}
	if there {
		if err := w.keepHistory(ctx, d, version, now, body); err != nil {
			return 0, err
		}
		_, err = w.st.docUpdate.ExecContext(ctx, version+1, created, micros(now), w.s.expiry(d, now), text, row)
	} else {
		_, err = w.st.docInsert.ExecContext(ctx, d.Collection, d.ID, version+1, created, micros(now), w.s.expiry(d, now), text)
	}
	if isConstraint(err) {
		return 0, refused{&store.ConflictError{Collection: d.Collection, ID: d.ID, Reason: "unique", Field: w.s.uniqueField(d.Collection, err)}}
	}
	return version + 1, err
}

// conflict says why a write cannot take place; empty if it can.
func conflict(d *store.Write, exists bool, version int64) string {
	switch {
	case d.Kind == store.Insert && exists, d.IfVersion == -1 && exists:
		return "exists"
	case d.Kind == store.Merge && !exists, d.IfVersion > 0 && !exists:
		return "missing"
	case d.IfVersion > 0 && version != d.IfVersion:
		return "version"
	}
	return ""
}

func (w *writer) keepHistory(ctx context.Context, d *store.Write, version int64, now time.Time, body string) error {
	w.s.mu.RLock()
	keep := w.s.collections[d.Collection].History
	w.s.mu.RUnlock()
	if !keep {
		return nil
	}
	_, err := w.st.docHistory.ExecContext(ctx, d.Collection, d.ID, version, micros(now), body)
	return err
}

// expiry is when a document written now goes.
func (s *Store) expiry(d *store.Write, now time.Time) int64 {
	if !d.Expires.IsZero() {
		return micros(d.Expires)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.collections[d.Collection].Retain; r > 0 {
		return micros(now.Add(r))
	}
	return 0
}

func (s *Store) uniqueField(collection string, err error) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, path := range s.collections[collection].Unique {
		if strings.Contains(err.Error(), indexName(collection, path, true)) {
			return path
		}
	}
	return strings.Join(s.collections[collection].Unique, ", ")
}

// Get returns a document or nil.
func (s *Store) Get(ctx context.Context, collection, id string) (*store.Document, error) {
	d := &store.Document{Collection: collection, ID: id}
	var created, updated, expires int64
	err := s.read.QueryRowContext(ctx, "select version, created, updated, expires, body from documents where collection = ? and id = ?",
		collection, id).Scan(&d.Version, &created, &updated, &expires, &d.Body)
	if errors.Is(err, sql.ErrNoRows) || err == nil && expires != 0 && expires <= micros(s.cfg.Clock.Now()) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read document %s/%s: %w", collection, id, err)
	}
	d.CreatedAt, d.UpdatedAt = fromMicros(created), fromMicros(updated)
	return d, nil
}

// Find streams documents in order.
func (s *Store) Find(ctx context.Context, q store.Query, yield func(*store.Document) (bool, error)) error {
	where := []string{"collection = " + literal(q.Collection), "(expires = 0 or expires > ?)"}
	args := []any{micros(s.cfg.Clock.Now())}
	for _, c := range q.Conditions {
		text, more, ok := condition(c)
		if ok {
			where, args = append(where, text), append(args, more...)
		}
	}
	text := "select id, version, created, updated, body from documents where " + strings.Join(where, " and ") + " order by " + order(q.OrderBy)
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("search %s: %w", q.Collection, err)
	}
	defer rows.Close()
	for rows.Next() {
		d := &store.Document{Collection: q.Collection}
		var created, updated int64
		if err := rows.Scan(&d.ID, &d.Version, &created, &updated, &d.Body); err != nil {
			return fmt.Errorf("search %s: %w", q.Collection, err)
		}
		d.CreatedAt, d.UpdatedAt = fromMicros(created), fromMicros(updated)
		if more, err := yield(d); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// literal quotes a text for SQL. Partial indexes are only found by literals.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// extract is the SQL expression of a path, the same text in indexes and queries.
func extract(path string) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range strings.Split(path, ".") {
		b.WriteString(`."` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	}
	return "json_extract(body, " + literal(b.String()) + ")"
}

// column is the SQL of a path, the store's own fields included; ok is false for
// those that SQL does not compare as the language does.
func column(path string) (text string, ok bool) {
	switch path {
	case "_id":
		return "id", true
	case "_version":
		return "version", true
	case "_created_at", "_updated_at":
		return "", false
	}
	return extract(path), !strings.ContainsAny(path, `"\`)
}

// condition is a comparison in SQL; it may hold for more documents than meant,
// never for fewer.
func condition(c store.Condition) (text string, args []any, ok bool) {
	col, ok := column(c.Path)
	if !ok {
		return "", nil, false
	}
	if c.Op == "in" {
		list, isList := c.Value.([]any)
		if !isList {
			return "", nil, false
		}
		var any []string
		for _, v := range list {
			one, more, ok := condition(store.Condition{Path: c.Path, Op: "==", Value: v})
			if !ok {
				return "", nil, false
			}
			any, args = append(any, one), append(args, more...)
		}
		if len(any) == 0 {
			return "0", nil, true
		}
		return "(" + strings.Join(any, " or ") + ")", args, true
	}
	ops := map[string]string{"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
	op := ops[c.Op]
	if op == "" {
		return "", nil, false
	}
	switch v := c.Value.(type) {
	case nil:
		if c.Op != "==" {
			return "", nil, false
		}
		return col + " is null", nil, true
	case bool:
		n := 0
		if v {
			n = 1
		}
		return col + " " + op + " ?", []any{n}, c.Op == "=="
	case int64, float64, string:
		return col + " " + op + " ?", []any{v}, true
	}
	return "", nil, false
}

// order is the SQL of sort keys, ties by id.
func order(list []store.Order) string {
	var out []string
	for _, o := range list {
		col, ok := column(o.Path)
		if !ok {
			switch o.Path {
			case "_created_at":
				col = "created"
			case "_updated_at":
				col = "updated"
			default:
				continue
			}
		}
		if o.Descending {
			col += " desc"
		}
		out = append(out, col)
	}
	return strings.Join(append(out, "id"), ", ")
}

// Count is how many documents a collection holds.
func (s *Store) Count(ctx context.Context, collection string) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, "select count(*) from documents where collection = ? and (expires = 0 or expires > ?)",
		collection, micros(s.cfg.Clock.Now())).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", collection, err)
	}
	return n, nil
}

// CollectionNames lists collections that hold documents or are declared.
func (s *Store) CollectionNames(ctx context.Context) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, "select distinct collection from documents order by 1")
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", err)
	}
	defer rows.Close()
	names := map[string]bool{}
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("list collections: %w", err)
		}
		names[n] = true
	}
	s.mu.RLock()
	for n := range s.collections {
		names[n] = true
	}
	s.mu.RUnlock()
	return sorted(names), rows.Err()
}
