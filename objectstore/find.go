package objectstore

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

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

// Order is one sort key.
type Order = store.Order

// ParseOrder reads sort keys as authors write them: paths, a leading - for
// descending.
func ParseOrder(paths []string) []Order {
	var out []Order
	for _, p := range paths {
		name, descending := strings.CutPrefix(p, "-")
		out = append(out, Order{Path: name, Descending: descending})
	}
	return out
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
	list := []any{}
	for d, err := range s.matching(ctx, q) {
		if err != nil {
			return nil, err
		}
		if d.entry == nil {
			s.see(d.key, d.version)
		}
		list = append(list, d.doc)
	}
	return list, nil
}

// Stream returns the documents of a query one by one, with constant memory. What
// is written while the stream is open does not show in it.
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
	if w.Program == nil && !s.touches(collection) {
		n, err := s.store.Count(ctx, collection)
		if err != nil {
			return 0, unavailable(err)
		}
		return int(n), nil
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

// Distinct lists the different values of a field, in the order they sort;
// documents without it, or with null, count as none.
func (s *Session) Distinct(ctx context.Context, collection, path string, w Where) ([]any, error) {
	p := value.NewPath(strings.Split(path, ".")...)
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
		seen[string(text)] = v
	}
	out := slices.Collect(maps.Values(seen))
	slices.SortFunc(out, compareSort)
	if out == nil {
		out = []any{}
	}
	return out, nil
}

// found is a document of a query.
type found struct {
	key     key
	doc     value.Raw // with its _ fields
	version int64
	stored  *store.Document // nil if it is the session's own
	entry   *entry          // nil if it is stored
}

// each visits the documents a condition holds for, and may write them.
func (s *Session) each(ctx context.Context, collection string, w Where, visit func(key, *store.Document, *entry) error) error {
	var all []found // first read, then write: a write must not meet its own reading
	for d, err := range s.matching(ctx, FindQuery{Collection: collection, Where: w}) {
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	for _, d := range all {
		if err := visit(d.key, d.stored, d.entry); err != nil {
			return err
		}
	}
	return nil
}

// touches reports whether the session wrote to a collection.
func (s *Session) touches(collection string) bool {
	for ; s != nil; s = s.parent {
		for k := range s.entries {
			if k.collection == collection {
				return true
			}
		}
	}
	return false
}

// matching gives the documents of a query in order: stored ones, with the
// session's own in the place of those it wrote.
func (s *Session) matching(ctx context.Context, q FindQuery) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		if err := checkCollection(q.Collection); err != nil {
			yield(found{}, err)
			return
		}
		w := newWhere(q.Where)
		own, hides, err := s.ownMatching(q, w)
		if err != nil {
			yield(found{}, err)
			return
		}
		skip, left := q.Offset, q.Limit
		give := func(d found) bool {
			if skip > 0 {
				skip--
				return true
			}
			if !yield(d, nil) {
				return false
			}
			left--
			return left != 0 // a limit of 0 never gets there
		}
		stopped := false
		err = s.store.Find(ctx, store.Query{Collection: q.Collection, Conditions: w.conditions(), OrderBy: q.OrderBy},
			func(d *store.Document) (bool, error) {
				k := key{q.Collection, d.ID}
				if hides[k] {
					return true, nil
				}
				f := found{key: k, doc: shown(d), version: d.Version, stored: d}
				ok, err := w.holds(f.doc)
				if err != nil || !ok {
					return err == nil, err
				}
				for len(own) > 0 && compareFound(own[0], f, q.OrderBy) <= 0 {
					if !give(own[0]) {
						stopped = true
						return false, nil
					}
					own = own[1:]
				}
				stopped = !give(f)
				return !stopped, nil
			})
		if err != nil {
			yield(found{}, readProblem(err))
			return
		}
		for ; !stopped && len(own) > 0; own = own[1:] {
			stopped = !give(own[0])
		}
	}
}

// readProblem keeps problems of the condition and wraps those of the store.
func readProblem(err error) error {
	if isProblem(err) {
		return err
	}
	return unavailable(err)
}

// ownMatching returns the session's own documents that match, sorted, and which
// stored ones they hide.
func (s *Session) ownMatching(q FindQuery, w *where) (own []found, hides map[key]bool, err error) {
	for level := s; level != nil; level = level.parent {
		for k, e := range level.entries {
			if k.collection != q.Collection || hides[k] {
				continue
			}
			if hides == nil {
				hides = map[key]bool{}
			}
			hides[k] = true
			if !e.exists {
				continue
			}
			f := found{key: k, doc: s.shown(k, e), version: e.version, entry: e}
			ok, err := w.holds(f.doc)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				own = append(own, f)
			}
		}
	}
	slices.SortFunc(own, func(a, b found) int { return compareFound(a, b, q.OrderBy) })
	return own, hides, nil
}

// where is a condition on its way through many documents.
type where struct {
	Where
	frame *expression.Frame
}

func newWhere(w Where) *where {
	out := &where{Where: w}
	if w.Program != nil {
		out.frame = w.Frame.Fork()
	}
	return out
}

func (w *where) holds(doc value.Raw) (bool, error) {
	if w.Program == nil {
		return true, nil
	}
	w.frame.Slots[w.Slot] = doc
	return w.Program.Bool(w.frame)
}

// conditions is what the store may use. A value that cannot be evaluated is left
// out: evaluating the whole condition will tell why.
func (w *where) conditions() []store.Condition {
	if w.Program == nil {
		return nil
	}
	pushed, _ := expression.Pushdown(w.Program, "doc")
	var out []store.Condition
	for _, p := range pushed {
		v, err := p.Value.Eval(w.frame)
		if err != nil {
			continue
		}
		if c, ok := condition(p.Path, p.Op, v); ok {
			out = append(out, c)
		}
	}
	return out
}

// condition makes a store's condition of a comparison, if the store can answer it.
func condition(path, op string, v any) (store.Condition, bool) {
	c := store.Condition{Path: path, Op: op}
	if op != "in" {
		var ok bool
		c.Value, ok = scalarOf(v)
		return c, ok
	}
	list, err := value.Elements(v)
	if err != nil {
		return c, false
	}
	values := make([]any, len(list))
	for i, e := range list {
		var ok bool
		if values[i], ok = scalarOf(e); !ok {
			return c, false
		}
	}
	c.Value = values
	return c, true
}

// scalarOf returns a value as the store compares it.
func scalarOf(v any) (any, bool) {
	switch t := value.Scalar(v).(type) {
	case nil, bool, string, float64, int64:
		return t, true
	case int:
		return int64(t), true
	case time.Time:
		return nil, false // texts of times need not sort as times do
	}
	return nil, false
}

// compareFound orders documents as the store does.
func compareFound(a, b found, order []Order) int {
	for _, o := range order {
		p := value.NewPath(strings.Split(o.Path, ".")...)
		c := compareSort(value.Get(a.doc, p), value.Get(b.doc, p))
		if o.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.key.id, b.key.id)
}

// compareSort orders values of any kinds: null, numbers and booleans (false is 0,
// true is 1), texts, everything else by its JSON.
func compareSort(a, b any) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if c, ok := value.Compare(asNumber(a), asNumber(b)); ok {
		return c
	}
	x, _ := value.JSON(a)
	y, _ := value.JSON(b)
	return strings.Compare(string(x), string(y))
}

func rank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case bool, int, int64, float64:
		return 1
	case string:
		return 2
	}
	return 3
}

func asNumber(v any) any {
	if b, ok := v.(bool); ok {
		if b {
			return 1
		}
		return 0
	}
	return v
}
