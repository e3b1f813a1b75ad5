package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

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
	list, _, err := s.s.Read(s.Context(), 10, 5)
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
	once := func(typ string) int64 {
		ev := event(typ, 1)
		ev.DedupeID = "same"
		if typ == "short" {
			ev.DedupeFor = time.Minute
		}
		return s.commit(&store.Batch{Events: []*pipelined.Event{ev}}).Seqs[0]
	}
	later := func(typ string) bool {
		ev := event(typ, 1)
		ev.DedupeID = "same"
		added := s.commit(&store.Batch{Delayed: []store.DelayedEvent{{Event: ev, Due: s.clock.Now().Add(time.Hour)}}}).Delayed
		return len(added) == 1 && added[0]
	}
	if once("short") != 1 || once("short") != 0 || once("long") != 2 || once("long") != 0 {
		s.Error("a duplicate entered the log, or a first did not")
	}
	if later("short") || !later("delayed") || later("delayed") || once("delayed") != 0 {
		s.Error("a duplicate waits, or a first does not, or the result says otherwise")
	}
	s.reopen()
	s.clock.Advance(2 * time.Minute)
	if once("short") == 0 || once("long") != 0 {
		s.Error("the window of a type is not kept")
	}
}

// acks acknowledges every way that is refused, and checks that nothing else of such
// a batch happens.
func acks(s *suite) {
	for n := range 9 {
		s.commit(&store.Batch{Events: []*pipelined.Event{event("x", n)}})
	}
	s.subscribe("sub", 0)
	s.commit(&store.Batch{Acks: []store.Ack{s.ack("sub", 1, 3), s.ack("sub", 5, 6), s.ack("sub", 0, 8)}})
	lost, elsewhere := s.ack("sub", 0, 4), s.ack("sub", 0, 4)
	lost.Epoch += 7
	elsewhere.Partition += 7
	old := s.fold("sub", 4, 4)
	old.Epoch += 7
	refused := map[string]store.Batch{
		"the number itself":        {Acks: []store.Ack{s.ack("sub", 0, 3)}},
		"one that was folded":      {Acks: []store.Ack{s.ack("sub", 0, 2)}},
		"one above the floor":      {Acks: []store.Ack{s.ack("sub", 4, 6)}},
		"one of several":           {Acks: []store.Ack{s.ack("sub", 0, 4), s.ack("sub", 0, 8)}},
		"twice in one batch":       {Acks: []store.Ack{s.ack("sub", 0, 4), s.ack("sub", 0, 4)}},
		"another epoch":            {Acks: []store.Ack{lost}},
		"another partition":        {Acks: []store.Ack{elsewhere}},
		"no subscription":          {Acks: []store.Ack{{Subscription: "none", Epoch: lost.Epoch - 7, Seq: 4}}},
		"a fold of another epoch":  {Folds: []store.Fold{old}},
		"a fold of nobody's place": {Folds: []store.Fold{{Subscription: "none", Epoch: lost.Epoch - 7, From: 1, To: 1}}},
	}
	for name, b := range refused {
		b.Events, b.Documents = []*pipelined.Event{event("y", 1)}, []store.Write{put("d", `{}`)}
		if _, err := s.s.Commit(s.Context(), &b); !errors.Is(err, store.ErrTaken) || errors.Is(err, store.ErrConflict) {
			s.Errorf("%s: %v", name, err)
		}
	}
	s.reopen()
	at, last := s.lease("sub"), s.last()
	want := []store.Range{{From: 5, To: 6}, {From: 8, To: 8}}
	if at.Floor != 3 || !slices.Equal(at.Done, want) || last != 9 || s.count() != 0 {
		s.Errorf("%+v, %d events, %d documents", at, last, s.count())
	}
	s.commit(&store.Batch{Acks: []store.Ack{s.ack("sub", 0, 4), s.ack("sub", 0, 7)}})
	if at = s.lease("sub"); at.Floor != 8 || len(at.Done) != 0 {
		s.Errorf("%+v", at)
	}
}

// contendedAcks has several claim every number at the same time.
func contendedAcks(s *suite) {
	const numbers, workers = 60, 8
	for n := range numbers {
		s.commit(&store.Batch{Events: []*pipelined.Event{event("x", n)}})
	}
	s.subscribe("sub", 0)
	claim := s.ack("sub", 0, 0)
	var won [numbers + 1]atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range numbers {
				a := claim
				if a.Seq = int64(i + 1); w%2 == 1 {
					a.Seq = int64(numbers - i)
				}
				_, err := s.s.Commit(context.Background(), &store.Batch{Acks: []store.Ack{a}, Documents: []store.Write{put(fmt.Sprint(a.Seq, "by", w), `{}`)}})
				switch {
				case err == nil:
					won[a.Seq].Add(1)
				case !errors.Is(err, store.ErrTaken):
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for n := 1; n <= numbers; n++ {
		if won[n].Load() != 1 {
			s.Errorf("number %d was claimed %d times", n, won[n].Load())
		}
	}
	s.reopen()
	if list := s.subscriptions(); list[0].Floor != numbers || s.count() != numbers {
		s.Errorf("%+v, %d documents", list, s.count())
	}
}

func ranges(s *suite) {
	s.subscribe("sub", 0)
	for i, r := range [][2]int64{{5, 6}, {9, 9}, {1, 2}, {7, 8}, {20, 30}, {10, 12}} {
		if i%2 == 0 {
			s.commit(&store.Batch{Acks: []store.Ack{s.ack("sub", r[0], r[1])}})
		} else {
			s.commit(&store.Batch{Folds: []store.Fold{s.fold("sub", r[0], r[1])}})
		}
	}
	s.reopen()
	at := s.lease("sub")
	want := []store.Range{{From: 5, To: 12}, {From: 20, To: 30}}
	if at.Floor != 2 || !slices.Equal(at.Done, want) {
		s.Fatalf("%+v", at)
	}
	s.commit(&store.Batch{Folds: []store.Fold{s.fold("sub", 3, 19), s.fold("sub", 1, 30)}}) // they may cover what is done
	if at = s.lease("sub"); at.Floor != 30 || len(at.Done) != 0 {
		s.Errorf("%+v", at)
	}
}

func subscribe(s *suite) {
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2)}})
	s.subscribe("old", 0)
	s.subscribe("new", -1)
	s.subscribe("old", -1) // it is there
	want := []store.Subscription{{Name: "new", Floor: 2}, {Name: "old", Floor: 0}}
	for range 2 {
		if list := s.subscriptions(); !slices.Equal(list, want) {
			s.Errorf("%v", list)
		}
		s.reopen()
	}
}

// leases are given, renewed and given back; who has none acknowledges nothing.
func leases(s *suite) {
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2), event("x", 3)}})
	if _, err := s.s.Acquire(s.Context(), "sub"); !errors.Is(err, store.ErrTaken) {
		s.Errorf("of nothing: %v", err)
	}
	s.subscribe("sub", 0)
	first := s.lease("sub")
	if same := s.lease("sub"); same.Epoch != first.Epoch || ended(same) {
		s.Errorf("%+v, asked again %+v", first, same)
	}
	ack := func(l store.Lease, seq int64) *store.Batch {
		return &store.Batch{Acks: []store.Ack{{Subscription: "sub", Partition: l.Partition, Epoch: l.Epoch, Seq: seq}}}
	}
	s.commit(ack(first, 1))
	s.must(s.s.Renew(s.Context(), []store.Lease{first}))
	s.must(s.s.Release(s.Context(), []store.Lease{first}))
	s.must(s.s.Release(s.Context(), []store.Lease{first})) // twice is harmless
	s.refused(ack(first, 2), store.ErrTaken)
	s.refused(&store.Batch{Folds: []store.Fold{{Subscription: "sub", Epoch: first.Epoch, From: 2, To: 2}}}, store.ErrTaken)
	if err := s.s.Renew(s.Context(), []store.Lease{first}); !errors.Is(err, store.ErrTaken) || !ended(first) {
		s.Errorf("renewed after it was given back: %v, ended %v", err, ended(first))
	}
	second := s.lease("sub")
	if second.Epoch == first.Epoch || second.Floor != 1 || ended(second) {
		s.Errorf("%+v after %+v", second, first)
	}
	s.refused(ack(first, 2), store.ErrTaken)
	s.commit(ack(second, 2))
	s.reopen()
	if !ended(second) {
		s.Error("a lease outlives its store")
	}
	s.refused(ack(second, 3), store.ErrTaken) // nobody has it
	if third := s.lease("sub"); third.Floor != 2 {
		s.Errorf("%+v", third)
	}
}

// ended reports whether a lease is lost.
func ended(l store.Lease) bool {
	select {
	case <-l.Lost:
		return true
	default:
		return false
	}
}

func deferred(s *suite) {
	ev := store.StoredEvent{Seq: 7, Event: *event("x", 7)}
	s.subscribe("sub", 0)
	s.commit(&store.Batch{Acks: []store.Ack{s.ack("sub", 1, 7)}, Defer: []store.Deferred{
		{ID: "d1", Subscription: "sub", Event: ev, OrderKey: "k", Due: epoch.Add(time.Hour), Attempt: 2, Problem: `{"type":"x"}`},
		{ID: "d0", Subscription: "sub", Event: ev, Due: epoch.Add(time.Minute), Attempt: 3}}})
	s.reopen()
	list, err := s.s.Deferred(s.Context(), store.WaitQuery{Subscription: "sub"})
	if err != nil || len(list) != 2 || list[0].Attempt != 3 || list[1].OrderKey != "k" || list[1].Event.Data != ev.Data ||
		list[1].ID != "d1" || !list[1].Due.Equal(epoch.Add(time.Hour)) || list[1].Event.Seq != 7 {
		s.Fatalf("%+v %v", list, err)
	}
	s.commit(&store.Batch{Release: []string{"d1"}})
	s.refused(&store.Batch{Release: []string{"d1"}}, store.ErrTaken)
	if list, err = s.s.Deferred(s.Context(), store.WaitQuery{Subscription: "sub"}); err != nil || len(list) != 1 {
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

func retention(s *suite) {
	s.keep = store.Retain(nil, []store.EventType{{Type: "long", Retain: 365 * 24 * time.Hour}})
	s.subscribe("slow", 0)
	for i := range 10 {
		s.commit(&store.Batch{Events: []*pipelined.Event{event(map[bool]string{true: "long", false: "short"}[i == 2], i)}})
	}
	s.commit(&store.Batch{Acks: []store.Ack{s.ack("slow", 1, 5)}})
	s.clock.Advance(30 * 24 * time.Hour)
	removed, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep)
	s.must(err)
	list, _, err := s.s.Read(s.Context(), 0, 100)
	if err != nil || removed != 4 || len(list) != 6 || list[0].Type != "long" || list[1].Seq != 6 {
		s.Errorf("%d went, %d stay, %v", removed, len(list), err)
	}
}

func numbers(s *suite) {
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2)}})
	s.clock.Advance(365 * 24 * time.Hour)
	if n, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep); err != nil || n != 2 {
		s.Fatalf("%d %v", n, err)
	}
	s.reopen()
	if r := s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 3)}}); r.Seqs[0] != 3 {
		s.Errorf("the next event has number %d", r.Seqs[0])
	}
}

func patterns(s *suite) {
	for i, typ := range []string{"order", "order.created", "order.line.created", "customer.created", "order[x]"} {
		s.commit(&store.Batch{Events: []*pipelined.Event{event(typ, i)}})
	}
	tests := []struct {
		types []string
		want  string
	}{
		{nil, "[1 2 3 4 5]"}, {[]string{"*"}, "[1 2 3 4 5]"}, {[]string{"order.*"}, "[2 3]"}, {[]string{"*.created"}, "[2 4]"},
		{[]string{"order.*.created"}, "[3]"}, {[]string{"*.line.*"}, "[3]"}, {[]string{"*.created.*"}, "[]"}, {[]string{"order", "customer.created"}, "[1 4]"},
		{[]string{"order[x]"}, "[]"}, {[]string{"ord?r"}, "[]"}, {[]string{"ord*"}, "[]"},
	}
	for _, tt := range tests {
		if got := s.found(store.EventQuery{Types: tt.types}); got != tt.want {
			s.Errorf("%v: %s, want %s", tt.types, got, tt.want)
		}
	}
	if got := s.found(store.EventQuery{Types: []string{"*.created"}, Limit: 1, Desc: true}); got != "[4]" {
		s.Errorf("the newest that matches: %s", got)
	}
}

func (s *suite) found(q store.EventQuery) string {
	s.Helper()
	list, err := s.s.FindEvents(s.Context(), q)
	s.must(err)
	seqs := []int64{}
	for _, e := range list {
		seqs = append(seqs, e.Seq)
	}
	return fmt.Sprint(seqs)
}

// forgotten is only what is owed nothing: numbers of the log, waiting deliveries and
// events set aside keep a subscription, each alone.
func forgotten(s *suite) {
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2)}})
	s.subscribe("other", 0)
	s.subscribe("sub", 0)
	expect := func(want store.Owed) {
		s.Helper()
		for range 2 {
			owed, err := s.s.Unsubscribe(s.Context(), "sub")
			if there := slices.ContainsFunc(s.subscriptions(), func(e store.Subscription) bool { return e.Name == "sub" }); err != nil || owed != want || there == want.Nothing() {
				s.Errorf("%+v, want %+v, it is there: %v, %v", owed, want, there, err)
			}
		}
	}
	expect(store.Owed{From: 1, To: 2})
	s.commit(&store.Batch{Acks: []store.Ack{s.ack("sub", 0, 2)}})
	expect(store.Owed{From: 1, To: 2})
	parked := []store.Parked{{Subscription: "sub", Group: "g", Seq: 1}}
	s.commit(&store.Batch{Folds: []store.Fold{s.fold("sub", 1, 1)}, Park: parked,
		Defer: []store.Deferred{{ID: "d", Subscription: "sub", Event: store.StoredEvent{Event: *event("x", 1)}, Due: epoch}}})
	expect(store.Owed{Waiting: 1, Aside: 1})
	s.commit(&store.Batch{Unpark: parked})
	expect(store.Owed{Waiting: 1})
	s.reopen()
	s.commit(&store.Batch{Release: []string{"d"}})
	l := s.lease("sub")
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 3)}})
	expect(store.Owed{From: 3, To: 3})
	s.commit(&store.Batch{Folds: []store.Fold{s.fold("sub", 3, 3)}})
	expect(store.Owed{})
	if !ended(l) {
		s.Error("the lease of what is forgotten goes on")
	}
	late := store.Ack{Subscription: "sub", Epoch: l.Epoch, Seq: 3}
	s.refused(&store.Batch{Acks: []store.Ack{late}}, store.ErrTaken)
	s.subscribe("sub", 0)
	if again := s.lease("sub"); again.Epoch == l.Epoch || again.Floor != 0 {
		s.Errorf("%+v", again)
	}
	s.refused(&store.Batch{Acks: []store.Ack{late}}, store.ErrTaken)
}

func retentionOfWaiting(s *suite) {
	s.commit(&store.Batch{Events: []*pipelined.Event{event("x", 1), event("x", 2), event("x", 3)}})
	s.commit(&store.Batch{Defer: []store.Deferred{{ID: "d", Subscription: "sub", Event: store.StoredEvent{Seq: 2, Event: *event("x", 2)}, Due: epoch.Add(time.Hour)}}})
	s.clock.Advance(30 * 24 * time.Hour)
	trim := func(want string) {
		s.Helper()
		if _, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep); err != nil {
			s.Fatal(err)
		}
		if got := s.found(store.EventQuery{}); got != want {
			s.Errorf("the log holds %s, want %s", got, want)
		}
	}
	trim("[2]")
	s.commit(&store.Batch{Release: []string{"d"}})
	trim("[]")
}

func parked(s *suite) {
	for n := range 6 {
		s.commit(&store.Batch{Events: []*pipelined.Event{event("t", n)}})
	}
	s.subscribe("sub", 0)
	row := func(group string, seq int64) store.Parked {
		return store.Parked{Subscription: "sub", Group: group, Seq: seq}
	}
	park := &store.Batch{Folds: []store.Fold{s.fold("sub", 1, 6)}, Park: []store.Parked{row("a", 1), row("b", 2), row("a", 4), row("a", 6)}}
	s.commit(park)
	s.commit(park) // who does not know whether it happened may repeat it
	s.clock.Advance(365 * 24 * time.Hour)
	_, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep)
	s.must(err)
	s.reopen()
	groups, err := s.s.ParkedGroups(s.Context(), "sub", 0)
	if err != nil || len(groups) != 2 || groups["a"] != 3 || groups["b"] != 1 {
		s.Errorf("%v, %v", groups, err)
	}
	list := func(group string, after int64, limit int) (seqs []int64) {
		s.Helper()
		events, err := s.s.Parked(s.Context(), store.ParkedQuery{Subscription: "sub", Group: group, After: after, Limit: limit})
		s.must(err)
		for _, ev := range events {
			if ev.ID != fmt.Sprintf("t-%04d", ev.Seq-1) || ev.Data == "" {
				s.Errorf("%+v", ev)
			}
			seqs = append(seqs, ev.Seq)
		}
		return seqs
	}
	if got := list("a", 0, 2); !slices.Equal(got, []int64{1, 4}) {
		s.Errorf("the first two are %v", got)
	}
	if got := list("a", 4, 2); !slices.Equal(got, []int64{6}) {
		s.Errorf("the rest is %v", got)
	}
	s.commit(&store.Batch{Unpark: []store.Parked{row("a", 1)}})
	s.refused(&store.Batch{Unpark: []store.Parked{row("a", 4), row("a", 1)}}, store.ErrTaken)
	if got := list("a", 0, 9); !slices.Equal(got, []int64{4, 6}) {
		s.Errorf("after one is done: %v", got)
	}
}
