package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
)

const orderBody = `{"id":"o-%08d","customer":{"id":"c-%06d","name":"Northwind Traders","tier":"gold"},"lines":[` +
	`{"sku":"A-100","name":"Chai, 10 boxes","qty":2,"price":18.00},` +
	`{"sku":"A-101","name":"Chang, 24 bottles","qty":1,"price":19.00},` +
	`{"sku":"B-200","name":"Aniseed syrup","qty":12,"price":10.00},` +
	`{"sku":"B-201","name":"Cajun seasoning","qty":4,"price":22.00},` +
	`{"sku":"C-300","name":"Gumbo mix","qty":3,"price":21.35}],` +
	`"shipping":{"street":"2817 Milton Dr.","city":"Albuquerque","region":"NM","zip":"87110","country":"US"},"note":"leave at the door"}`

const benchDocuments = 200_000

// filled is a store with documents of an order each.
func filled(b *testing.B, n int) *sqlite.Store {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "data.db"), sqlite.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if err := s.Prepare(b.Context(), "r", []store.Collection{{Name: "orders", Index: []string{"customer.id"}}}); err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		insert(b, s, i, 1000)
	}
	return s
}

func insert(b *testing.B, s *sqlite.Store, from, n int) {
	var batch store.Batch
	for i := from; i < from+n; i++ {
		batch.Documents = append(batch.Documents, store.Write{Kind: store.Insert, Collection: "orders", ID: fmt.Sprintf("o-%08d", i),
			Document: fmt.Sprintf(orderBody, i, i/100), IfVersion: -1})
	}
	if _, err := s.Commit(b.Context(), &batch); err != nil {
		b.Fatal(err)
	}
}

// What one document costs that a find without an index passes over.
func BenchmarkFindUnindexed(b *testing.B) {
	s := filled(b, benchDocuments)
	for _, c := range []store.Condition{
		{Path: "id", Op: "==", Value: "o-00077777"},
		{Path: "note", Op: "==", Value: "leave at the back"},
		{Path: "shipping.zip", Op: ">", Value: "9"},
		{Path: "lines.4.price", Op: "<", Value: int64(3)},
	} {
		b.Run(c.Path+" "+c.Op, func(b *testing.B) {
			for range b.N {
				if err := s.Find(b.Context(), store.Query{Collection: "orders", Conditions: []store.Condition{c}}, func(*store.Document) (bool, error) { return true, nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchDocuments, "ns/document")
		})
	}
}

// What a document costs that a find gives, in each order, and one that stops after ten.
func BenchmarkFindAll(b *testing.B) {
	s := filled(b, benchDocuments)
	some := []store.Condition{{Path: "customer.id", Op: ">=", Value: "c-001000"}}
	for _, t := range []struct {
		name  string
		q     store.Query
		limit int
	}{
		{"by id", store.Query{}, benchDocuments},
		{"by an indexed field", store.Query{OrderBy: []store.Order{{Path: "customer.id"}}}, benchDocuments},
		{"by another field", store.Query{OrderBy: []store.Order{{Path: "shipping.zip"}}}, benchDocuments},
		{"a range of an index", store.Query{Conditions: some}, benchDocuments / 2},
		{"ten by id", store.Query{}, 10},
		{"ten by an indexed field", store.Query{OrderBy: []store.Order{{Path: "customer.id"}}}, 10},
	} {
		b.Run(t.name, func(b *testing.B) {
			if t.q.Collection = "orders"; t.limit == 10 {
				t.q.Want = 10
			}
			for range b.N {
				n := 0
				if err := s.Find(b.Context(), t.q, func(*store.Document) (bool, error) { n++; return n < t.limit, nil }); err != nil || n != t.limit {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(t.limit), "ns/document")
		})
	}
}

func BenchmarkCount(b *testing.B) {
	s := filled(b, benchDocuments)
	for b.Loop() {
		if n, err := s.Count(b.Context(), "orders", store.Exact); err != nil || n != benchDocuments {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkInsert(b *testing.B) {
	s := filled(b, 0)
	n := 0
	for b.Loop() {
		insert(b, s, n, 1000)
		n += 1000
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/document")
}
