package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pipelined/internal/store"
)

func documents(s *suite) {
	if r := s.commit(&store.Batch{Documents: []store.Write{put("a", `{"v":1.10}`)}}); r.Versions[0] != 1 {
		s.Errorf("version %d", r.Versions[0])
	}
	s.clock.Advance(time.Hour)
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Put, Collection: "c", ID: "a", Document: `{"v":1.10,"w":2}`, IfVersion: 1}}})
	if s.body("a") != `{"v":1.10,"w":2}` {
		s.Errorf("merged: %s", s.body("a"))
	}
	for _, w := range []store.Write{
		{Kind: store.Insert, Collection: "c", ID: "a", Document: `{}`},
		{Kind: store.Put, Collection: "c", ID: "a", Document: `{}`, IfVersion: 1},
		{Kind: store.Put, Collection: "c", ID: "a", Document: `{}`, IfVersion: -1},
		{Kind: store.Put, Collection: "c", ID: "new", Document: `{}`, IfVersion: 4},
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
		return s.prepare([]store.Collection{{Name: "c", Unique: []string{"mail"}, Index: []string{"a.b"}, History: true}})
	}
	s.must(declare())
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"mail":"x"}`), put("b", `{"mail":null}`), put("d", `{}`)}})
	_, err := s.s.Commit(s.Context(), &store.Batch{Documents: []store.Write{put("e", `{"mail":"x"}`)}})
	var c *store.ConflictError
	if !errors.As(err, &c) || c.Reason != "unique" || c.Field != "mail" {
		s.Errorf("%v", err)
	}
	s.must(s.prepare(nil))
	s.commit(&store.Batch{Documents: []store.Write{put("e", `{"mail":"x"}`)}})
	if err := declare(); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "documents a and e of c have the same mail") {
		s.Errorf("a unique key over documents that collide: %v", err)
	}
	if names, err := s.s.CollectionNames(s.Context()); err != nil || !slices.Equal(names, []string{"c"}) {
		s.Errorf("%v %v", names, err)
	}
}

func expiry(s *suite) {
	s.must(s.prepare([]store.Collection{{Name: "c", Retain: time.Hour}}))
	w := put("own", `{}`)
	w.Expires = epoch.Add(time.Minute)
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{}`), w}})
	s.clock.Advance(2 * time.Minute)
	if s.count() != 1 || s.body("own") != "" || s.body("a") == "" {
		s.Errorf("%d documents", s.count())
	}
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Insert, Collection: "c", ID: "own", Document: `{"again":true}`}}})
	s.clock.Advance(2 * time.Hour)
	_, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep)
	s.must(err)
	if s.count() != 0 {
		s.Errorf("%d documents", s.count())
	}
}

func uniqueKinds(s *suite) {
	s.must(s.prepare([]store.Collection{{Name: "c", Unique: []string{"k"}}}))
	for i, v := range []string{`1`, `"1"`, `true`, `false`, `0`, `[1]`, `"[1]"`, `{"a":1}`, `1.5`, `null`, `null`, `9007199254740993`, `9007199254740992`} {
		if _, err := s.s.Commit(s.Context(), &store.Batch{Documents: []store.Write{put(fmt.Sprint(i), `{"k":`+v+`}`)}}); err != nil {
			s.Errorf("%s: %v", v, err)
		}
	}
	for i, v := range []string{`1.0`, `"\u0031"`, `true`, `[ 1 ]`, `15e-1`} {
		s.refused(&store.Batch{Documents: []store.Write{put(fmt.Sprint("again", i), `{"k":`+v+`}`)}}, store.ErrConflict)
	}
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Delete, Collection: "c", ID: "0"}, put("in its place", `{"k":1}`)}})
}

func expiredKeys(s *suite) {
	s.must(s.prepare([]store.Collection{{Name: "c", Unique: []string{"k"}, Retain: time.Hour}}))
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"k":1}`), put("b", `{"k":2}`)}})
	s.clock.Advance(2 * time.Hour)
	s.commit(&store.Batch{Documents: []store.Write{put("c", `{"k":1}`), put("b", `{"k":3}`), put("d", `{"k":2}`)}})
	s.refused(&store.Batch{Documents: []store.Write{put("e", `{"k":1}`)}}, store.ErrConflict)
	if s.count() != 3 {
		s.Errorf("%d documents", s.count())
	}
}

func madeAgain(s *suite) {
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"n":1}`)}})
	first, err := s.s.Get(s.Context(), "c", "a")
	s.must(err)
	s.clock.Advance(time.Minute)
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Delete, Collection: "c", ID: "a", IfVersion: 1, IfCreatedAt: first.CreatedAt}, put("a", `{"n":2}`)}})
	w := put("a", `{"n":3}`)
	w.IfVersion, w.IfCreatedAt = 1, first.CreatedAt
	s.refused(&store.Batch{Documents: []store.Write{w}}, store.ErrConflict)
	d, err := s.s.Get(s.Context(), "c", "a")
	if err != nil || d.Version != 1 || !d.CreatedAt.Equal(epoch.Add(time.Minute)) || d.Body != `{"n":2}` {
		s.Errorf("%+v %v", d, err)
	}
}

func advance(s *suite) {
	w := put("a", `{}`)
	w.Advance = 3
	first := s.commit(&store.Batch{Documents: []store.Write{w}})
	second := s.commit(&store.Batch{Documents: []store.Write{w, {Kind: store.Put, Collection: "c", ID: "a", Document: `{"x":1}`, IfVersion: 6}}})
	if first.Versions[0] != 3 || !slices.Equal(second.Versions, []int64{6, 7}) {
		s.Errorf("%v %v", first.Versions, second.Versions)
	}
}

func versions(s *suite) {
	s.must(s.prepare([]store.Collection{{Name: "c", History: true, Retain: 24 * time.Hour}, {Name: "plain"}}))
	for i := range 3 {
		doc := fmt.Sprintf(`{"n":%d}`, i)
		s.commit(&store.Batch{Documents: []store.Write{put("a", doc), {Collection: "plain", ID: "a", Document: doc}}})
		s.clock.Advance(time.Hour)
	}
	s.commit(&store.Batch{Documents: []store.Write{{Kind: store.Delete, Collection: "c", ID: "a"}}})
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"n":3}`)}})
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{"n":4}`)}})
	s.reopen()
	show := func(collection string) string {
		list, err := s.s.Versions(s.Context(), collection, "a")
		s.must(err)
		out := ""
		for _, d := range list {
			out += fmt.Sprintf("%d %s ", d.Version, d.Body)
		}
		return out
	}
	if got := show("c"); got != `1 {"n":3} 3 {"n":2} 2 {"n":1} 1 {"n":0} ` {
		s.Errorf("kept: %s", got)
	}
	if got := show("plain"); got != "" {
		s.Errorf("kept though nobody asked: %s", got)
	}
	s.must(s.prepare([]store.Collection{{Name: "c", History: true, Retain: 24 * time.Hour}}))
	s.clock.Advance(23 * time.Hour)
	_, err := s.s.Trim(s.Context(), s.clock.Now(), s.keep)
	s.must(err)
	if got := show("c"); got != `1 {"n":3} 3 {"n":2} ` {
		s.Errorf("after a day: %s", got)
	}
}
