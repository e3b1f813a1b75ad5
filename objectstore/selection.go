package objectstore

import (
	"context"
	"iter"
	"slices"

	"pipelined/internal/store"
)

// ownOf is what the session and its parents made of the documents of a collection.
func (s *Session) ownOf(collection string) map[key]*entry {
	out := map[key]*entry{}
	for level := s; level != nil; level = level.parent {
		for k, e := range level.entries {
			if _, hidden := out[k]; k.collection == collection && !hidden {
				out[k] = e
			}
		}
	}
	return out
}

// matching gives the documents of a query in order: stored ones, with the
// session's own in the place of those it wrote.
func (s *Session) matching(ctx context.Context, q FindQuery) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		sel, err := s.atOnce(ctx, q)
		if err == nil {
			err = sel.run(ctx, yield)
		}
		if err != nil {
			yield(found{}, err)
		}
	}
}

// atOnce is a selection of what there is at this moment.
func (s *Session) atOnce(ctx context.Context, q FindQuery) (*selection, error) {
	s.lock()
	defer s.unlock()
	return s.selection(ctx, q)
}

// selection is a query over what there is at one moment. What is written later does
// not show in it.
type selection struct {
	*Session
	FindQuery
	where  *where
	hidden map[key]*entry // what takes the place of stored documents
	own    []found
	by     ordering
}

func (s *Session) selection(ctx context.Context, q FindQuery) (*selection, error) {
	if err := checkCollection(q.Collection); err != nil {
		return nil, err
	}
	sel := &selection{Session: s, FindQuery: q, where: newWhere(q.Where), hidden: s.ownOf(q.Collection), by: newOrdering(q.OrderBy)}
	var err error
	sel.own, err = s.ownMatching(ctx, sel.hidden, sel.where, sel.by)
	return sel, err
}

func (s *selection) run(ctx context.Context, yield func(found, error) bool) error {
	out := &window{skip: s.Offset, left: s.Limit, own: s.own, by: s.by, yield: yield}
	want := 0
	if s.Limit > 0 {
		want = s.Offset + s.Limit + len(s.hidden)
	}
	err := s.store.Find(ctx, store.Query{Collection: s.Collection, Conditions: s.where.pushed(), OrderBy: s.OrderBy, Want: want},
		func(d *store.Document) (bool, error) {
			k := key{s.Collection, d.ID}
			if s.hidden[k] != nil {
				return true, nil
			}
			f := found{key: k, doc: Shown(d), stored: d}
			ok, err := s.where.holds(f.doc)
			if err != nil || !ok {
				return err == nil, err
			}
			return out.stored(f), nil
		})
	if err != nil {
		return readProblem(err)
	}
	out.rest()
	return nil
}

// window is the part of a result that is asked for. It puts the session's own
// documents, which are sorted, in between the stored ones as they come.
type window struct {
	skip, left int // a left of 0 at the start is no limit
	own        []found
	by         ordering
	yield      func(found, error) bool
	full       bool
}

func (w *window) give(d found) bool {
	if w.skip > 0 {
		w.skip--
		return true
	}
	w.full = !w.yield(d, nil)
	w.left--
	w.full = w.full || w.left == 0
	return !w.full
}

// stored gives a stored document after the own ones that come before it.
func (w *window) stored(d found) bool {
	for len(w.own) > 0 && w.by.compare(w.own[0], d) <= 0 {
		first := w.own[0]
		w.own = w.own[1:]
		if !w.give(first) {
			return false
		}
	}
	return w.give(d)
}

// rest gives the own documents that come after every stored one.
func (w *window) rest() {
	for ; !w.full && len(w.own) > 0; w.own = w.own[1:] {
		w.give(w.own[0])
	}
}

// readProblem keeps problems of the condition and wraps those of the store.
func readProblem(err error) error {
	if isProblem(err) {
		return err
	}
	return unavailable(err)
}

// ownMatching returns those of the session's own documents that match, sorted.
func (s *Session) ownMatching(ctx context.Context, own map[key]*entry, w *where, by ordering) ([]found, error) {
	var out []found
	for k, e := range own {
		if !e.exists {
			continue
		}
		e, err := s.versioned(ctx, k, e)
		if err != nil {
			return nil, err
		}
		f := found{key: k, doc: s.shown(k, e), entry: e}
		ok, err := w.holds(f.doc)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, by.compare)
	return out, nil
}
