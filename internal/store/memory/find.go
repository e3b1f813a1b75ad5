package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

// Find lists what matches, and reads each document again when its turn comes.
func (s *Store) Find(ctx context.Context, q store.Query, yield func(*store.Document) (bool, error)) error {
	var list []*document
	if err := s.read(func(st *state) { list = st.matching(q, s.clock.Now()) }); err != nil {
		return fmt.Errorf("search %s: %w", q.Collection, err)
	}
	sortDocuments(list, q.OrderBy)
	for _, was := range list {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("search %s: %w", q.Collection, err)
		}
		var d *store.Document
		err := s.read(func(st *state) {
			is := st.documents[q.Collection].documents[was.ID]
			if is.alive(s.clock.Now()) && is.row == was.row {
				found := is.Document
				d = &found
			}
		})
		if err != nil {
			return fmt.Errorf("search %s: %w", q.Collection, err)
		}
		if d == nil {
			continue
		}
		if more, err := yield(d); err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *state) matching(q store.Query, now time.Time) (out []*document) {
	c := s.documents[q.Collection]
	if c == nil {
		return nil
	}
	var matchers []store.Matcher
	for _, cond := range q.Conditions {
		if m, ok := cond.Matcher(); ok && !isField(cond.Path) {
			matchers = append(matchers, m)
		}
	}
	for _, d := range c.documents {
		holds := func(m store.Matcher) bool { return m.Holds(value.Raw(d.Body)) }
		if d.alive(now) && !slices.ContainsFunc(matchers, func(m store.Matcher) bool { return !holds(m) }) {
			out = append(out, d)
		}
	}
	return out
}

// isField reports whether a path is a field that every document has.
func isField(path string) bool {
	return path == "_id" || path == "_version" || path == "_created_at" || path == "_updated_at"
}

// sortDocuments sorts as a query says, ties by id.
func sortDocuments(list []*document, by []store.Order) {
	keys := map[*document][]any{}
	for _, d := range list {
		for _, o := range by {
			keys[d] = append(keys[d], sortKey(d, o.Path))
		}
	}
	slices.SortFunc(list, func(a, b *document) int {
		for i, o := range by {
			c := store.CompareValues(keys[a][i], keys[b][i])
			if o.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return strings.Compare(a.ID, b.ID)
	})
}

func sortKey(d *document, path string) any {
	switch path {
	case "_id":
		return d.ID
	case "_version":
		return int(d.Version)
	case "_created_at":
		return int(d.CreatedAt.UnixMicro())
	case "_updated_at":
		return int(d.UpdatedAt.UnixMicro())
	}
	return value.Get(value.Raw(d.Body), pathOf(path))
}
