package memory_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
	"pipelined/internal/store/memory"
	"pipelined/internal/store/sqlite"
)

// TestSameAsSQLite does the same random things to a store in memory and to one in a file:
// each batch has the same end and the same result, and every read gives the same.
func TestSameAsSQLite(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := &pair{T: t, random: rand.New(rand.NewPCG(seed, 1)), clock: clock.NewFake(time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC))}
	path, disk := filepath.Join(t.TempDir(), "data.db"), &memory.Disk{}
	open := func() {
		s, err := sqlite.Open(path, sqlite.Config{Clock: p.clock})
		p.must(err)
		p.stores = []store.Store{disk.Open(p.clock), s}
		p.keep = store.Retain(p.collections(), nil)
		for _, s := range p.stores {
			p.must(errors.Join(s.Prepare(t.Context(), "r", p.collections()), s.Retire(t.Context(), "")))
		}
	}
	closed := func() {
		for _, s := range p.stores {
			p.must(s.Close())
		}
	}
	open()
	for range 200 {
		switch p.random.IntN(12) {
		case 0:
			p.clock.Advance(time.Duration(p.random.IntN(200)) * time.Minute)
		case 1:
			closed()
			open()
		case 2:
			p.compare("trimmed", func(s store.Store) (any, error) { // what has expired may have gone before
				_, err := s.Trim(t.Context(), p.clock.Now(), p.keep)
				return nil, err
			})
		case 3:
			p.compare("released", func(s store.Store) (any, error) { return s.ReleaseDelayed(t.Context(), p.clock.Now(), 3) })
		default:
			b := p.batch()
			p.compare(fmt.Sprintf("%+v", b), func(s store.Store) (any, error) { return s.Commit(t.Context(), b) })
		}
		if p.reads(); t.Failed() {
			break
		}
	}
	closed()
	if p.ends[true] == 0 || p.ends[false] == 0 {
		t.Errorf("of the batches %d happened, %d did not", p.ends[true], p.ends[false])
	}
}

type pair struct {
	*testing.T
	random *rand.Rand
	clock  *clock.Fake
	stores []store.Store
	keep   store.Retention
	names  int
	ends   map[bool]int
}

func (p *pair) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pair) collections() []store.Collection {
	return []store.Collection{{Name: "a", Unique: []string{"u"}, Index: []string{"n"}}, {Name: "b", Index: []string{"n", "u"}, Retain: 3 * time.Hour, History: true}}
}

// compare does something to both.
func (p *pair) compare(what string, do func(store.Store) (any, error)) {
	p.Helper()
	var results []any
	var errs []error
	for _, s := range p.stores {
		r, err := do(s)
		results, errs = append(results, r), append(errs, err)
	}
	var a, b *store.ConflictError
	errors.As(errs[0], &a)
	errors.As(errs[1], &b)
	same := (errs[0] == nil) == (errs[1] == nil) && errors.Is(errs[0], store.ErrTaken) == errors.Is(errs[1], store.ErrTaken) && reflect.DeepEqual(a, b)
	if !same || errs[0] == nil && !reflect.DeepEqual(results[0], results[1]) {
		p.Errorf("%s:\nin memory %+v, %v\nin a file %+v, %v", what, results[0], errs[0], results[1], errs[1])
	}
	if _, is := results[0].(store.Result); is {
		if p.ends == nil {
			p.ends = map[bool]int{}
		}
		p.ends[errs[0] == nil]++
	}
}

// values are of every kind that a document may hold.
var values = []string{`null`, `1`, `1.0`, `2`, `-7.5`, `true`, `false`, `"1"`, `"x"`, `""`, `[1, 2]`, `{"k": 1}`, `12345678901234567`}

func (p *pair) batch() *store.Batch {
	n := p.random.IntN
	b := &store.Batch{}
	if n(2) == 0 {
		b.At = p.clock.Now().Add(time.Duration(n(60)-30) * time.Minute)
	}
	for range n(3) {
		w := store.Write{Kind: store.WriteKind(n(3)), Collection: []string{"a", "b", "c"}[n(3)], ID: fmt.Sprint("d", n(8)), IfVersion: max(int64(n(9))-4, -1), Advance: int64(n(3)), History: n(2) == 0}
		if n(20) > 0 {
			w.IfVersion = max(w.IfVersion, 0)
		}
		if w.Kind != store.Delete {
			w.Document = fmt.Sprintf(`{"u":%s,"n":%s}`, values[n(len(values))], values[n(len(values))])
		}
		if n(4) == 0 {
			w.Expires = p.clock.Now().Add(time.Duration(n(300)) * time.Minute)
		}
		b.Documents = append(b.Documents, w)
	}
	for range n(3) {
		p.names++
		ev := &pipelined.Event{ID: fmt.Sprint("e", p.names), Type: []string{"t", "t.a", "s"}[n(3)], Time: p.clock.Now().Add(time.Duration(n(40)-14) * time.Hour), Key: fmt.Sprint(n(3)), Data: "{}"}
		if n(3) == 0 {
			ev.DedupeID, ev.DedupeFor = fmt.Sprint("same", n(3)), time.Duration(n(3))*time.Hour
		}
		if n(4) == 0 {
			b.Delayed = append(b.Delayed, store.DelayedEvent{Event: ev, Due: p.clock.Now().Add(time.Duration(n(100)) * time.Minute)})
		} else {
			b.Events = append(b.Events, ev)
		}
	}
	switch n(5) {
	case 0:
		b.Defer = append(b.Defer, store.Deferred{ID: fmt.Sprint("w", n(9)), Subscription: "s", Due: p.clock.Now(), Attempt: 2, Event: store.StoredEvent{Seq: int64(n(9)), Event: pipelined.Event{ID: "e", Data: "{}"}}})
	case 1:
		b.Release = append(b.Release, fmt.Sprint("w", n(9)))
	case 2:
		b.Meta = append(b.Meta, store.Meta{Key: fmt.Sprint("k", n(3)), Value: fmt.Sprint(n(3))})
	case 3:
		is := fmt.Sprint(n(3))
		b.Meta = append(b.Meta, store.Meta{Key: fmt.Sprint("k", n(3)), IfValue: &is})
	}
	return b
}

// reads compares everything that can be read.
func (p *pair) reads() {
	ctx := p.Context()
	p.compare("the log", func(s store.Store) (any, error) { list, _, err := s.Read(ctx, 0, 10_000); return list, err })
	p.compare("through", func(s store.Store) (any, error) { _, through, err := s.Read(ctx, 3, 2); return through, err })
	p.compare("events", func(s store.Store) (any, error) {
		return s.FindEvents(ctx, store.EventQuery{Types: []string{"t.*", "s"}, Since: p.clock.Now().Add(-time.Hour), Desc: true, Limit: 7})
	})
	p.compare("what waits", func(s store.Store) (any, error) { return s.Deferred(ctx, store.WaitQuery{Subscription: "s"}) })
	p.compare("texts", func(s store.Store) (any, error) { return s.Metas(ctx, "k") })
	p.compare("what is due", func(s store.Store) (any, error) { return s.NextDelayed(ctx) })
	p.compare("collections", func(s store.Store) (any, error) { return s.CollectionNames(ctx) })
	for _, name := range []string{"a", "b", "c"} {
		p.compare("the count of "+name, func(s store.Store) (any, error) { return s.Count(ctx, name, store.Exact) })
		p.compare("versions in "+name, func(s store.Store) (any, error) { return s.Versions(ctx, name, "d1") })
		for _, by := range []string{"_id", "n", "u", "_updated_at", "_version"} {
			q := store.Query{Collection: name, OrderBy: []store.Order{{Path: by, Descending: p.random.IntN(2) == 0}}}
			p.compare("documents of "+name+" by "+by, func(s store.Store) (list any, err error) {
				var out []store.Document
				return &out, s.Find(ctx, q, func(d *store.Document) (bool, error) { out = append(out, *d); return true, nil })
			})
		}
	}
}
