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

// claim acquires claims of one kind and returns how each stands.
func (s *suite) claim(kind string, keys ...string) []store.Claimed {
	s.Helper()
	list := make([]store.Claim, len(keys))
	for i, k := range keys {
		list[i] = store.Claim{Kind: kind, Key: k}
	}
	got, err := s.s.Claim(s.Context(), list)
	s.must(err)
	if len(got) != len(keys) {
		s.Fatalf("%d answers for %d claims", len(got), len(keys))
	}
	for i, c := range got {
		if c.Kind != kind || c.Key != keys[i] {
			s.Fatalf("answer %d is for %s", i, c.Claim)
		}
	}
	return got
}

// held lists the claims that are held, with their attempts and texts.
func (s *suite) held(kind, prefix string) string {
	s.Helper()
	list, err := s.s.Claims(s.Context(), kind, prefix)
	s.must(err)
	out := ""
	for _, c := range list {
		out += fmt.Sprintf("%s#%d%s ", c.Key, c.Attempts, c.Value)
		if c.Kind != kind || c.Epoch == 0 || c.Err != nil {
			s.Errorf("%+v", c)
		}
	}
	return out
}

// claims acquires, proves, and finds them done.
func claims(s *suite) {
	first := s.claim("tick", "a", "b", "c")
	if s.held("tick", "") != "a#1 b#1 c#1 " || first[1].Attempts != 1 {
		s.Errorf("held: %s, %+v", s.held("tick", ""), first)
	}
	s.commit(&store.Batch{Claims: []store.Claim{first[1].Claim}, Documents: []store.Write{put("d", `{}`)}})
	s.refused(&store.Batch{Claims: []store.Claim{first[0].Claim, first[1].Claim}}, store.ErrTaken) // whole or not at all
	for range 2 {
		if s.held("tick", "") != "a#1 c#1 " || s.held("key", "") != "" {
			s.Errorf("held: %s", s.held("tick", ""))
		}
		again := s.claim("tick", "b", "d")
		if !errors.Is(again[0].Err, store.ErrTaken) || again[0].Epoch != 0 || again[1].Err != nil {
			s.Errorf("done and new: %+v", again)
		}
		s.commit(&store.Batch{Drop: []store.Claim{again[1].Claim}})
		s.refused(&store.Batch{Claims: []store.Claim{first[1].Claim}}, store.ErrTaken)
		s.refused(&store.Batch{Drop: []store.Claim{first[1].Claim}}, store.ErrTaken)
		s.reopen()
	}
	if other := s.claim("key", "b"); other[0].Err != nil || other[0].Attempts != 1 {
		s.Errorf("the same key of another kind: %+v", other)
	}
}

// epochs acquires a claim again and again: only the last time counts.
func epochs(s *suite) {
	var all []store.Claimed
	for i := range 4 {
		c := s.claim("tick", "a")[0]
		if c.Attempts != i+1 || slices.ContainsFunc(all, func(o store.Claimed) bool { return o.Epoch == c.Epoch }) {
			s.Errorf("attempt %d: %+v, before it %+v", i+1, c, all)
		}
		if all = append(all, c); i == 1 {
			s.reopen()
		}
	}
	never := store.Claim{Kind: "tick", Key: "never", Epoch: all[3].Epoch}
	for _, c := range []store.Claim{all[0].Claim, all[1].Claim, all[2].Claim, never, {Kind: "key", Key: "a", Epoch: all[3].Epoch}, {Kind: "tick", Key: "a"}} {
		for what, b := range map[string]*store.Batch{
			"proof": {Claims: []store.Claim{c}}, "drop": {Drop: []store.Claim{c}}, "value": {Values: []store.ClaimValue{{Claim: c, Value: "x"}}},
		} {
			b.Events, b.Documents = []*pipelined.Event{event("y", 1)}, []store.Write{put("d", `{}`)}
			if _, err := s.s.Commit(s.Context(), b); !errors.Is(err, store.ErrTaken) {
				s.Errorf("%s of %+v: %v", what, c, err)
			}
		}
	}
	if s.last() != 0 || s.count() != 0 || s.held("tick", "") != "a#4 " {
		s.Errorf("%d events, %d documents, held %s", s.last(), s.count(), s.held("tick", ""))
	}
	s.commit(&store.Batch{Claims: []store.Claim{all[3].Claim}})
}

// dropped claims are free, and who held them holds nothing.
func dropped(s *suite) {
	first := s.claim("key", "a")[0]
	s.commit(&store.Batch{Values: []store.ClaimValue{{Claim: first.Claim, Value: "x"}}})
	s.commit(&store.Batch{Drop: []store.Claim{first.Claim}})
	if s.held("key", "") != "" {
		s.Errorf("held: %s", s.held("key", ""))
	}
	second := s.claim("key", "a")[0]
	if second.Err != nil || second.Attempts != 1 || second.Value != "" {
		s.Errorf("%+v", second)
	}
	s.refused(&store.Batch{Claims: []store.Claim{first.Claim}}, store.ErrTaken)
	s.commit(&store.Batch{Claims: []store.Claim{second.Claim}})
}

// claimValues changes the text that goes with a claim, with the rest of the batch.
func claimValues(s *suite) {
	c := s.claim("progress", "p/1")[0]
	value := func(text string) []store.ClaimValue { return []store.ClaimValue{{Claim: c.Claim, Value: text}} }
	s.commit(&store.Batch{Values: value("one"), Documents: []store.Write{put("d", `{}`)}})
	s.refused(&store.Batch{Values: value("two"), Documents: []store.Write{{Kind: store.Insert, Collection: "c", ID: "d", Document: `{}`}}}, store.ErrConflict)
	s.reopen()
	if s.held("progress", "p/") != "p/1#1one " {
		s.Errorf("held: %s", s.held("progress", ""))
	}
	if c = s.claim("progress", "p/1")[0]; c.Attempts != 2 || c.Value != "one" {
		s.Errorf("%+v", c)
	}
	s.commit(&store.Batch{Values: value("three"), Claims: []store.Claim{c.Claim}}) // the last word, and done: in one
}

// contendedClaims has many acquire and do the same things at the same time.
func contendedClaims(s *suite) {
	const things, workers = 20, 8
	var won [things]atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range things {
				for !s.tryThing(fmt.Sprint(i), &won[i]) {
				}
			}
		})
	}
	wg.Wait()
	for i := range won {
		if n := won[i].Load(); n != 1 {
			s.Errorf("thing %d was done %d times", i, n)
		}
	}
	s.reopen()
	if s.held("key", "") != "" || s.count() != things {
		s.Errorf("held: %s, %d documents", s.held("key", ""), s.count())
	}
}

// tryThing acquires a claim and does what it is for. It reports whether somebody did.
func (s *suite) tryThing(key string, won *atomic.Int64) bool {
	got, err := s.s.Claim(context.Background(), []store.Claim{{Kind: "key", Key: key}})
	if err != nil {
		s.Error(err)
		return true
	}
	if got[0].Err != nil {
		return true
	}
	_, err = s.s.Commit(context.Background(), &store.Batch{Claims: []store.Claim{got[0].Claim},
		Documents: []store.Write{{Kind: store.Insert, Collection: "c", ID: key, Document: `{}`}}})
	switch {
	case err == nil:
		won.Add(1)
		return true
	case !errors.Is(err, store.ErrTaken):
		s.Error(err)
		return true
	}
	return false
}

// listed claims are those of the kind whose keys begin with the prefix as it is.
func listed(s *suite) {
	s.claim("tick", "p/2", "p/1", "pq/1", "p%/1", "p_/1", "p", "é/1", "*")
	s.claim("other", "p/3")
	tests := []struct{ prefix, want string }{
		{"p/", "p/1#1 p/2#1 "}, {"p", "p#1 p%/1#1 p/1#1 p/2#1 p_/1#1 pq/1#1 "}, {"p%", "p%/1#1 "}, {"p_", "p_/1#1 "}, {"é", "é/1#1 "}, {"*", "*#1 "}, {"x", ""},
	}
	for _, tt := range tests {
		if got := s.held("tick", tt.prefix); got != tt.want {
			s.Errorf("%q: %s, want %s", tt.prefix, got, tt.want)
		}
	}
}

// cursors are the values of claims that are never done.
func cursors(s *suite) {
	none, err := s.s.Cursor(s.Context(), "files", "a/b")
	if err != nil || none != (store.Cursor{}) {
		s.Errorf("of a source that was never read: %+v, %v", none, err)
	}
	at := store.Cursor{Source: "files", Partition: "a/b"}
	s.refused(&store.Batch{Cursors: []store.Cursor{{Source: "files", Partition: "a/b", Epoch: 1, Value: "1"}}}, store.ErrTaken)
	at.Epoch = s.claim(store.CursorClaim, at.Claim().Key)[0].Epoch
	at.Value = "17"
	s.commit(&store.Batch{Cursors: []store.Cursor{at}, Events: []*pipelined.Event{event("x", 1)}})
	old := at
	s.reopen()
	if again := s.claim(store.CursorClaim, at.Claim().Key)[0]; again.Value != "17" || again.Attempts != 2 {
		s.Errorf("%+v", again)
	} else {
		at.Epoch, at.Value = again.Epoch, "18"
	}
	old.Value = "999"
	s.refused(&store.Batch{Cursors: []store.Cursor{old}, Events: []*pipelined.Event{event("x", 2)}}, store.ErrTaken)
	s.commit(&store.Batch{Cursors: []store.Cursor{at}})
	if got, err := s.s.Cursor(s.Context(), "files", "a/b"); err != nil || got != at || s.last() != 1 {
		s.Errorf("%+v, want %+v, %d events, %v", got, at, s.last(), err)
	}
}

// metaConditions changes texts only where they are as expected.
func metaConditions(s *suite) {
	is := func(text string) *string { return &text }
	s.commit(&store.Batch{Meta: []store.Meta{{Key: "k", Value: "one", IfValue: is("")}, {Key: "free", Value: "x"}}})
	for what, m := range map[string]store.Meta{
		"there": {Key: "k", Value: "two", IfValue: is("")}, "another": {Key: "k", Value: "two", IfValue: is("ONE")},
		"missing": {Key: "none", Value: "two", IfValue: is("one")}, "gone": {Key: "k", IfValue: is("two")},
	} {
		if _, err := s.s.Commit(s.Context(), &store.Batch{Meta: []store.Meta{{Key: "free", Value: "y"}, m}}); !errors.Is(err, store.ErrTaken) {
			s.Errorf("%s: %v", what, err)
		}
	}
	s.commit(&store.Batch{Meta: []store.Meta{{Key: "k", Value: "two", IfValue: is("one")}}})
	s.commit(&store.Batch{Meta: []store.Meta{{Key: "k", IfValue: is("two")}, {Key: "k2", Value: "z", IfValue: is("")}}})
	list, err := s.s.Metas(s.Context(), "")
	list = slices.DeleteFunc(list, func(m store.Meta) bool { return len(m.Key) > 4 }) // the store's own
	if want := []store.Meta{{Key: "free", Value: "x"}, {Key: "k2", Value: "z"}}; err != nil || !slices.Equal(list, want) {
		s.Errorf("%+v, %v", list, err)
	}
}

// tick runs a tick: acquired, and proven.
func (s *suite) tick(pipeline string, at time.Time) {
	s.Helper()
	c := s.claim(store.TickClaim, store.Tick{Pipeline: pipeline, Scheduled: at}.Key())
	s.commit(&store.Batch{Claims: []store.Claim{c[0].Claim}})
}

func (s *suite) lastTick(pipeline string) time.Time {
	s.Helper()
	at, err := s.s.LastTick(s.Context(), pipeline)
	s.must(err)
	return at
}

// ticks that are done are rows of their own: one that is only held does not count.
func ticks(s *suite) {
	if !s.lastTick("p").IsZero() {
		s.Errorf("before any: %v", s.lastTick("p"))
	}
	for _, hours := range []int{2, 0, 1} {
		s.tick("p", epoch.Add(time.Duration(hours)*time.Hour))
	}
	s.tick("q", epoch.Add(90*time.Minute))
	s.tick("pp", epoch.Add(9*time.Hour))
	open := store.Tick{Pipeline: "p", Scheduled: epoch.Add(5*time.Hour + 1500*time.Microsecond)}
	s.claim(store.TickClaim, open.Key())
	s.reopen()
	if c := s.claim(store.TickClaim, store.Tick{Pipeline: "p", Scheduled: epoch}.Key())[0]; !errors.Is(c.Err, store.ErrTaken) {
		s.Errorf("a tick that is done: %+v", c)
	}
	if last := s.lastTick("p"); !last.Equal(epoch.Add(2 * time.Hour)) {
		s.Errorf("%v", last)
	}
	list, err := s.s.Claims(s.Context(), store.TickClaim, "p/")
	s.must(err)
	if len(list) != 1 {
		s.Fatalf("%+v", list)
	}
	if t, err := store.ParseTick(list[0].Key); err != nil || t != open {
		s.Errorf("%+v, want %+v, %v", t, open, err)
	}
}

// retentionOfClaims forgets what is done long enough, but for the newest tick of each
// pipeline, and nothing that is held.
func retentionOfClaims(s *suite) {
	for i := range 3 {
		s.tick("p", epoch.Add(time.Duration(i)*time.Hour))
	}
	s.tick("q", epoch)
	s.commit(&store.Batch{Claims: []store.Claim{s.claim("key", "old")[0].Claim}})
	s.claim(store.TickClaim, store.Tick{Pipeline: "p", Scheduled: epoch.Add(-time.Hour)}.Key())
	trim := func(want int64) {
		s.Helper()
		if n, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep); err != nil || n != want {
			s.Errorf("%d rows went, want %d, %v", n, want, err)
		}
	}
	s.clock.Advance(29 * 24 * time.Hour)
	trim(0)
	s.commit(&store.Batch{Claims: []store.Claim{s.claim("key", "new")[0].Claim}})
	s.clock.Advance(2 * 24 * time.Hour)
	trim(3)
	if !s.lastTick("p").Equal(epoch.Add(2*time.Hour)) || !s.lastTick("q").Equal(epoch) {
		s.Errorf("the last ticks are %v and %v", s.lastTick("p"), s.lastTick("q"))
	}
	keys := s.claim("key", "old", "new")
	if keys[0].Err != nil || keys[1].Err == nil || s.held(store.TickClaim, "p/") == "" {
		s.Errorf("%+v, held %s", keys, s.held(store.TickClaim, ""))
	}
}
