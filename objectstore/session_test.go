package objectstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

var epoch = time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)

type bench struct {
	*testing.T
	store *sqlite.Store
	clock *clock.Fake
	n     int
}

func start(t *testing.T) *bench {
	t.Helper()
	c := clock.NewFake(epoch)
	s, err := sqlite.Open("", sqlite.Config{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &bench{T: t, store: s, clock: c}
}

func (b *bench) session() *objectstore.Session { return b.sessionOf(nil) }

// sessionOf is a session of a revision that declares collections.
func (b *bench) sessionOf(kept objectstore.Collections) *objectstore.Session {
	return objectstore.NewSession(b.store, kept, func() string { b.n++; return fmt.Sprintf("new-%d", b.n) }, b.clock.Now)
}

// commit writes what a session wants.
func (b *bench) commit(s *objectstore.Session) error {
	_, err := b.store.Commit(b.Context(), &store.Batch{Documents: s.Writes(epoch)})
	return err
}

// seed stores documents {"n": i} with ids a, b, c …
func (b *bench) seed(bodies ...string) {
	b.Helper()
	s := b.session()
	for i, body := range bodies {
		if _, err := s.Put(b.Context(), "c", string(rune('a'+i)), value.Raw(body), 0); err != nil {
			b.Fatal(err)
		}
	}
	if err := b.commit(s); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) where(src string) objectstore.Where {
	b.Helper()
	syms := expression.NewSymbols(nil)
	syms.Declare("doc", &expression.Symbol{Slot: 0})
	syms.Declare("limit", &expression.Symbol{Slot: 1})
	c, err := expression.CompileCondition(src, syms)
	if err != nil {
		b.Fatal(err.Summary)
	}
	f := &expression.Frame{Slots: []any{nil, 2}, Host: &function.Env{Now: b.clock.Now}}
	return objectstore.Where{Program: c.Program, Frame: f, Slot: 0}
}

func (b *bench) ids(s *objectstore.Session, q objectstore.FindQuery) string {
	b.Helper()
	q.Collection = "c"
	list, err := s.Find(b.Context(), q)
	if err != nil {
		b.Fatal(err)
	}
	out := ""
	for _, d := range list {
		out += value.Get(d, value.NewPath("_id")).(string)
	}
	return out
}

func status(err error) int {
	var p *pipelined.Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

func TestASessionSeesItsOwnWritesAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`, `{"n":2}`, `{"n":3}`)
	s, other := b.session(), b.session()
	ctx := t.Context()
	put, err := s.Put(ctx, "c", "", `{"n":1.5}`, 0)
	if err != nil || put.ID != "new-1" || put.Version != 1 {
		t.Fatalf("%+v %v", put, err)
	}
	if n, err := s.Update(ctx, objectstore.UpdateQuery{Collection: "c", ID: "a", Merge: `{"m":true}`}); err != nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := s.Delete(ctx, objectstore.DeleteQuery{Collection: "c", ID: "b"}); err != nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	byN := objectstore.FindQuery{OrderBy: objectstore.ParseOrder([]string{"n"})}
	if got := b.ids(s, byN); got != "anew-1c" {
		t.Errorf("the session sees %s", got)
	}
	if got := b.ids(other, byN); got != "abc" {
		t.Errorf("another sees %s", got)
	}
	if got := b.ids(s, objectstore.FindQuery{Where: b.where("doc.n < limit and doc.m ?? true"), Limit: 1}); got != "a" {
		t.Errorf("with a condition and a limit: %s", got)
	}
	if got := b.ids(s, objectstore.FindQuery{OrderBy: objectstore.ParseOrder([]string{"-n"}), Offset: 1}); got != "new-1a" {
		t.Errorf("descending, after the first: %s", got)
	}
	doc, ok, err := s.Get(ctx, "c", "a")
	if err != nil || !ok || !strings.HasPrefix(string(doc), `{"n":1,"m":true,"_id":"a","_version":2,`) {
		t.Errorf("%s %v %v", doc, ok, err)
	}
	if _, ok, _ := s.Get(ctx, "c", "b"); ok {
		t.Error("a deleted document is there")
	}
	if n, err := s.Count(ctx, "c", objectstore.Where{}); err != nil || n != 3 {
		t.Errorf("%d documents, %v", n, err)
	}
	if err := b.commit(s); err != nil {
		t.Fatal(err)
	}
	if got := b.ids(b.session(), byN); got != "anew-1c" {
		t.Errorf("after the commit: %s", got)
	}
}

func TestConditionsAreTheAuthorsToState(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	ctx, s := t.Context(), b.session()
	tests := map[string]func() error{
		"insert of what exists":    func() error { _, err := s.Insert(ctx, "c", "a", `{}`); return err },
		"put at another version":   func() error { _, err := s.Put(ctx, "c", "a", `{}`, 7); return err },
		"put of what is not there": func() error { _, err := s.Put(ctx, "c", "x", `{}`, 1); return err },
		"update at another version": func() error {
			_, err := s.Update(ctx, objectstore.UpdateQuery{Collection: "c", ID: "a", Merge: `{}`, IfVersion: 9})
			return err
		},
		"delete at another version": func() error {
			_, err := s.Delete(ctx, objectstore.DeleteQuery{Collection: "c", ID: "a", IfVersion: 9})
			return err
		},
	}
	for name, f := range tests {
		if err := f(); status(err) != 409 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, doc := range map[string]value.Raw{"a list": `[1]`, "a text": `"x"`, "nothing": ``, "a field of the store": `{"_mine":1}`} {
		if _, err := s.Put(ctx, "c", "x", doc, 0); status(err) != 400 {
			t.Errorf("%s is stored: %v", name, err)
		}
	}
	if _, _, err := s.Get(ctx, "No Name", "a"); status(err) != 400 {
		t.Errorf("a bad name: %v", err)
	}
	doc, _, err := s.Get(ctx, "c", "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "c", "copy", doc, 0); err != nil {
		t.Fatal(err)
	}
	if w := s.Writes(epoch); len(w) != 1 || w[0].Document != `{"n":1}` {
		t.Errorf("a document read and written again: %+v", w)
	}
}

func TestWhatWasReadAndThenWrittenMustNotHaveChanged(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	ctx := t.Context()
	change := func(id string) {
		o := b.session()
		if _, err := o.Put(ctx, "c", id, `{"n":100}`, 0); err != nil {
			t.Fatal(err)
		}
		if err := b.commit(o); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("get and put", func(t *testing.T) {
		s := b.session()
		if _, _, err := s.Get(ctx, "c", "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(ctx, "c", "a", `{"n":2}`, 0); err != nil {
			t.Fatal(err)
		}
		change("a")
		if err := b.commit(s); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%v", err)
		}
	})
	t.Run("missing and then there", func(t *testing.T) {
		s := b.session()
		if _, ok, err := s.Get(ctx, "c", "z"); ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, err := s.Put(ctx, "c", "z", `{"n":2}`, 0); err != nil {
			t.Fatal(err)
		}
		change("z")
		if err := b.commit(s); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%v", err)
		}
	})
	t.Run("found by a condition and updated", func(t *testing.T) {
		s := b.session()
		if n, err := s.Update(ctx, objectstore.UpdateQuery{Collection: "c", Where: b.where("doc.n == 100"), Merge: `{"m":1}`}); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		change("a")
		if err := b.commit(s); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%v", err)
		}
	})
	t.Run("of two that merge different fields one runs again, and both are kept", func(t *testing.T) {
		one, two := b.session(), b.session()
		merge := func(s *objectstore.Session, patch value.Raw) {
			if _, err := s.Update(ctx, objectstore.UpdateQuery{Collection: "c", ID: "a", Merge: patch}); err != nil {
				t.Fatal(err)
			}
		}
		merge(one, `{"x":1}`)
		merge(two, `{"y":2}`)
		if err := b.commit(one); err != nil {
			t.Fatal(err)
		}
		if err := b.commit(two); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("what was computed without the other's field is committed: %v", err)
		}
		again := b.session()
		merge(again, `{"y":2}`)
		if err := b.commit(again); err != nil {
			t.Fatal(err)
		}
		doc, _, err := b.session().Get(ctx, "c", "a")
		if err != nil || !strings.HasPrefix(string(doc), `{"n":100,"x":1,"y":2,`) && !strings.HasPrefix(string(doc), `{"n":100,"y":2,"x":1,`) {
			t.Errorf("%s %v", doc, err)
		}
	})
	t.Run("a second look that differs says so at once", func(t *testing.T) {
		s := b.session()
		if _, _, err := s.Get(ctx, "c", "a"); err != nil {
			t.Fatal(err)
		}
		change("a")
		_, _, err := s.Get(ctx, "c", "a")
		if !errors.Is(err, objectstore.ErrStale) {
			t.Errorf("%v", err)
		}
	})
}

func TestRollbackAndBranches(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	ctx, s := t.Context(), b.session()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Put(ctx, "c", "kept", `{"n":2}`, 0))
	mark := s.Mark()
	must(s.Put(ctx, "c", "gone", `{"n":3}`, 0))
	must(s.Put(ctx, "c", "kept", `{"n":4}`, 0))
	must(s.Delete(ctx, objectstore.DeleteQuery{Collection: "c", ID: "a"}))
	s.Rollback(mark, false)
	if got := b.ids(s, objectstore.FindQuery{}); got != "akept" {
		t.Errorf("after the rollback: %s", got)
	}
	group := s.Fork()
	one, two, dropped := group.Branch(objectstore.Branch{Name: "one"}, 0), group.Branch(objectstore.Branch{Name: "two"}, 0), group.Branch(objectstore.Branch{Name: "dropped"}, 1)
	must(one.Update(ctx, objectstore.UpdateQuery{Collection: "c", ID: "kept", Merge: `{"one":1}`}))
	must(two.Insert(ctx, "c", "two", `{"n":5}`))
	must(dropped.Insert(ctx, "c", "dropped", `{}`))
	if got := b.ids(one, objectstore.FindQuery{}); got != "akepttwo" {
		t.Errorf("a branch sees %s of its siblings", got)
	}
	group.Close()
	if got := b.ids(s, objectstore.FindQuery{}); got != "akepttwo" {
		t.Errorf("after joining: %s", got)
	}
	if doc, _, _ := s.Get(ctx, "c", "kept"); !strings.HasPrefix(string(doc), `{"n":2,"one":1,`) {
		t.Errorf("%s", doc)
	}
	must(s.Delete(ctx, objectstore.DeleteQuery{Collection: "c", ID: "two"}))
	if err := b.commit(s); err != nil {
		t.Fatal(err)
	}
	if got := b.ids(b.session(), objectstore.FindQuery{}); got != "akept" {
		t.Errorf("after the commit: %s", got)
	}
	s.Reset()
	if len(s.Writes(epoch)) != 0 {
		t.Error("a reset session has writes")
	}
}

func TestStreamsAndDistinct(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":2,"k":"x"}`, `{"n":1,"k":"y"}`, `{"n":3,"k":"x"}`, `{"n":null}`)
	ctx, s := t.Context(), b.session()
	stream, err := s.Stream(ctx, objectstore.FindQuery{Collection: "c", OrderBy: objectstore.ParseOrder([]string{"n"})})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		_, ok, err := stream.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		n++
	}
	if err := errors.Join(stream.Close(), stream.Close()); n != 4 || err != nil {
		t.Errorf("%d documents, %v", n, err)
	}
	values, err := s.Distinct(ctx, "c", "k", objectstore.Where{})
	if text, _ := json.Marshal(values); err != nil || string(text) != `["x","y"]` {
		t.Errorf("%s %v", text, err)
	}
	if n, err := s.Delete(ctx, objectstore.DeleteQuery{Collection: "c", Where: b.where(`doc.k == "x"`)}); err != nil || n != 2 {
		t.Errorf("%d %v", n, err)
	}
	if n, err := s.Count(ctx, "c", b.where("doc.k != nil")); err != nil || n != 1 {
		t.Errorf("%d %v", n, err)
	}
}

func TestErrorRecords(t *testing.T) {
	t.Parallel()
	ev := pipelined.Event{ID: "e-1", Type: "order.received", Key: "k", Time: epoch, Data: `{"price":1.10}`}
	p := pipelined.NewProblem("rest/status", "No", 503, "the CRM").Transient()
	r := objectstore.NewErrorRecord(ev, "work", `{"price":1.10}`, p, 1, epoch)
	r.NextAttemptAt = epoch.Add(time.Minute)
	r.Reprocess(epoch.Add(time.Minute))
	r.Fail(ev, `{"price":1.10}`, p, 2, epoch.Add(2*time.Minute))
	r.Fail(ev, `{"price":1.10}`, p, 1, epoch.Add(3*time.Minute)) // I4: an old attempt takes nothing back
	doc, err := r.Document()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), `"input":{"price":1.10}`) || !strings.Contains(string(doc), `"next_attempt_at":"2026-03-08T09:33:00.000000Z"`) {
		t.Errorf("%s", doc)
	}
	again, _, err := objectstore.ParseErrorRecord(doc)
	if err != nil || again.Attempts != 2 || again.Status != objectstore.Pending || again.Event.Pipelined().Data != ev.Data || len(again.History) != 4 {
		t.Errorf("%+v %v", again, err)
	}
	for range 100 {
		again.Reprocess(epoch)
	}
	if len(again.History) > 50 {
		t.Errorf("%d entries of history", len(again.History))
	}
	again.Exhaust(epoch, "limit")
	again.Resolve(epoch, "")
	if last := again.History[len(again.History)-1]; again.Status != objectstore.Resolved || last.What != "resolved" {
		t.Errorf("%+v", last)
	}
	for _, bad := range []value.Raw{`{}`, `{"id":1}`, `[]`} {
		if _, _, err := objectstore.ParseErrorRecord(bad); err == nil {
			t.Errorf("%s is an error record", bad)
		}
	}
}
