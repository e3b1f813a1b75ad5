// Package storetest is the suite every store passes: what package store promises,
// as tests.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
)

// Opener opens the same store again and again: what it holds stays between.
type Opener func(t *testing.T, c pipelined.Clock) store.Store

// suite is one test's store.
type suite struct {
	*testing.T
	open  Opener
	clock *clock.Fake
	s     store.Store
}

var epoch = time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)

// Run runs the suite; fresh returns an Opener of a store that is empty at first.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	tests := map[string]func(*suite){
		"a batch happens whole or not at all":               atomic,
		"a refused batch does not concern its neighbours":   independent,
		"events are numbered in order and read back":        events,
		"duplicates within the window are dropped":          dedupe,
		"acknowledged ranges join":                          ranges,
		"a new subscription begins where it says":           subscribe,
		"waiting deliveries stay until released":            deferred,
		"delayed events appear at their time":               delayed,
		"a tick is claimed once":                            ticks,
		"documents have versions and conditions":            documents,
		"unique keys":                                       unique,
		"documents expire":                                  expiry,
		"find orders and filters":                           find,
		"executions and meta":                               history,
		"retention keeps what a subscription has to see":    retention,
		"numbers are never given out again":                 numbers,
		"many at a time":                                    concurrent,
		"a closed store says so and has committed the rest": closing,
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &suite{T: t, open: fresh(t), clock: clock.NewFake(epoch)}
			s.s = s.open(t, s.clock)
			t.Cleanup(func() { s.s.Close() })
			f(s)
		})
	}
}

func (s *suite) reopen() {
	s.Helper()
	if err := s.s.Close(); err != nil {
		s.Fatal(err)
	}
	s.s = s.open(s.T, s.clock)
}

func (s *suite) commit(b *store.Batch) store.Result {
	s.Helper()
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
	n, err := s.s.Count(s.Context(), "c")
	s.must(err)
	return n
}

func (s *suite) subscriptions() []store.Subscription {
	s.Helper()
	list, err := s.s.Subscriptions(s.Context())
	s.must(err)
	return list
}

func atomic(s *suite) {
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"v":1}`)}})
	s.refused(&store.Batch{
		Events:    []*pipelined.Event{event("x", 1)},
		Ticks:     []store.Tick{{Pipeline: "p", Scheduled: epoch}},
		Acks:      []store.Ack{{Subscription: "sub", From: 1, To: 5}},
		Meta:      []store.Meta{{Key: "k", Value: "v"}},
		Documents: []store.Write{put("b", `{"v":2}`), {Kind: store.Insert, Collection: "c", ID: "a", Document: `{}`}},
	}, store.ErrConflict)
	s.reopen()
	last, err := s.s.LastSeq(s.Context())
	meta, merr := s.s.Meta(s.Context(), "k")
	tick, terr := s.s.LastTick(s.Context(), "p")
	s.must(errors.Join(err, merr, terr))
	if last != 0 || meta != "" || !tick.IsZero() || len(s.subscriptions()) != 0 || s.body("b") != "" || s.body("a") != `{"v":1}` {
		s.Errorf("a part of the batch happened: %d events, meta %q, tick %v, b %s", last, meta, tick, s.body("b"))
	}
}

func independent(s *suite) {
	s.commit(&store.Batch{Documents: []store.Write{put("taken", `{}`)}})
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		b := &store.Batch{Documents: []store.Write{put(fmt.Sprint(i), `{}`)}, Events: []*pipelined.Event{event("x", i)}}
		if i%2 == 1 {
			b.Documents = append(b.Documents, store.Write{Kind: store.Insert, Collection: "c", ID: "taken", Document: `{}`})
		}
		wg.Add(1)
		s.s.Submit(b, func(_ store.Result, err error) { errs[i] = err; wg.Done() })
	}
	wg.Wait()
	for i, err := range errs {
		if there := s.body(fmt.Sprint(i)) != ""; there != (i%2 == 0) || errors.Is(err, store.ErrConflict) != (i%2 == 1) {
			s.Errorf("batch %d: %v, its document is there: %v", i, err, there)
		}
	}
	list, err := s.s.Read(s.Context(), 0, 100)
	if err != nil || len(list) != 20 {
		s.Errorf("%d events, %v", len(list), err)
	}
}

func events(s *suite) {
	var batch []*pipelined.Event
	for i := range 100 {
		batch = append(batch, event("order.received", i))
	}
	for i, n := range s.commit(&store.Batch{Events: batch}).Seqs {
		if n != int64(i+1) {
			s.Fatalf("event %d has number %d", i, n)
		}
	}
	s.reopen()
	list, err := s.s.Read(s.Context(), 10, 5)
	if err != nil || len(list) != 5 || list[0].Seq != 11 {
		s.Fatalf("%v %v", list, err)
	}
	got, want := list[0].Event, *event("order.received", 10)
	if got.Data != want.Data || got.ID != want.ID || got.Headers["n"] != "10" || !got.Time.Equal(want.Time) || got.Key != want.Key || got.Source != want.Source {
		s.Errorf("got %+v, want %+v", got, want)
	}
	queries := []struct {
		q    store.EventQuery
		want string
	}{
		{store.EventQuery{Types: []string{"order.*"}, Key: "1", Desc: true, Limit: 2}, "[98 95]"},
		{store.EventQuery{ID: "order.received-0042"}, "[43]"},
		{store.EventQuery{After: 98}, "[99 100]"},
		{store.EventQuery{Types: []string{"other"}}, "[]"},
		{store.EventQuery{Since: epoch.Add(time.Hour)}, "[]"},
	}
	for _, tt := range queries {
		found, err := s.s.FindEvents(s.Context(), tt.q)
		s.must(err)
		seqs := []int64{}
		for _, e := range found {
			seqs = append(seqs, e.Seq)
		}
		if fmt.Sprint(seqs) != tt.want {
			s.Errorf("%+v: %v, want %s", tt.q, seqs, tt.want)
		}
	}
}

func dedupe(s *suite) {
	configure := func() {
		s.must(s.s.Configure(s.Context(), nil, []store.EventType{{Type: "short", Dedupe: time.Minute}}))
	}
	configure()
	once := func(typ string) int64 {
		ev := event(typ, 1)
		ev.DedupeID = "same"
		return s.commit(&store.Batch{Events: []*pipelined.Event{ev}}).Seqs[0]
	}
	if once("short") != 1 || once("short") != 0 || once("long") != 2 || once("long") != 0 {
		s.Error("a duplicate entered the log, or a first did not")
	}
	s.reopen()
	configure()
	s.clock.Advance(2 * time.Minute)
	if once("short") == 0 || once("long") != 0 {
		s.Error("the window of a type is not kept")
	}
}

func ranges(s *suite) {
	_, err := s.s.Subscribe(s.Context(), "sub", 0)
	s.must(err)
	for _, r := range [][2]int64{{5, 6}, {9, 9}, {1, 2}, {7, 8}, {20, 30}, {10, 12}} {
		s.commit(&store.Batch{Acks: []store.Ack{{Subscription: "sub", From: r[0], To: r[1]}}})
	}
	s.reopen()
	list := s.subscriptions()
	want := []store.Ack{{Subscription: "sub", From: 5, To: 12}, {Subscription: "sub", From: 20, To: 30}}
	if len(list) != 1 || list[0].Floor != 2 || !slices.Equal(list[0].Done, want) {
		s.Fatalf("%+v", list)
	}
	s.commit(&store.Batch{Acks: []store.Ack{{Subscription: "sub", From: 3, To: 19}}})
	if list = s.subscriptions(); list[0].Floor != 30 || len(list[0].Done) != 0 {
		s.Errorf("%+v", list)
	}
}

func subscribe(s *suite) {
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2)}})
	begin, err1 := s.s.Subscribe(s.Context(), "old", 0)
	now, err2 := s.s.Subscribe(s.Context(), "new", -1)
	again, err3 := s.s.Subscribe(s.Context(), "old", -1)
	s.must(errors.Join(err1, err2, err3))
	if begin.Floor != 0 || now.Floor != 2 || again.Floor != 0 {
		s.Errorf("%v %v %v", begin, now, again)
	}
	s.must(s.s.Unsubscribe(s.Context(), "old"))
	s.reopen()
	if list := s.subscriptions(); len(list) != 1 || list[0].Name != "new" {
		s.Errorf("%v", list)
	}
}

func deferred(s *suite) {
	ev := store.StoredEvent{Seq: 7, Event: *event("x", 7)}
	r := s.commit(&store.Batch{Acks: []store.Ack{{Subscription: "sub", From: 1, To: 7}}, Defer: []store.Deferred{
		{Subscription: "sub", Event: ev, OrderKey: "k", Due: epoch.Add(time.Hour), Attempt: 2, Problem: `{"type":"x"}`},
		{Subscription: "sub", Event: ev, Due: epoch.Add(time.Minute), Attempt: 3}}})
	s.reopen()
	list, err := s.s.Deferred(s.Context(), "sub")
	if err != nil || len(list) != 2 || list[0].Attempt != 3 || list[1].OrderKey != "k" || list[1].Event.Data != ev.Data ||
		list[1].ID != r.DeferredIDs[0] || !list[1].Due.Equal(epoch.Add(time.Hour)) || list[1].Event.Seq != 7 {
		s.Fatalf("%+v %v", list, err)
	}
	s.commit(&store.Batch{Release: []int64{r.DeferredIDs[0]}})
	s.refused(&store.Batch{Release: []int64{r.DeferredIDs[0]}}, store.ErrConflict)
	if list, err = s.s.Deferred(s.Context(), "sub"); err != nil || len(list) != 1 {
		s.Errorf("%d wait, %v", len(list), err)
	}
}

func delayed(s *suite) {
	s.commit(&store.Batch{Delayed: []store.DelayedEvent{{Event: event("b", 2), Due: epoch.Add(2 * time.Hour)}, {Event: event("a", 1), Due: epoch.Add(time.Hour)}}})
	s.reopen()
	next, err := s.s.NextDelayed(s.Context())
	if err != nil || !next.Equal(epoch.Add(time.Hour)) {
		s.Fatalf("%v %v", next, err)
	}
	early, err := s.s.ReleaseDelayed(s.Context(), epoch, 10)
	if err != nil || len(early) != 0 {
		s.Fatalf("%v %v", early, err)
	}
	list, err := s.s.ReleaseDelayed(s.Context(), epoch.Add(3*time.Hour), 10)
	if err != nil || len(list) != 2 || list[0].Type != "a" || list[0].Seq != 1 || list[1].Headers["n"] != "2" {
		s.Fatalf("%v %v", list, err)
	}
	if next, err = s.s.NextDelayed(s.Context()); err != nil || !next.IsZero() {
		s.Errorf("%v %v", next, err)
	}
}

func ticks(s *suite) {
	for i := range 3 {
		s.commit(&store.Batch{Ticks: []store.Tick{{Pipeline: "p", Scheduled: epoch.Add(time.Duration(i) * time.Hour)}}})
	}
	s.reopen()
	s.refused(&store.Batch{Ticks: []store.Tick{{Pipeline: "p", Scheduled: epoch}}}, store.ErrClaimed)
	s.commit(&store.Batch{Ticks: []store.Tick{{Pipeline: "q", Scheduled: epoch}}})
	if last, err := s.s.LastTick(s.Context(), "p"); err != nil || !last.Equal(epoch.Add(2*time.Hour)) {
		s.Errorf("%v %v", last, err)
	}
}

func documents(s *suite) {
	if r := s.commit(&store.Batch{Documents: []store.Write{put("a", `{"v":1.10}`)}}); r.Versions[0] != 1 {
		s.Errorf("version %d", r.Versions[0])
	}
	s.clock.Advance(time.Hour)
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Merge, Collection: "c", ID: "a", Document: `{"w":2}`, IfVersion: 1}}})
	if s.body("a") != `{"v":1.10,"w":2}` {
		s.Errorf("merged: %s", s.body("a"))
	}
	for _, w := range []store.Write{
		{Kind: store.Insert, Collection: "c", ID: "a", Document: `{}`},
		{Kind: store.Put, Collection: "c", ID: "a", Document: `{}`, IfVersion: 1},
		{Kind: store.Put, Collection: "c", ID: "a", Document: `{}`, IfVersion: -1},
		{Kind: store.Put, Collection: "c", ID: "new", Document: `{}`, IfVersion: 4},
		{Kind: store.Merge, Collection: "c", ID: "new", Document: `{}`},
		{Kind: store.Delete, Collection: "c", ID: "a", IfVersion: 9},
	} {
		s.refused(&store.Batch{Documents: []store.Write{w}}, store.ErrConflict)
	}
	s.reopen()
	d, err := s.s.Get(s.Context(), "c", "a")
	if err != nil || d.Version != 2 || !d.CreatedAt.Equal(epoch) || !d.UpdatedAt.Equal(epoch.Add(time.Hour)) {
		s.Errorf("%+v %v", d, err)
	}
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Delete, Collection: "c", ID: "a"}, {Kind: store.Delete, Collection: "c", ID: "never"}}})
	if s.count() != 0 || s.body("a") != "" {
		s.Errorf("%d documents", s.count())
	}
}

func unique(s *suite) {
	declare := func() error {
		return s.s.Configure(s.Context(), []store.Collection{{Name: "c", Unique: []string{"mail"}, Index: []string{"a.b"}, History: true}}, nil)
	}
	s.must(declare())
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"mail":"x"}`), put("b", `{"mail":null}`), put("d", `{}`)}})
	_, err := s.s.Commit(s.Context(), &store.Batch{Documents: []store.Write{put("e", `{"mail":"x"}`)}})
	var c *store.ConflictError
	if !errors.As(err, &c) || c.Reason != "unique" || c.Field != "mail" {
		s.Errorf("%v", err)
	}
	s.must(s.s.Configure(s.Context(), nil, nil))
	s.commit(&store.Batch{Documents: []store.Write{put("e", `{"mail":"x"}`)}})
	if err := declare(); !errors.Is(err, store.ErrConflict) {
		s.Errorf("a unique key over documents that collide: %v", err)
	}
	if names, err := s.s.CollectionNames(s.Context()); err != nil || !slices.Equal(names, []string{"c"}) {
		s.Errorf("%v %v", names, err)
	}
}

func expiry(s *suite) {
	s.must(s.s.Configure(s.Context(), []store.Collection{{Name: "c", Retain: time.Hour}}, nil))
	w := put("own", `{}`)
	w.Expires = epoch.Add(time.Minute)
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{}`), w}})
	s.clock.Advance(2 * time.Minute)
	if s.count() != 1 || s.body("own") != "" || s.body("a") == "" {
		s.Errorf("%d documents", s.count())
	}
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Insert, Collection: "c", ID: "own", Document: `{"again":true}`}}})
	s.clock.Advance(2 * time.Hour)
	_, err := s.s.Trim(s.Context(), s.clock.Now())
	s.must(err)
	if s.count() != 0 {
		s.Errorf("%d documents", s.count())
	}
}

func find(s *suite) {
	s.must(s.s.Configure(s.Context(), []store.Collection{{Name: "c", Index: []string{"n", "a.b"}}}, nil))
	var b store.Batch
	for i, body := range []string{`{"n":2,"s":"b"}`, `{"n":1.5,"s":"a"}`, `{"n":"2","s":null}`, `{"n":true}`, `{"n":null,"a":{"b":7}}`, `{"n":9007199254740993}`, `{}`, `{"n":"x","odd.key":1}`} {
		b.Documents = append(b.Documents, put(fmt.Sprint(i), body))
	}
	b.Documents = append(b.Documents, store.Write{Collection: "other", ID: "z", Document: `{"n":2}`})
	s.commit(&b)
	ids := func(q store.Query) string {
		q.Collection = "c"
		out := ""
		s.must(s.s.Find(s.Context(), q, func(d *store.Document) (bool, error) { out += d.ID; return true, nil }))
		return out
	}
	tests := []struct {
		op    string
		value any
		needs string // documents that must be there; more may be
	}{
		{"==", int64(2), "0"}, {"==", "2", "2"}, {"==", nil, "46"}, {"==", true, "3"}, {">", 1.4, "015"}, {"<=", int64(2), "01"}, {">=", int64(9007199254740993), "5"},
		{"<", "x", "2"}, {"in", []any{int64(2), "x", nil}, "0467"}, {"in", []any{}, ""}, {"!=", int64(1), "0"}, {">", nil, ""},
	}
	for _, tt := range tests {
		got := ids(store.Query{Conditions: []store.Condition{{Path: "n", Op: tt.op, Value: tt.value}}})
		for _, id := range tt.needs {
			if !slices.Contains([]rune(got), id) {
				s.Errorf("n %s %v: %q lacks %c", tt.op, tt.value, got, id)
			}
		}
	}
	orders := []struct {
		q    store.Query
		want string
	}{
		{store.Query{Conditions: []store.Condition{{Path: "a.b", Op: "==", Value: int64(7)}, {Path: "_id", Op: "==", Value: "4"}}}, "4"},
		{store.Query{OrderBy: []store.Order{{Path: "n"}}}, "46310527"},
		{store.Query{OrderBy: []store.Order{{Path: "_created_at"}, {Path: "_version"}, {Path: "_id", Descending: true}}}, "76543210"},
		{store.Query{}, "01234567"},
	}
	for _, tt := range orders {
		if got := ids(tt.q); got != tt.want {
			s.Errorf("%+v: %q, want %q", tt.q, got, tt.want)
		}
	}
	seen, stop := 0, errors.New("enough")
	err := s.s.Find(s.Context(), store.Query{Collection: "c"}, func(*store.Document) (bool, error) { seen++; return false, nil })
	err2 := s.s.Find(s.Context(), store.Query{Collection: "c"}, func(*store.Document) (bool, error) { return false, stop })
	if err != nil || seen != 1 || !errors.Is(err2, stop) {
		s.Errorf("stopping: %d, %v, %v", seen, err, err2)
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
	s.clock.Advance(60 * 24 * time.Hour)
	_, err = s.s.Trim(s.Context(), s.clock.Now())
	s.must(err)
	if all, err = s.s.FindExecutions(s.Context(), store.ExecutionQuery{}); err != nil || len(all) != 0 {
		s.Errorf("%d executions after two months, %v", len(all), err)
	}
}

func retention(s *suite) {
	s.must(s.s.Configure(s.Context(), nil, []store.EventType{{Type: "long", Retain: 365 * 24 * time.Hour}}))
	_, err := s.s.Subscribe(s.Context(), "slow", 0)
	s.must(err)
	for i := range 10 {
		s.commit(&store.Batch{Events: []*pipelined.Event{event(map[bool]string{true: "long", false: "short"}[i == 2], i)}})
	}
	s.commit(&store.Batch{Acks: []store.Ack{{Subscription: "slow", From: 1, To: 5}}})
	s.clock.Advance(30 * 24 * time.Hour)
	removed, err := s.s.Trim(s.Context(), s.clock.Now())
	s.must(err)
	list, err := s.s.Read(s.Context(), 0, 100)
	if err != nil || removed != 4 || len(list) != 6 || list[0].Type != "long" || list[1].Seq != 6 {
		s.Errorf("%d went, %d stay, %v", removed, len(list), err)
	}
}

func numbers(s *suite) {
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2)}})
	s.clock.Advance(365 * 24 * time.Hour)
	if n, err := s.s.Trim(s.Context(), s.clock.Now()); err != nil || n != 2 {
		s.Fatalf("%d %v", n, err)
	}
	s.reopen()
	if r := s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 3)}}); r.Seqs[0] != 3 {
		s.Errorf("the next event has number %d", r.Seqs[0])
	}
}

func concurrent(s *suite) {
	const workers, each = 16, 50
	_, err := s.s.Subscribe(s.Context(), "sub", 0)
	s.must(err)
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
				if _, err := s.s.Commit(context.Background(), &store.Batch{Acks: []store.Ack{{Subscription: "sub", From: r.Seqs[0], To: r.Seqs[0]}}}); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.reopen()
	if list := s.subscriptions(); len(list) != 1 || list[0].Floor != workers*each || len(list[0].Done) != 0 || s.count() != workers*each {
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
	s.s = s.open(s.T, s.clock)
	if last, err := s.s.LastSeq(s.Context()); err != nil || last != 200 {
		s.Errorf("%d events, %v", last, err)
	}
}
