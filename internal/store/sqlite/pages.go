package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"pipelined/internal/store"
)

// What a page of a search holds at most. The first is smaller: most searches want few.
const (
	firstPage = 128
	nextPage  = 512
	pageBytes = 1 << 20
)

// Find reads the documents page by page. While yield runs it holds nothing: no
// connection, no snapshot. Two ways lead from a page to the next:
//
//   - by the id of the last document, where documents are looked through in the order of
//     their ids;
//   - else, since sorting again for each page would take quadratic time and a document
//     may move meanwhile, by a list of all that match, in order. It takes sixteen bytes a
//     document, and is made at the start, or, where few are wanted or an index finds them,
//     when the first page was not enough.
//
// Documents that come while the search is under way have higher rows than those that
// were there, and are not in it: who writes one for each that is found comes to an end.
func (s *Store) Find(ctx context.Context, q store.Query, yield func(*store.Document) (bool, error)) error {
	f, err := s.newSearch(q)
	if err != nil {
		return fmt.Errorf("search %s: %w", q.Collection, err)
	}
	defer f.done()
	begin := f.first
	// What an index finds is mostly few; what has to be sorted is sorted once.
	if !f.byID && (q.Want == 0 && len(q.OrderBy) > 0 || q.Want > firstPage) {
		begin = f.whole
	}
	page, full, err := begin(ctx)
	for err == nil && len(page) > 0 {
		for _, d := range page {
			if more, err := yield(d); err != nil || !more {
				return err
			}
		}
		if !full {
			return nil
		}
		page, full, err = f.next(ctx, page)
	}
	if err != nil {
		return s.failed(err, "search %s", q.Collection)
	}
	return nil
}

// search is a query on its way.
type search struct {
	s          *Store
	collection string
	where      string // of the SQL, with args
	args       []any
	now        int64
	order      string
	byID       bool // the pages follow the ids
	descending bool
	done       func()

	lastRow  int64   // of the table, when the first page had been read
	edge     string  // the last id of the collection then, in the direction of the search
	list     []place // what is left of it
	haveList bool
}

// place is a document in the list: its row, and a sum of its id, since the row of one
// that is gone may be given to another.
type place struct {
	row int64
	sum uint64
}

var seed = maphash.MakeSeed()

func (s *Store) newSearch(q store.Query) (*search, error) {
	f := &search{s: s, collection: q.Collection, done: func() {}, byID: true}
	where := []string{"collection = " + literal(q.Collection)}
	f.now = micros(s.cfg.Clock.Now())
	indexed := s.declared.indexed(q.Collection)
	var rest []store.Matcher
	for _, c := range q.Conditions {
		has := slices.Contains(indexed, c.Path)
		if m, ok := c.Matcher(); ok && short(c) && !has && !isColumn(c.Path) {
			rest = append(rest, m)
		} else if text, more, ok := condition(c); ok {
			where, f.args = append(where, text), append(f.args, more...)
			f.byID = f.byID && !has
		}
	}
	if len(rest) > 0 { // the conditions that no index helps with
		number, done := s.filters.add(rest)
		f.done = done
		where, f.args = append(where, passes+"(?, body)"), append(f.args, number)
	}
	f.where = strings.Join(where, " and ")
	if len(q.OrderBy) > 0 {
		f.byID = f.byID && q.OrderBy[0].Path == "_id"
		f.descending = f.byID && q.OrderBy[0].Descending
	}
	var err error
	if f.order, err = order(q.OrderBy); err != nil {
		f.done()
	}
	return f, err
}

// isColumn reports whether a path is one of the fields that are columns.
func isColumn(path string) bool {
	return path == "_id" || path == "_version" || path == "_created_at" || path == "_updated_at"
}

// alive leaves out what has expired.
const alive = " and (expires = 0 or expires > ?)"

// first reads the first page. If there may be more, it notes where the collection ends.
func (f *search) first(ctx context.Context) (page []*store.Document, full bool, err error) {
	if page, full, err = f.page(ctx, f.where+alive+" order by "+f.order, firstPage, append(slices.Clip(f.args), f.now)...); err != nil || !full {
		return page, false, err
	}
	last := "max"
	if f.descending {
		last = "min"
	}
	err = f.s.read.QueryRowContext(ctx, "select (select max(rowid) from documents), (select "+last+"(id) from documents where collection = ?)", f.collection).Scan(&f.lastRow, &f.edge)
	return page, true, err
}

// whole makes the list and reads the first documents of it.
func (f *search) whole(ctx context.Context) ([]*store.Document, bool, error) {
	f.lastRow = math.MaxInt64
	return f.listed(ctx, nil)
}

// page reads documents until there are enough of them.
func (f *search) page(ctx context.Context, where string, most int, args ...any) (page []*store.Document, full bool, err error) {
	rows, err := f.s.search.QueryContext(ctx, "select id, version, created, updated, body from documents where "+where+" limit ?", append(slices.Clip(args), most)...)
	size := 0
	err = each(rows, err, f.document, func(d *store.Document) bool {
		page = append(page, d)
		size += len(d.Body)
		full = len(page) == most || size >= pageBytes
		return !full
	})
	return page, full, err
}

func (f *search) document(rows *sql.Rows) (*store.Document, error) {
	d := &store.Document{Collection: f.collection}
	var created, updated int64
	err := rows.Scan(&d.ID, &d.Version, &created, &updated, &d.Body)
	d.CreatedAt, d.UpdatedAt = fromMicros(created), fromMicros(updated)
	return d, err
}

// next reads the page after one that was full.
func (f *search) next(ctx context.Context, before []*store.Document) ([]*store.Document, bool, error) {
	if !f.byID {
		return f.listed(ctx, before)
	}
	beyond := " and id > ? and id <= ?"
	if f.descending {
		beyond = " and id < ? and id >= ?"
	}
	args := append(slices.Clip(f.args), f.now, before[len(before)-1].ID, f.edge, f.lastRow)
	return f.page(ctx, f.where+alive+beyond+" and rowid <= ? order by "+f.order, nextPage, args...)
}

// listed reads the next documents of the list.
func (f *search) listed(ctx context.Context, before []*store.Document) (page []*store.Document, more bool, err error) {
	if !f.haveList {
		if err := f.makeList(ctx, before); err != nil {
			return nil, false, err
		}
	}
	for len(page) == 0 && len(f.list) > 0 { // those of a page may all be gone
		n := min(len(f.list), nextPage)
		if page, n, err = f.fetch(ctx, f.list[:n]); err != nil {
			return nil, false, err
		}
		f.list = f.list[n:]
	}
	return page, len(f.list) > 0, nil
}

// makeList lists what matches, expired or not: without a look at that, an index may be
// all that has to be read.
func (f *search) makeList(ctx context.Context, first []*store.Document) error {
	f.haveList = true
	seen := map[uint64]bool{}
	for _, d := range first {
		seen[maphash.String(seed, d.ID)] = true
	}
	rows, err := f.s.search.QueryContext(ctx, "select rowid, id from documents where "+f.where+" and rowid <= ? order by "+f.order, append(slices.Clip(f.args), f.lastRow)...)
	scan := func(rows *sql.Rows) (p place, err error) {
		var id sql.RawBytes
		err = rows.Scan(&p.row, &id)
		p.sum = maphash.Bytes(seed, id)
		return p, err
	}
	return each(rows, err, scan, func(p place) bool {
		if !seen[p.sum] {
			f.list = append(f.list, p)
		}
		return true
	})
}

// fetch reads the documents of some places, in their order, without those that are gone,
// and tells how many places it got through.
func (f *search) fetch(ctx context.Context, places []place) (page []*store.Document, through int, err error) {
	numbers := make([]int64, len(places))
	for i, p := range places {
		numbers[i] = p.row
	}
	text, err := json.Marshal(numbers)
	if err != nil {
		return nil, 0, err
	}
	rows, err := f.s.search.QueryContext(ctx, `select d.id, d.version, d.created, d.updated, d.body, j.key from json_each(?) j cross join documents d
		on d.rowid = j.value where d.collection = ? and (d.expires = 0 or d.expires > ?) order by j.key`, string(text), f.collection, f.now)
	through = len(places)
	size, at := 0, 0
	scan := func(rows *sql.Rows) (*store.Document, error) {
		d := &store.Document{Collection: f.collection}
		var created, updated int64
		err := rows.Scan(&d.ID, &d.Version, &created, &updated, &d.Body, &at)
		d.CreatedAt, d.UpdatedAt = fromMicros(created), fromMicros(updated)
		return d, err
	}
	err = each(rows, err, scan, func(d *store.Document) bool {
		if maphash.String(seed, d.ID) != places[at].sum {
			return true
		}
		page = append(page, d)
		if size += len(d.Body); size >= pageBytes {
			through = at + 1
		}
		return size < pageBytes
	})
	return page, through, err
}
