package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// many is more documents than any page holds.
const many = 700

// searches are queries that lead from page to page in different ways. All documents
// match all of them.
func searches() map[string]store.Query {
	up := func(path string, descending bool) []store.Order {
		return []store.Order{{Path: path, Descending: descending}}
	}
	return map[string]store.Query{
		"by id":                   {},
		"by id, descending":       {OrderBy: up("_id", true)},
		"by an indexed field":     {OrderBy: up("i", false)},
		"by another field":        {OrderBy: up("n", true)},
		"by when it was written":  {OrderBy: up("_updated_at", false)},
		"few are wanted":          {OrderBy: up("n", false), Want: 3},
		"a range of an index":     {Conditions: []store.Condition{{Path: "i", Op: ">=", Value: int64(0)}}},
		"a value of an index":     {Conditions: []store.Condition{{Path: "same", Op: "==", Value: "x"}}},
		"a range without one":     {Conditions: []store.Condition{{Path: "n", Op: ">=", Value: int64(0)}}},
		"both, few are wanted":    {Conditions: []store.Condition{{Path: "n", Op: ">=", Value: int64(0)}, {Path: "i", Op: ">=", Value: int64(0)}}, Want: 9},
		"a field of every record": {Conditions: []store.Condition{{Path: "_version", Op: ">=", Value: int64(1)}}},
	}
}

func (s *suite) fill(q *store.Query, collection string) {
	s.Helper()
	q.Collection = collection
	s.must(s.prepare([]store.Collection{{Name: collection, Index: []string{"i", "same"}}}))
	b := &store.Batch{}
	for i := range many {
		b.Documents = append(b.Documents, store.Write{Collection: collection, ID: fmt.Sprintf("d%05d", i), Document: fmt.Sprintf(`{"n":%d,"i":%d,"same":"x"}`, i*7919%many, i/10)})
	}
	s.commit(b)
}

// findWhileWriting writes to the collection in every way while it goes through it: those
// that were there all the time are given once each, in order, the others at most once.
func findWhileWriting(s *suite) {
	n := 0
	for name, q := range searches() {
		n++
		s.fill(&q, fmt.Sprint("f", n))
		given, gone := map[string]int{}, map[string]bool{}
		write := func(w store.Write) {
			w.Collection = q.Collection
			s.commit(&store.Batch{Documents: []store.Write{w}})
		}
		at := 0
		s.must(s.s.Find(s.Context(), q, func(d *store.Document) (bool, error) {
			given[d.ID]++
			at++
			switch {
			case at%13 == 0: // what was given changes its place
				write(store.Write{ID: d.ID, Document: `{"n":999999,"i":999999,"same":"x"}`})
			case at%17 == 0: // what may be to come, too
				id := fmt.Sprintf("d%05d", (at*31)%many)
				write(store.Write{ID: id, Document: fmt.Sprintf(`{"n":%d,"i":0,"same":"x"}`, at)})
			case at%19 == 0: // goes
				id := fmt.Sprintf("d%05d", (at*37)%many)
				gone[id] = true
				write(store.Write{Kind: store.Delete, ID: id})
			case at%23 == 0: // goes, and is made again
				gone[d.ID] = true
				s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Delete, Collection: q.Collection, ID: d.ID}, {Collection: q.Collection, ID: d.ID, Document: `{"n":1,"i":1,"same":"x"}`}}})
			case at%29 == 0: // comes
				write(store.Write{ID: fmt.Sprintf("d%05d-%d", (at*41)%many, at), Document: `{"n":5,"i":5,"same":"x"}`})
			}
			return true, nil
		}))
		for i := range many {
			if id := fmt.Sprintf("d%05d", i); given[id] != 1 && !gone[id] {
				s.Errorf("%s: %s was given %d times", name, id, given[id])
			}
		}
		for id, n := range given {
			if n > 1 {
				s.Errorf("%s: %s was given %d times", name, id, n)
			}
		}
		if s.Failed() {
			return
		}
	}
}

// findAndInsert inserts and replaces a document for each that is found.
func findAndInsert(s *suite) {
	n := 0
	for name, q := range searches() {
		n++
		s.fill(&q, fmt.Sprint("f", n))
		turns := 0
		s.must(s.s.Find(s.Context(), q, func(d *store.Document) (bool, error) {
			if turns++; turns > 5*many {
				return false, fmt.Errorf("%s: it does not end", name)
			}
			s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Delete, Collection: q.Collection, ID: d.ID},
				{Collection: q.Collection, ID: fmt.Sprintf("e%07d", turns), Document: `{"n":3,"i":3,"same":"x"}`}}})
			return true, nil
		}))
		if turns < many {
			s.Errorf("%s: %d turns", name, turns)
		}
	}
}

// through reads on from what was looked at, which is more than what is there.
func through(s *suite) {
	read := func(after int64, limit int, want string, to int64) {
		s.Helper()
		list, through, err := s.s.Read(s.Context(), after, limit)
		s.must(err)
		var seqs []string
		for _, e := range list {
			seqs = append(seqs, fmt.Sprint(e.Seq))
		}
		if strings.Join(seqs, " ") != want || through != to {
			s.Errorf("after %d: %v through %d, want %s through %d", after, seqs, through, want, to)
		}
	}
	read(0, 10, "", 0)
	for n := range 6 {
		s.commit(&store.Batch{Events: []*pipelined.Event{event(map[bool]string{true: "kept", false: "old"}[n == 2], n)}})
	}
	read(0, 4, "1 2 3 4", 4)
	read(4, 4, "5 6", 6)
	read(4, 2, "5 6", 6)
	read(6, 2, "", 6)
	s.clock.Advance(48 * time.Hour)
	keep := store.Retention{Events: time.Hour, Types: map[string]time.Duration{"kept": 1000 * time.Hour}}
	_, err := s.s.Trim(s.Context(), s.clock.Now(), keep)
	s.must(err)
	for range 2 {
		read(0, 1, "3", 3)
		read(0, 9, "3", 6)
		read(3, 9, "", 6)
		s.reopen()
	}
}

// waitPages reads what waits in pages, by due time, with equal times among them.
func waitPages(s *suite) {
	b := &store.Batch{}
	for i := range 2500 {
		b.Defer = append(b.Defer, store.Deferred{ID: fmt.Sprintf("w%04d", i*997%2500), Subscription: "sub", Event: store.StoredEvent{Seq: int64(i), Event: *event("x", i)},
			Due: epoch.Add(time.Duration(i%7) * time.Minute), Attempt: 2})
	}
	s.commit(b)
	s.commit(&store.Batch{Defer: []store.Deferred{{ID: "w0000", Subscription: "sub", Due: epoch.Add(99 * time.Hour), Attempt: 9}}}) // it stays as it is
	for _, limit := range []int{0, 300, 2500, 5000} {
		var all []store.Deferred
		q := store.WaitQuery{Subscription: "sub", Limit: limit}
		for {
			page, err := s.s.Deferred(s.Context(), q)
			s.must(err)
			if len(page) == 0 {
				break
			}
			all = append(all, page...)
			q.AfterDue, q.AfterID = page[len(page)-1].Due, page[len(page)-1].ID
		}
		sorted := slices.IsSortedFunc(all, func(a, b store.Deferred) int {
			if c := a.Due.Compare(b.Due); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		})
		if len(all) != 2500 || !sorted {
			s.Errorf("pages of %d: %d wait, sorted %v", limit, len(all), sorted)
		}
	}
	due, err := s.s.Deferred(s.Context(), store.WaitQuery{Subscription: "sub", Before: epoch.Add(time.Minute), Limit: 5000})
	if s.must(err); len(due) != 358+357 {
		s.Errorf("%d are due in a minute", len(due))
	}
	none, err := s.s.Deferred(s.Context(), store.WaitQuery{Subscription: "other"})
	if other, err2 := s.s.Deferred(s.Context(), store.WaitQuery{Subscription: "sub", Partition: 1}); err != nil || err2 != nil || len(none)+len(other) > 0 {
		s.Errorf("%d and %d of nobody, %v, %v", len(none), len(other), err, err2)
	}
}
