package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// moments commits a batch whose moment is not the store's: what it writes is as of then.
func moments(s *suite) {
	at := epoch.Add(-3 * time.Hour)
	first := put("d", `{"n":1}`)
	first.Expires = at.Add(time.Hour) // gone for the store, there for the batch that follows
	held := s.claim(store.TickClaim, "p/1")[0]
	s.commit(&store.Batch{At: at, Documents: []store.Write{first, put("e", `{}`)}, Events: []*pipelined.Event{event("x", 1)}, Claims: []store.Claim{held.Claim}})
	if s.body("d") != "" || s.count() != 1 {
		s.Errorf("%d documents, expired: %q", s.count(), s.body("d"))
	}
	insert := store.Write{Kind: store.Insert, Collection: "c", ID: "d", Document: `{}`}
	s.refused(&store.Batch{At: at.Add(time.Minute), Documents: []store.Write{insert}}, store.ErrConflict)
	s.reopen()
	d, err := s.s.Get(s.Context(), "c", "e")
	if err != nil || d == nil || !d.CreatedAt.Equal(at) || !d.UpdatedAt.Equal(at) {
		s.Errorf("%+v, %v", d, err)
	}
	list, _, err := s.s.Read(s.Context(), 0, 10)
	if err != nil || len(list) != 1 || !list[0].AppendedAt.Equal(at) || !list[0].Time.Equal(epoch) {
		s.Errorf("%+v, %v", list, err)
	}
	once := event("x", 2)
	once.DedupeID, once.DedupeFor = "k", time.Hour
	for _, minutes := range []int{0, 59, 61, 62} {
		s.commit(&store.Batch{At: epoch.Add(time.Duration(minutes) * time.Minute), Events: []*pipelined.Event{once}})
	}
	if s.last() != 3 {
		s.Errorf("%d events", s.last())
	}
}

// ahead refuses a batch with an event of the day after tomorrow, alone.
func ahead(s *suite) {
	at := func(d time.Duration) *pipelined.Event {
		ev := event("x", 1)
		ev.Time = epoch.Add(d)
		return ev
	}
	for _, d := range []time.Duration{-1000 * time.Hour, 0, 24 * time.Hour} {
		s.commit(&store.Batch{Events: []*pipelined.Event{at(d)}})
	}
	far := at(24*time.Hour + time.Second)
	for what, b := range map[string]*store.Batch{
		"now":   {Events: []*pipelined.Event{event("x", 1), far}, Documents: []store.Write{put("d", `{}`)}},
		"later": {Delayed: []store.DelayedEvent{{Event: far, Due: epoch.Add(99 * time.Hour)}}, Documents: []store.Write{put("d", `{}`)}},
	} {
		_, err := s.s.Commit(s.Context(), b)
		var p *pipelined.Problem
		if !errors.As(err, &p) || p.Type != "publish/time" || errors.Is(err, store.ErrUnavailable) {
			s.Errorf("%s: %v", what, err)
		}
	}
	if s.last() != 3 || s.count() != 0 {
		s.Errorf("%d events, %d documents", s.last(), s.count())
	}
	if _, err := s.s.Commit(s.Context(), &store.Batch{Defer: []store.Deferred{{Subscription: "sub", Event: store.StoredEvent{Seq: 1, Event: *event("x", 1)}}}}); err == nil {
		s.Error("a delivery waits without an id")
	}
}

// appended events are found and kept by when they came, whatever time they say.
func appended(s *suite) {
	old, young := event("x", 1), event("x", 2)
	old.Time = epoch.Add(-1000 * time.Hour)
	young.Time = epoch.Add(23 * time.Hour)
	s.commit(&store.Batch{Events: []*pipelined.Event{old, young}})
	s.commit(&store.Batch{Delayed: []store.DelayedEvent{{Event: event("x", 3), Due: epoch.Add(time.Hour)}}})
	s.clock.Advance(2 * time.Hour)
	_, err := s.s.ReleaseDelayed(s.Context(), s.clock.Now(), 5)
	s.must(err)
	for _, tt := range []struct {
		since time.Duration
		want  string
	}{{0, "[1 2 3]"}, {time.Second, "[3]"}, {2 * time.Hour, "[3]"}, {2*time.Hour + time.Second, "[]"}} {
		if got := s.found(store.EventQuery{Since: epoch.Add(tt.since)}); got != tt.want {
			s.Errorf("since %s: %s, want %s", tt.since, got, tt.want)
		}
	}
	s.keep.Events = 24 * time.Hour
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{23 * time.Hour, "[1 2 3]"}, {25 * time.Hour, "[3]"}, {27 * time.Hour, "[]"}} {
		_, err := s.s.Trim(s.Context(), epoch.Add(tt.after), s.keep)
		s.must(err)
		if got := s.found(store.EventQuery{}); got != tt.want {
			s.Errorf("kept after %s: %s, want %s", tt.after, got, tt.want)
		}
	}
}

// prepared indexes are those of all revisions that are; what only one had goes with it.
func prepared(s *suite) {
	unique := func(field string) []store.Collection {
		return []store.Collection{{Name: "c", Unique: []string{field}, Index: []string{"i"}}}
	}
	refuses := func(doc, field string) {
		s.Helper()
		_, err := s.s.Commit(s.Context(), &store.Batch{Documents: []store.Write{put("new", doc)}})
		var c *store.ConflictError
		if is := errors.As(err, &c); is != (field != "") || is && (c.Field != field || c.Reason != "unique") {
			s.Errorf("%s: %v, want it refused for %q", doc, err, field)
		}
		s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Delete, Collection: "c", ID: "new"}}})
	}
	s.commit(&store.Batch{Documents: []store.Write{put("d", `{"a":1,"b":2,"x":3}`), put("e", `{"x":3}`)}})
	s.must(s.s.Prepare(s.Context(), "one", unique("a")))
	refuses(`{"a":1}`, "a")
	refuses(`{"b":2}`, "")
	s.must(s.s.Prepare(s.Context(), "two", unique("b")))
	refuses(`{"a":1}`, "a")
	refuses(`{"b":2}`, "b") // it counts from when it is built, for every revision
	if err := s.s.Prepare(s.Context(), "three", slices.Concat(unique("c"), unique("x"))); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "documents d and e of c have the same x") {
		s.Errorf("over documents that collide: %v", err)
	}
	s.must(s.s.Retire(s.Context(), "three"))
	refuses(`{"a":1}`, "a")
	s.must(s.s.Retire(s.Context(), "one"))
	s.must(s.s.Retire(s.Context(), "one"))
	refuses(`{"a":1}`, "")
	refuses(`{"b":2}`, "b")
	s.must(s.s.Prepare(s.Context(), "one", unique("a")))
	s.reopen() // what the process before had built goes with the first Retire
	s.must(s.s.Prepare(s.Context(), "next", unique("b")))
	s.must(s.s.Retire(s.Context(), ""))
	refuses(`{"a":1}`, "")
	refuses(`{"b":2}`, "b")
	s.must(s.s.Prepare(s.Context(), "next", nil)) // declared anew, with nothing
	s.must(s.s.Retire(s.Context(), ""))
	refuses(`{"b":2}`, "")
	if names, err := s.s.CollectionNames(s.Context()); err != nil || fmt.Sprint(names) != "[c]" {
		s.Errorf("%v, %v", names, err)
	}
}
