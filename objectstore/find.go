package objectstore

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"

	"pipelined/internal/expression"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// Where is a condition over documents; the zero Where holds for all.
type Where struct {
	Program *expression.Program
	Frame   *expression.Frame // what else the condition may see
	Slot    int               // where the document is put
}

// FindQuery says what to look for.
type FindQuery struct {
	Collection string
	Where      Where
	OrderBy    []Order // ties, and an empty list, by _id
	Limit      int     // 0: all
	Offset     int
}

// Find returns the documents of a query as a list.
func (s *Session) Find(ctx context.Context, q FindQuery) ([]any, error) {
	list, _, err := s.Page(ctx, q)
	return list, err
}

// Page returns the documents of a query as a list, and whether its limit left any out.
func (s *Session) Page(ctx context.Context, q FindQuery) (list []any, more bool, err error) {
	list = []any{}
	limit := q.Limit
	if limit > 0 {
		q.Limit++ // the one after the last tells that there are more; nobody is shown it
	}
	for d, err := range s.matching(ctx, q) {
		if err != nil {
			return nil, false, err
		}
		if limit > 0 && len(list) == limit {
			return list, true, nil
		}
		s.show(d)
		list = append(list, d.doc)
	}
	return list, false, nil
}

// show notes that the author is shown a document.
func (s *Session) show(d found) {
	s.lock()
	defer s.unlock()
	if d.entry == nil {
		s.see(d.key, seenOf(d.stored), false)
	}
	s.tell(d.key, d.entry)
}

// Stream returns the documents of a query one by one, each once, with little memory.
// What the session writes while the stream is open does not show in it; what others
// commit meanwhile may, in documents that are still to come. Unlike Find it does not
// remember what it gave: who writes a document of a stream back asks for its
// _version.
func (s *Session) Stream(ctx context.Context, q FindQuery) (value.Stream, error) {
	if err := checkCollection(q.Collection); err != nil {
		return nil, err
	}
	next, stop := iter.Pull2(s.matching(ctx, q))
	return &stream{next, stop}, nil
}

type stream struct {
	next func() (found, error, bool)
	stop func()
}

func (s *stream) Next(context.Context) (any, bool, error) {
	d, err, ok := s.next()
	if err != nil || !ok {
		return nil, false, err
	}
	return d.doc, true, nil
}

func (s *stream) Close() error { s.stop(); return nil }

// Count is how many documents a condition holds for.
func (s *Session) Count(ctx context.Context, collection string, w Where) (int, error) {
	if err := checkCollection(collection); err != nil {
		return 0, err
	}
	if w.Program == nil {
		s.lock()
		defer s.unlock()
		return s.countAll(ctx, collection)
	}
	n := 0
	for _, err := range s.matching(ctx, FindQuery{Collection: collection, Where: w}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// countAll counts what is stored, without what the session deleted, with what it
// added.
func (s *Session) countAll(ctx context.Context, collection string) (int, error) {
	stored, err := s.store.Count(ctx, collection, store.Exact)
	if err != nil {
		return 0, unavailable(err)
	}
	n := int(stored)
	for k, e := range s.ownOf(collection) {
		there := e.base.version > 0
		if e.base == (demand{}) { // written without having been read
			d, err := s.store.Get(ctx, k.collection, k.id)
			if err != nil {
				return 0, unavailable(err)
			}
			there = d != nil
		}
		switch {
		case there && !e.exists:
			n--
		case e.exists && !there:
			n++
		}
	}
	return n, nil
}

// Distinct lists the different values of a field, in the order they sort;
// documents without it, or with null, count as none.
func (s *Session) Distinct(ctx context.Context, collection, path string, w Where) ([]any, error) {
	p := pathOf(path)
	seen := map[string]any{}
	for d, err := range s.matching(ctx, FindQuery{Collection: collection, Where: w}) {
		if err != nil {
			return nil, err
		}
		v := value.Exact(d.doc, p)
		if v == nil {
			continue
		}
		text, err := value.JSON(v)
		if err != nil {
			return nil, err
		}
		if _, known := seen[string(text)]; !known {
			seen[string(text)] = v
		}
	}
	out := slices.AppendSeq(make([]any, 0, len(seen)), maps.Values(seen))
	slices.SortFunc(out, func(a, b any) int {
		if c := store.CompareValues(a, b); c != 0 {
			return c
		}
		return cmp.Compare(rank(value.Scalar(a)), rank(value.Scalar(b))) // equal ones of different kinds, 1 and true, must not stand between equal ones
	})
	return slices.CompactFunc(out, value.Equal), nil // 1 and 1.0 are one value
}

// found is a document of a query.
type found struct {
	key    key
	doc    value.Raw       // with its _ fields
	stored *store.Document // nil if it is the session's own
	entry  *entry          // nil if it is stored
}

// each visits the documents a condition holds for, and may write them: all of them or
// none.
func (s *Session) each(ctx context.Context, collection string, w Where, visit func(key, *store.Document, *entry) error) error {
	var all []found // first read, then write: a write must not meet its own reading
	q := FindQuery{Collection: collection, Where: w}
	sel, err := s.selection(ctx, q)
	if err != nil {
		return err
	}
	err = sel.run(ctx, func(d found, _ error) bool { all = append(all, d); return true })
	if err != nil {
		return err
	}
	at := s.home()
	before := at.Mark()
	for _, d := range all {
		if err := visit(d.key, d.stored, d.entry); err != nil {
			at.rollback(before)
			return err
		}
	}
	return nil
}
