package objectstore

import (
	"context"
	"fmt"
	"net/http"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// free makes sure that no other document holds a value of body's unique fields, as
// far as the session can see. The store has the last word at the commit; looked for
// here, a value that is taken is an error of the step that writes it, which its
// retry, on_error and catch see, and not one of the whole execution.
func (s *Session) free(ctx context.Context, k key, body value.Raw) error {
	for _, path := range s.kept.of(k.collection).Unique {
		c, ok := newComparison(path, "==", value.Exact(body, pathOf(path)))
		if !ok || c.Value == nil {
			continue // null and missing may repeat; lists and objects are compared at the commit
		}
		if err := s.promised(k, c, path); err != nil {
			return err
		}
		holder, err := s.holder(ctx, k, c)
		if err != nil {
			return err
		}
		if holder != "" {
			return pipelined.Problemf(TypeConflict, "A value is taken", http.StatusConflict,
				"%s/%s: another document, %s, has the same %s, which is unique", k.collection, k.id, holder, path)
		}
	}
	return nil
}

// holder is the id of another document that c holds for; empty if there is none. 1 and
// 1.0 are one value, 1, "1" and true are three.
func (s *Session) holder(ctx context.Context, k key, c comparison) (id string, err error) {
	own := s.ownOf(k.collection)
	for o, e := range own {
		if o != k && e.exists && c.same(e.body) {
			return o.id, nil
		}
	}
	err = s.store.Find(ctx, store.Query{Collection: k.collection, Conditions: []store.Condition{c.Condition}, Want: 2},
		func(d *store.Document) (bool, error) {
			o := key{k.collection, d.ID}
			if o != k && own[o] == nil && c.same(value.Raw(d.Body)) {
				id = d.ID
			}
			return id == "", nil
		})
	if err != nil {
		return "", unavailable(fmt.Errorf("look for another document with the same %s: %w", c.Path, err))
	}
	return id, nil
}

// promised makes sure that no sibling holds the value in a part that may still fail.
func (s *Session) promised(k key, c comparison, path string) error {
	if s.view == nil {
		return nil
	}
	for o, list := range s.view.held {
		for _, h := range list {
			if e := h.entries[o]; o.collection == k.collection && o != k && !s.within(h) && e.exists && c.same(e.body) {
				mine, other := s.siblings(h)
				return between(k, fmt.Sprintf("%s has written %s with the same %s, which is unique, in a part that may still fail, when %s writes it",
					other, o.id, path, mine))
			}
		}
	}
	return nil
}

// same reports whether a document has the value: 1 and 1.0 are one value, 1, "1" and
// true are three.
func (c *comparison) same(doc value.Raw) bool {
	other := value.Scalar(value.Exact(doc, pathOf(c.Path)))
	return other != nil && rank(other) == rank(c.Value) && value.Equal(other, c.Value)
}
