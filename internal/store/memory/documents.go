package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

// collection is documents by their ids, and the versions before.
type collection struct {
	documents map[string]*document
	versions  map[string][]version
	keys      map[string]map[string]string // of each unique path: whose value it is
}

// document is a document as it is; it is replaced, never changed.
type document struct {
	store.Document
	expires time.Time
	row     int64 // of this one: another for one made again
}

func (d *document) alive(now time.Time) bool {
	return d != nil && (d.expires.IsZero() || d.expires.After(now))
}

type version struct {
	store.Document
	replaced time.Time
}

func (s *state) collection(name string) *collection {
	c := s.documents[name]
	if c == nil {
		c = &collection{documents: map[string]*document{}, versions: map[string][]version{}, keys: map[string]map[string]string{}}
		s.documents[name] = c
	}
	return c
}

var errNoJSON = errors.New("the document is not JSON")

// document applies one write and returns the document's new version.
func (t *transaction) document(w *store.Write) (int64, error) {
	c := t.collection(w.Collection)
	was := c.documents[w.ID]
	exists := was.alive(t.now)
	if reason := conflict(w, was, exists); reason != "" {
		return 0, &store.ConflictError{Collection: w.Collection, ID: w.ID, Reason: reason}
	}
	if exists && w.History {
		restore(t, c.versions, w.ID)
		c.versions[w.ID] = append(c.versions[w.ID][:len(c.versions[w.ID]):len(c.versions[w.ID])], version{was.Document, t.now})
	}
	if w.Kind == store.Delete {
		if was != nil {
			t.remove(c, was)
		}
		return 0, nil
	}
	if !json.Valid([]byte(w.Document)) {
		return 0, fmt.Errorf("write document %s/%s: %w", w.Collection, w.ID, errNoJSON)
	}
	next := &document{Document: store.Document{Collection: w.Collection, ID: w.ID, CreatedAt: t.now, UpdatedAt: t.now, Body: w.Document}, expires: micro(w.Expires)}
	if exists {
		next.CreatedAt, next.Version, next.row = was.CreatedAt, was.Version, was.row
	} else {
		t.row++
		next.row = t.row
	}
	next.Version += max(w.Advance, 1)
	if was != nil {
		t.remove(c, was)
	}
	if err := t.index(c, next); err != nil {
		return 0, err
	}
	set(t, c.documents, w.ID, next)
	return next.Version, nil
}

// conflict says why a write cannot take place; empty if it can.
func conflict(w *store.Write, was *document, exists bool) string {
	switch {
	case w.Kind == store.Insert && exists, w.IfVersion == -1 && exists:
		return "exists"
	case w.IfVersion > 0 && !exists:
		return "missing"
	case w.IfVersion > 0 && was.Version != w.IfVersion,
		w.IfVersion > 0 && !w.IfCreatedAt.IsZero() && !was.CreatedAt.Equal(micro(w.IfCreatedAt)):
		return "version"
	}
	return ""
}

// remove takes a document away, with the values it holds.
func (t *transaction) remove(c *collection, d *document) {
	drop(t, c.documents, d.ID)
	for path, keys := range c.keys {
		if k := uniqueKey(d.Body, path); k != "" && keys[k] == d.ID {
			drop(t, keys, k)
		}
	}
}

// index notes the unique values of a document. What has expired holds none.
func (t *transaction) index(c *collection, d *document) error {
	for _, path := range t.unique[d.Collection] {
		k := uniqueKey(d.Body, path)
		if k == "" {
			continue
		}
		keys := c.keys[path]
		holder := c.documents[keys[k]]
		if holder != nil && holder.ID != d.ID {
			if holder.alive(t.now) {
				return &store.ConflictError{Collection: d.Collection, ID: d.ID, Field: path, Reason: "unique"}
			}
			t.remove(c, holder)
		}
		set(t, keys, k, d.ID)
	}
	return nil
}

// uniqueKey tells values apart that are two for a unique field: 1 and 1.0 are one, 1, "1"
// and true are three. It is empty where there is none.
func uniqueKey(body, path string) string {
	switch v := value.Exact(value.Raw(body), pathOf(path)).(type) {
	case nil:
		return ""
	case string:
		return "s" + v
	case bool:
		return "b" + strconv.FormatBool(v)
	case value.Raw:
		if s := value.Scalar(v); s == nil {
			return ""
		} else if _, raw := s.(value.Raw); !raw {
			return scalarKey(s)
		}
		var out bytes.Buffer
		_ = json.Compact(&out, []byte(v)) // it is JSON, or it would not be here
		return "j" + out.String()
	default:
		return scalarKey(v)
	}
}

func scalarKey(v any) string {
	switch t := v.(type) {
	case string:
		return "s" + t
	case bool:
		return "b" + strconv.FormatBool(t)
	case float64:
		if n := int64(t); float64(n) == t && n > -1<<53 && n < 1<<53 {
			return "n" + strconv.FormatInt(n, 10)
		}
	}
	return fmt.Sprint("n", v)
}

func pathOf(path string) value.Path { return value.NewPath(strings.Split(path, ".")...) }

// Get returns a document or nil.
func (s *Store) Get(ctx context.Context, collection, id string) (out *store.Document, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read document %s/%s: %w", collection, id, err)
	}
	err = s.read(func(st *state) {
		if c := st.documents[collection]; c != nil && c.documents[id].alive(s.clock.Now()) {
			d := c.documents[id].Document
			out = &d
		}
	})
	return out, err
}

// Versions returns the earlier versions of a document, newest first.
func (s *Store) Versions(_ context.Context, collection, id string) (out []store.Document, err error) {
	err = s.read(func(st *state) {
		if c := st.documents[collection]; c != nil {
			for _, v := range c.versions[id] {
				out = append([]store.Document{v.Document}, out...)
			}
		}
	})
	return out, err
}

// Count is how many documents a collection holds.
func (s *Store) Count(_ context.Context, collection string, _ store.Precision) (n int64, err error) {
	err = s.read(func(st *state) {
		if c := st.documents[collection]; c != nil {
			for _, d := range c.documents {
				if d.alive(s.clock.Now()) {
					n++
				}
			}
		}
	})
	return n, err
}
