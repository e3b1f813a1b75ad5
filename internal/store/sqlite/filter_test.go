package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
)

// numbered is a store with documents {"n": 0} to {"n": 99} and no index.
func numbered(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open("", sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &store.Batch{}
	for i := range 100 {
		b.Documents = append(b.Documents, store.Write{Collection: "c", ID: fmt.Sprintf("%02d", i), Document: fmt.Sprintf(`{"n":%d,"half":%d}`, i, i/2)})
	}
	if _, err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s
}

func found(ctx context.Context, s *sqlite.Store, conditions ...store.Condition) (string, error) {
	var ids []string
	err := s.Find(ctx, store.Query{Collection: "c", Conditions: conditions}, func(d *store.Document) (bool, error) {
		ids = append(ids, d.ID)
		return true, nil
	})
	return strings.Join(ids, " "), err
}

// Searches at the same time, and inside each other, keep their conditions apart, and
// none of them is remembered when they have ended, however they ended.
func TestSearchesKeepTheirConditionsApart(t *testing.T) {
	t.Parallel()
	s := numbered(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			n := store.Condition{Path: "n", Op: ">=", Value: int64(2 * i)}
			half := store.Condition{Path: "half", Op: "==", Value: int64(i)}
			want := fmt.Sprintf("%02d %02d", 2*i, 2*i+1)
			if got, err := found(t.Context(), s, n, half); got != want || err != nil {
				t.Errorf("%s, want %s, %v", got, want, err)
			}
			err := s.Find(t.Context(), store.Query{Collection: "c", Conditions: []store.Condition{n}}, func(d *store.Document) (bool, error) {
				if got, err := found(t.Context(), s, half); got != want || err != nil {
					t.Errorf("inside: %s, want %s, %v", got, want, err)
				}
				return i%2 == 0 && d.ID < "90", nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stop := errors.New("enough")
	err := s.Find(t.Context(), store.Query{Collection: "c", Conditions: []store.Condition{{Path: "n", Op: "<", Value: 3.5}}}, func(*store.Document) (bool, error) { return true, stop })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, cerr := found(ended, s, store.Condition{Path: "n", Op: "==", Value: int64(1)}); !errors.Is(err, stop) || cerr == nil {
		t.Errorf("%v, %v", err, cerr)
	}
	if n := s.Filters(); n != 0 {
		t.Errorf("%d searches are remembered", n)
	}
}

// The conditions no index helps with are held against documents exactly.
func TestConditionsWithoutAnIndexAreExact(t *testing.T) {
	t.Parallel()
	s := numbered(t)
	for _, tt := range []struct {
		conditions []store.Condition
		want       string
	}{
		{[]store.Condition{{Path: "n", Op: "<", Value: 1.5}}, "00 01"},
		{[]store.Condition{{Path: "n", Op: "==", Value: true}}, ""},
		{[]store.Condition{{Path: "n", Op: ">", Value: int64(97)}, {Path: "_id", Op: "<", Value: "99"}}, "98"},
		{[]store.Condition{{Path: "n", Op: "in", Value: []any{"1", int64(7), 8.0, nil}}}, "07 08"},
		{[]store.Condition{{Path: "missing", Op: "==", Value: nil}, {Path: "half", Op: "==", Value: int64(3)}}, "06 07"},
	} {
		if got, err := found(t.Context(), s, tt.conditions...); got != tt.want || err != nil {
			t.Errorf("%v: %q, want %q, %v", tt.conditions, got, tt.want, err)
		}
	}
}
