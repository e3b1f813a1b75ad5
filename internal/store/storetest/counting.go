package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"pipelined/internal/store"
)

// counting does random things to some collections, many batches at a time, refused
// and impossible ones among them: whatever happened, Count is how many documents Find
// finds, and what has expired counts no longer, trimmed or not.
func counting(s *suite) {
	seed := uint64(time.Now().UnixNano())
	s.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	declare := func() {
		list := []store.Collection{{Name: "c0", Retain: 5 * time.Hour}, {Name: "c1", Index: []string{"k"}}, {Name: "c2", Unique: []string{"k"}}, {Name: "c3", History: true}}
		_ = s.prepare(list[r.IntN(2):]) // documents that collide are refused, and stay
	}
	declare()
	outcomes := map[bool]int{}
	for range 60 {
		switch r.IntN(10) {
		case 0:
			s.reopen()
			declare()
		case 1:
			declare()
		case 2, 3:
			s.clock.Advance(time.Duration(r.IntN(6)) * time.Hour)
		case 4:
			_, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep)
			s.must(err)
		default:
			for _, err := range s.submit(r) {
				outcomes[err == nil]++
			}
		}
		if s.compareCounts(); s.Failed() {
			return
		}
	}
	if outcomes[true] == 0 || outcomes[false] == 0 {
		s.Errorf("%d batches happened, %d did not", outcomes[true], outcomes[false])
	}
}

// submit submits some batches of random writes at once.
func (s *suite) submit(r *rand.Rand) []error {
	errs := make([]error, 1+r.IntN(30))
	var wg sync.WaitGroup
	for i := range errs {
		b := &store.Batch{}
		for range 1 + r.IntN(4) {
			w := store.Write{Kind: store.WriteKind(r.IntN(3)), Collection: fmt.Sprint("c", r.IntN(4)), ID: fmt.Sprint("d", r.IntN(12)), Document: fmt.Sprintf(`{"k":%d}`, r.IntN(10))}
			if r.IntN(3) == 0 {
				w.Kind, w.Expires = store.Put, s.clock.Now().Add(time.Duration(r.IntN(8))*time.Hour)
			}
			if r.IntN(40) == 0 {
				w.Document = `{"k":`
			}
			b.Documents = append(b.Documents, w)
		}
		wg.Add(1)
		s.s.Submit(s.keeping(b), func(_ store.Result, err error) { errs[i] = err; wg.Done() })
	}
	wg.Wait()
	return errs
}

func (s *suite) compareCounts() {
	s.Helper()
	names := []string{"c0", "c1", "c2", "c3", "nobody's"}
	for _, name := range names {
		found := int64(0)
		s.must(s.s.Find(s.Context(), store.Query{Collection: name}, func(*store.Document) (bool, error) { found++; return true, nil }))
		if n, err := s.s.Count(s.Context(), name, store.Exact); err != nil || n != found {
			s.Errorf("%s holds %d documents, counted %d, %v", name, found, n, err)
		}
		list, err := s.s.CollectionNames(s.Context())
		if s.must(err); found > 0 && !slices.Contains(list, name) {
			s.Errorf("%s holds documents and is not listed: %v", name, list)
		}
	}
}
