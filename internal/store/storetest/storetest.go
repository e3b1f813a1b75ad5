// Package storetest is the suite every store passes: what package store promises,
// as tests.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
)

// Opener opens the same store again and again: what it holds stays between.
type Opener func(t *testing.T, c pipelined.Clock) (store.Store, error)

// Features is what not every store can.
type Features struct {
	// Several: it can be open several times at once, as in several processes. One that
	// cannot refuses the second with store.ErrLocked.
	Several bool
}

// suite is one test's store.
type suite struct {
	*testing.T
	opener Opener
	clock  *clock.Fake
	s      store.Store
	kept   map[string]store.Collection // as the revision in use declares them
	keep   store.Retention
}

var epoch = time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)

// Run runs the suite; fresh returns an Opener of a store that is empty at first.
func Run(t *testing.T, f Features, fresh func(t *testing.T) Opener) {
	tests := cases()
	if f.Several {
		maps.Copy(tests, several())
	} else {
		tests["it is open once at a time"] = alone
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &suite{T: t, opener: fresh(t), clock: clock.NewFake(epoch)}
			s.s = s.open()
			t.Cleanup(func() { s.s.Close() })
			test(s)
		})
	}
}

// cases are the tests of every store.
func cases() map[string]func(*suite) {
	return map[string]func(*suite){
		"a batch happens whole or not at all":                whole,
		"a refused batch does not concern its neighbours":    independent,
		"an impossible batch fails alone":                    impossible,
		"events are numbered in order and read back":         events,
		"events are found by patterns of types":              patterns,
		"duplicates within the window are dropped":           dedupe,
		"a batch happens at its own moment":                  moments,
		"an event that is far ahead is refused":              ahead,
		"the log goes by when an event was appended":         appended,
		"an index is built for all and dropped by the last":  prepared,
		"a number is acknowledged once":                      acks,
		"of many who acknowledge a number one does":          contendedAcks,
		"acknowledged ranges join":                           ranges,
		"what nobody waits for is whole or not there":        doubt,
		"a new subscription begins where it says":            subscribe,
		"a partition is leased, and given back":              leases,
		"what is owed something is not forgotten":            forgotten,
		"waiting deliveries stay until released":             deferred,
		"events set aside come back group by group":          parked,
		"delayed events appear at their time":                delayed,
		"a claim is acquired, proven, and done":              claims,
		"a claim acquired again is another":                  epochs,
		"a claim given up is free":                           dropped,
		"a claim carries a text":                             claimValues,
		"of many who claim a thing one does it":              contendedClaims,
		"held claims are listed by their keys":               listed,
		"a cursor moves under its epoch":                     cursors,
		"texts change where they are as expected":            metaConditions,
		"the last tick is one that is done":                  ticks,
		"documents have versions and conditions":             documents,
		"a document made again is another one":               madeAgain,
		"one write may count for several":                    advance,
		"earlier versions are kept where they are asked for": versions,
		"unique keys": unique,
		"values of different kinds are different keys": uniqueKinds,
		"documents expire":                                      expiry,
		"what has expired holds no unique key":                  expiredKeys,
		"what a collection holds is counted":                    counting,
		"find stops where its reader says":                      findStops,
		"find gives what a condition holds for, in order":       findEverything,
		"who walks through a search may search":                 findInFind,
		"every document that is there is given once":            findWhileWriting,
		"a find that writes what it looks for ends":             findAndInsert,
		"the log is read through, trimmed or not":               through,
		"what waits is read page by page":                       waitPages,
		"executions and meta":                                   history,
		"retention keeps what a subscription has to see":        retention,
		"retention keeps the events of waiting deliveries":      retentionOfWaiting,
		"a collection shrinks by its oldest documents":          shrinks,
		"retention keeps the last tick, and what is held":       retentionOfClaims,
		"numbers are never given out again":                     numbers,
		"many at a time":                                        concurrent,
		"a closed store says so and has committed the rest":     closing,
		"whatever is done in any order, the store is as it was": modelled,
	}
}

// open opens the store, once more if it is open already.
func (s *suite) open() store.Store {
	s.Helper()
	opened, err := s.opener(s.T, s.clock)
	s.must(err)
	return opened
}

func (s *suite) reopen() {
	s.Helper()
	if err := s.s.Close(); err != nil {
		s.Fatal(err)
	}
	s.s = s.open()
}

// prepare is what a revision does that takes the place of the one before.
func (s *suite) prepare(list []store.Collection) error {
	s.Helper()
	if err := s.s.Prepare(s.Context(), "revision", list); err != nil {
		return err
	}
	s.kept, s.keep = map[string]store.Collection{}, store.Retain(list, nil)
	for _, c := range list {
		s.kept[c.Name] = c
	}
	return s.s.Retire(s.Context(), "none")
}

// keeping says in the writes of a batch how their collections are kept.
func (s *suite) keeping(b *store.Batch) *store.Batch {
	for i := range b.Documents {
		w := &b.Documents[i]
		if c := s.kept[w.Collection]; w.Kind != store.Delete && w.Expires.IsZero() {
			w.Expires = c.Expires(s.clock.Now())
		}
		w.History = s.kept[w.Collection].History
	}
	return b
}

func (s *suite) commit(b *store.Batch) store.Result {
	s.Helper()
	s.keeping(b)
	r, err := s.s.Commit(s.Context(), b)
	s.must(err)
	return r
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) refused(b *store.Batch, want error) {
	s.Helper()
	if _, err := s.s.Commit(s.Context(), b); !errors.Is(err, want) {
		s.Errorf("got %v, want %v", err, want)
	}
}

func event(typ string, n int) *pipelined.Event {
	return &pipelined.Event{ID: fmt.Sprintf("%s-%04d", typ, n), Type: typ, Source: "/t/p", Time: epoch, Key: fmt.Sprint(n % 3),
		Headers: map[string]string{"n": fmt.Sprint(n)}, Data: fmt.Sprintf(`{"n":%d, "d":1.10}`, n), Attempt: 1}
}

func put(id, doc string) store.Write {
	return store.Write{Kind: store.Put, Collection: "c", ID: id, Document: doc}
}

func (s *suite) body(id string) string {
	s.Helper()
	d, err := s.s.Get(s.Context(), "c", id)
	s.must(err)
	if d == nil {
		return ""
	}
	return d.Body
}

func (s *suite) count() int64 {
	s.Helper()
	n, err := s.s.Count(s.Context(), "c", store.Exact)
	s.must(err)
	return n
}

func (s *suite) last() int64 {
	s.Helper()
	n, err := s.s.LastSeq(s.Context())
	s.must(err)
	return n
}

// ack is an acknowledgement of a subscription that is there.
func (s *suite) ack(name string, from, seq int64) store.Ack {
	s.Helper()
	l := s.lease(name)
	return store.Ack{Subscription: name, Partition: l.Partition, Epoch: l.Epoch, From: from, Seq: seq}
}

func (s *suite) fold(name string, from, to int64) store.Fold {
	s.Helper()
	l := s.lease(name)
	return store.Fold{Subscription: name, Partition: l.Partition, Epoch: l.Epoch, From: from, To: to}
}

// lease is the lease of a subscription of one partition.
func (s *suite) lease(name string) store.Lease {
	s.Helper()
	list, err := s.s.Acquire(s.Context(), name)
	s.must(err)
	if len(list) != 1 || list[0].Subscription != name || list[0].Epoch == 0 {
		s.Fatalf("leases of %s: %+v", name, list)
	}
	return list[0]
}

func (s *suite) subscribe(name string, from int64) {
	s.Helper()
	s.must(s.s.Subscribe(s.Context(), name, from))
}

func (s *suite) subscriptions() []store.Subscription {
	s.Helper()
	list, err := s.s.Subscriptions(s.Context())
	s.must(err)
	return list
}

func whole(s *suite) {
	s.subscribe("sub", 0)
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"v":1}`)}})
	held := s.claim(store.TickClaim, store.Tick{Pipeline: "p", Scheduled: epoch}.Key(), "other", "third")
	s.refused(&store.Batch{
		Events:    []*pipelined.Event{event("x", 1)},
		Claims:    []store.Claim{held[0].Claim},
		Drop:      []store.Claim{held[1].Claim},
		Values:    []store.ClaimValue{{Claim: held[2].Claim, Value: "x"}},
		Acks:      []store.Ack{s.ack("sub", 1, 5)},
		Meta:      []store.Meta{{Key: "k", Value: "v"}},
		Documents: []store.Write{put("b", `{"v":2}`), {Kind: store.Insert, Collection: "c", ID: "a", Document: `{}`}},
	}, store.ErrConflict)
	s.reopen()
	last := s.last()
	meta, merr := s.s.Meta(s.Context(), "k")
	s.must(merr)
	if last != 0 || meta != "" || !s.lastTick("p").IsZero() || s.held(store.TickClaim, "") != "other#1 "+held[0].Key+"#1 third#1 " || s.subscriptions()[0].Floor != 0 || s.body("b") != "" || s.body("a") != `{"v":1}` {
		s.Errorf("a part of the batch happened: %d events, meta %q, held %s, b %s", last, meta, s.held(store.TickClaim, ""), s.body("b"))
	}
}

func independent(s *suite) {
	s.commit(&store.Batch{Documents: []store.Write{put("taken", `{}`)}})
	s.subscribe("sub", 0)
	s.commit(&store.Batch{Folds: []store.Fold{s.fold("sub", 1, 7)}})
	done := s.ack("sub", 0, 7)
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		b := &store.Batch{Documents: []store.Write{put(fmt.Sprint(i), `{}`)}, Events: []*pipelined.Event{event("x", i)}}
		switch i % 4 {
		case 1:
			b.Documents = append(b.Documents, store.Write{Kind: store.Insert, Collection: "c", ID: "taken", Document: `{}`})
		case 3:
			b.Acks = []store.Ack{done}
		}
		wg.Add(1)
		s.s.Submit(b, func(_ store.Result, err error) { errs[i] = err; wg.Done() })
	}
	wg.Wait()
	want := []error{nil, store.ErrConflict, nil, store.ErrTaken}
	for i, err := range errs {
		if there := s.body(fmt.Sprint(i)) != ""; there != (i%2 == 0) || !errors.Is(err, want[i%4]) {
			s.Errorf("batch %d: %v, its document is there: %v", i, err, there)
		}
	}
	list, _, err := s.s.Read(s.Context(), 0, 100)
	if err != nil || len(list) != 20 {
		s.Errorf("%d events, %v", len(list), err)
	}
}

// impossible batches are neither conflicts nor the medium's failure: a text that is
// no document cannot go into an index.
func impossible(s *suite) {
	s.must(s.prepare([]store.Collection{{Name: "c", Index: []string{"n"}}}))
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		b := &store.Batch{Documents: []store.Write{put(fmt.Sprintf("%02d", i), `{"n":1}`)}, Events: []*pipelined.Event{event("x", i)}}
		if i == 7 {
			b.Documents[0].Document = `{"n":`
		}
		wg.Add(1)
		s.s.Submit(b, func(_ store.Result, err error) { errs[i] = err; wg.Done() })
	}
	wg.Wait()
	for i, err := range errs {
		if (err != nil) != (i == 7) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
			s.Errorf("batch %d: %v", i, err)
		}
	}
	list, _, err := s.s.Read(s.Context(), 0, 100)
	if err != nil || len(list) != 19 || list[18].Seq != 19 || s.count() != 19 {
		s.Errorf("%d events, %d documents, %v", len(list), s.count(), err)
	}
}

func history(s *suite) {
	for i := range 5 {
		status := []string{"ok", "failed"}[i%2]
		s.commit(&store.Batch{Executions: []store.Execution{{ID: fmt.Sprint("x", i), Pipeline: fmt.Sprint("p", i%2), Status: status,
			StartedAt: epoch.Add(time.Duration(i) * time.Minute), Input: `{"a":1}`}}})
	}
	s.commit(&store.Batch{Meta: []store.Meta{{Key: "k", Value: "one"}}})
	s.commit(&store.Batch{Meta: []store.Meta{{Key: "k", Value: "two"}, {Key: "gone", Value: "x"}}})
	s.commit(&store.Batch{Meta: []store.Meta{{Key: "gone"}}})
	s.reopen()
	list, err := s.s.FindExecutions(s.Context(), store.ExecutionQuery{Pipeline: "p1", Status: "failed", Since: epoch.Add(2 * time.Minute), Limit: 5})
	if err != nil || len(list) != 1 || list[0].ID != "x3" || list[0].Input != `{"a":1}` {
		s.Errorf("%+v %v", list, err)
	}
	all, err := s.s.FindExecutions(s.Context(), store.ExecutionQuery{})
	if err != nil || len(all) != 5 || all[0].ID != "x4" {
		s.Errorf("%+v %v", all, err)
	}
	one, err1 := s.s.GetExecution(s.Context(), "x2")
	none, err2 := s.s.GetExecution(s.Context(), "nobody")
	v, err3 := s.s.Meta(s.Context(), "k")
	gone, err4 := s.s.Meta(s.Context(), "gone")
	s.must(errors.Join(err1, err2, err3, err4))
	if one == nil || none != nil || v != "two" || gone != "" {
		s.Errorf("%v %v %q %q", one, none, v, gone)
	}
	s.commit(&store.Batch{Meta: []store.Meta{{Key: "k/b", Value: "2"}, {Key: "k/a", Value: "1"}, {Key: "l", Value: "3"}}})
	some, err := s.s.Metas(s.Context(), "k/")
	if want := []store.Meta{{Key: "k/a", Value: "1"}, {Key: "k/b", Value: "2"}}; err != nil || !slices.Equal(some, want) {
		s.Errorf("%v, %v", some, err)
	}
	s.clock.Advance(60 * 24 * time.Hour)
	_, err = s.s.Trim(s.Context(), s.clock.Now(), s.keep)
	s.must(err)
	if all, err = s.s.FindExecutions(s.Context(), store.ExecutionQuery{}); err != nil || len(all) != 0 {
		s.Errorf("%d executions after two months, %v", len(all), err)
	}
}

func concurrent(s *suite) {
	const workers, each = 16, 50
	s.subscribe("sub", 0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", w, i)
				r, err := s.s.Commit(context.Background(), &store.Batch{Events: []*pipelined.Event{event("x", w*each+i)}, Documents: []store.Write{put(id, `{}`)}})
				if err != nil {
					s.Error(err)
					return
				}
				if d, err := s.s.Get(context.Background(), "c", id); err != nil || d == nil {
					s.Errorf("what was just committed is not there: %v", err)
				}
				if _, err := s.s.Commit(context.Background(), &store.Batch{Acks: []store.Ack{s.ack("sub", 0, r.Seqs[0])}}); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.reopen()
	if list := s.subscriptions(); len(list) != 1 || list[0].Floor != workers*each || s.count() != workers*each {
		s.Errorf("%+v, %d documents", list, s.count())
	}
}

func closing(s *suite) {
	done := make(chan error, 200)
	for i := range 200 {
		s.s.Submit(&store.Batch{Events: []*pipelined.Event{event("x", i)}}, func(_ store.Result, err error) { done <- err })
	}
	s.must(s.s.Close())
	s.must(s.s.Close()) // twice is harmless
	for range 200 {
		if err := <-done; err != nil {
			s.Errorf("submitted before the end: %v", err)
		}
	}
	s.refused(&store.Batch{}, store.ErrClosed)
	_, err1 := s.s.Get(s.Context(), "c", "a")
	_, _, err2 := s.s.Read(s.Context(), 0, 1)
	_, err3 := s.s.LastSeq(s.Context())
	err4 := s.s.Find(s.Context(), store.Query{Collection: "c"}, nil)
	for _, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, store.ErrClosed) {
			s.Errorf("reading a closed store: %v", err)
		}
	}
	s.s = s.open()
	if last, err := s.s.LastSeq(s.Context()); err != nil || last != 200 {
		s.Errorf("%d events, %v", last, err)
	}
}

// doubt ends the context of many commits while they are under way. What is told of
// each is what happened.
func doubt(s *suite) {
	const commits = 300
	errs := make([]error, commits)
	var wg sync.WaitGroup
	for i := range errs {
		ctx, cancel := context.WithCancel(s.Context())
		wg.Go(func() {
			b := &store.Batch{Documents: []store.Write{put(fmt.Sprint(i), `{}`)}, Events: []*pipelined.Event{event("x", i)}}
			_, errs[i] = s.s.Commit(ctx, b)
		})
		if i%3 > 0 {
			go cancel()
		} else {
			defer cancel()
		}
	}
	wg.Wait()
	s.reopen()
	for i, err := range errs {
		there := s.body(fmt.Sprint(i)) != ""
		switch {
		case err == nil && there, errors.Is(err, store.ErrUnavailable) && !there, errors.Is(err, store.ErrInDoubt):
		default:
			s.Errorf("commit %d: %v, it is there: %v", i, err, there)
		}
		if i%3 == 0 && err != nil {
			s.Errorf("commit %d, whose context did not end: %v", i, err)
		}
	}
	if s.last() != s.count() {
		s.Errorf("%d events and %d documents", s.last(), s.count())
	}
	ended, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.s.Commit(ended, &store.Batch{Documents: []store.Write{put("never", `{}`)}}); !errors.Is(err, context.Canceled) {
		s.Errorf("with a context that has ended: %v", err)
	}
}
