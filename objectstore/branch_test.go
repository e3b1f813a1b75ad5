package objectstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// fork is branches left and right of a session, with what a test of them does.
type fork struct {
	*bench
	parent      *objectstore.Session
	group       *objectstore.Group
	left, right *objectstore.Session
}

func (b *bench) fork() *fork { return b.forkOf(b.session()) }

func (b *bench) forkOf(parent *objectstore.Session) *fork {
	g := parent.Fork()
	return &fork{b, parent, g, g.Branch(objectstore.Branch{Name: "left"}, 0), g.Branch(objectstore.Branch{Name: "right"}, 0)}
}

// get returns a document as its author sees it, without what the store adds.
func (f *fork) get(s *objectstore.Session, id string) string {
	f.Helper()
	doc, ok, err := s.Get(f.Context(), "c", id)
	if err != nil {
		f.Fatal(err)
	}
	if !ok {
		return ""
	}
	if body, _, found := strings.Cut(string(doc), `,"_id"`); found {
		return body + "}"
	}
	return "{}"
}

func (f *fork) put(s *objectstore.Session, id, doc string) error {
	_, err := s.Put(f.Context(), "c", id, value.Raw(doc), 0)
	return err
}

func (f *fork) insert(s *objectstore.Session, id, doc string) error {
	_, err := s.Insert(f.Context(), "c", id, value.Raw(doc))
	return err
}

func (f *fork) update(s *objectstore.Session, id, merge string) error {
	_, err := s.Update(f.Context(), objectstore.UpdateQuery{Collection: "c", ID: id, Merge: value.Raw(merge)})
	return err
}

func (f *fork) delete(s *objectstore.Session, id string) error {
	_, err := s.Delete(f.Context(), objectstore.DeleteQuery{Collection: "c", ID: id})
	return err
}

// must fails the test on an error.
func (f *fork) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// meets demands the conflict of two branches, one that trying again can mend.
func (f *fork) meets(err error) {
	f.Helper()
	var p *pipelined.Problem
	switch {
	case errors.Is(err, objectstore.ErrStale):
		f.Errorf("a sibling has the execution run again: %v", err)
	case !errors.As(err, &p) || p.Type != objectstore.TypeConflict || p.Status != 409 || !p.Retriable:
		f.Errorf("no conflict that can be tried again: %v", err)
	case !strings.Contains(p.Detail, "branch left") || !strings.Contains(p.Detail, "branch right") || !strings.Contains(p.Detail, "c/"):
		f.Errorf("it does not name the document and both branches: %s", p.Detail)
	}
}

// ends closes the group, commits, and compares what is stored then.
func (f *fork) ends(id, want string) {
	f.Helper()
	f.group.Close()
	f.must(f.commit(f.parent))
	if got := f.get(f.session(), id); got != want {
		f.Errorf("stored is %s, want %s", got, want)
	}
}

func TestABranchSeesWhatItsSiblingsWrote(t *testing.T) {
	t.Parallel()
	f := start(t).fork()
	f.must(f.put(f.left, "a", `{"n":1}`))
	if got := f.get(f.right, "a"); got != `{"n":1}` {
		t.Errorf("right sees %s", got)
	}
	if got := f.ids(f.right, objectstore.FindQuery{}); got != "a" {
		t.Errorf("right finds %s", got)
	}
	if n, err := f.right.Count(t.Context(), "c", objectstore.Where{}); n != 1 || err != nil {
		t.Errorf("right counts %d, %v", n, err)
	}
	f.must(f.delete(f.right, "a"))
	if got := f.get(f.left, "a"); got != "" {
		t.Errorf("left sees %s after the sibling deleted it", got)
	}
	f.ends("a", "")
}

// writes are all ways to write document a, which is {"n":1,"m":1}, after it was shown.
func (f *fork) writes() map[string]func(*objectstore.Session) error {
	ctx := f.Context()
	return map[string]func(*objectstore.Session) error{
		"put":    func(s *objectstore.Session) error { return f.put(s, "a", `{"n":2}`) },
		"update": func(s *objectstore.Session) error { return f.update(s, "a", `{"n":2}`) },
		"delete": func(s *objectstore.Session) error { return f.delete(s, "a") },
		"update where": func(s *objectstore.Session) error {
			_, err := s.Update(ctx, objectstore.UpdateQuery{Collection: "c", Where: f.where("doc.m == 1"), Merge: `{"n":2}`})
			return err
		},
		"delete where": func(s *objectstore.Session) error {
			_, err := s.Delete(ctx, objectstore.DeleteQuery{Collection: "c", Where: f.where("doc.m == 1")})
			return err
		},
	}
}

func TestWhatAPartMayStillDropIsNotSeenAndNotOverwritten(t *testing.T) {
	t.Parallel()
	for name := range start(t).fork().writes() {
		for _, kept := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, kept: %t", name, kept), func(t *testing.T) {
				t.Parallel()
				b := start(t)
				b.seed(`{"n":1,"m":1}`)
				f := b.fork()
				before := f.left.Mark()
				f.left.Begin()
				f.must(f.put(f.left, "a", `{"n":9,"m":1}`))
				f.left.Begin()
				f.must(f.update(f.left, "a", `{"x":1}`))
				f.left.Keep()
				if got := f.get(f.right, "a"); got != `{"n":1,"m":1}` {
					t.Errorf("right sees %s", got)
				}
				if got := f.get(f.left, "a"); got != `{"n":9,"m":1,"x":1}` {
					t.Errorf("left sees %s of itself", got)
				}
				f.meets(f.writes()[name](f.right))
				if !kept {
					f.left.Rollback(before, true)
					f.must(f.writes()[name](f.right))
					return
				}
				f.left.Keep()
				f.meets(f.writes()[name](f.right)) // shown before: still not what is there
				if got := f.get(f.right, "a"); got != `{"n":9,"m":1,"x":1}` {
					t.Errorf("right sees %s afterwards", got)
				}
				f.must(f.writes()[name](f.right))
			})
		}
	}
}

func TestAPartThatFailedLeavesNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	f := b.fork()
	f.must(f.insert(f.left, "mine", `{}`))
	before := f.left.Mark()
	f.left.Begin()
	f.must(f.delete(f.left, "a"))
	f.must(f.insert(f.left, "b", `{}`))
	f.left.Rollback(before, true)
	if got := f.ids(f.right, objectstore.FindQuery{}); got != "amine" {
		t.Errorf("right finds %s", got)
	}
	f.must(f.insert(f.right, "b", `{"n":2}`))
	f.left.Begin() // what a branch holds when its group ends is dropped as well
	f.must(f.put(f.left, "c", `{}`))
	f.group.Close()
	if got := f.ids(f.parent, objectstore.FindQuery{}); got != "abmine" {
		t.Errorf("there are %s", got)
	}
}

func TestAParentThatRollsBackDropsWhatItsBranchesShared(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	s := b.session()
	before := s.Mark()
	f := b.forkOf(s)
	f.must(f.update(f.left, "a", `{"n":2}`))
	f.must(f.insert(f.right, "b", `{}`))
	f.group.Close()
	s.Rollback(before, false)
	if got := f.ids(s, objectstore.FindQuery{Where: f.where("doc.n == 1")}); got != "a" || len(s.Writes(epoch)) != 0 {
		t.Errorf("found %s, and %d writes", got, len(s.Writes(epoch)))
	}
}

// TestBranchesOfABranch has a branch with a part and branches of its own: what they
// share is theirs until the part has succeeded.
func TestBranchesOfABranch(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	f := b.fork()
	f.left.Begin()
	inner := b.forkOf(f.left)
	inner.must(inner.update(inner.left, "a", `{"n":2}`))
	if got := inner.get(inner.right, "a"); got != `{"n":2}` {
		t.Errorf("a branch beside it sees %s", got)
	}
	if got := f.get(f.right, "a"); got != `{"n":1}` {
		t.Errorf("a branch outside sees %s", got)
	}
	f.meets(f.update(f.right, "a", `{"m":1}`))
	inner.group.Close()
	f.meets(f.update(f.right, "a", `{"m":1}`))
	f.left.Keep()
	f.must(f.update(f.right, "a", `{"m":1}`))
	f.must(f.update(f.left, "a", `{"o":1}`))
	f.ends("a", `{"n":2,"m":1,"o":1}`)
}

func TestAUniqueValueThatASiblingMayStillDrop(t *testing.T) {
	t.Parallel()
	b := start(t)
	s := b.sessionOf(func(string) store.Collection { return store.Collection{Unique: []string{"email"}} })
	f := b.forkOf(s)
	before := f.left.Mark()
	f.left.Begin()
	f.must(f.insert(f.left, "a", `{"email":"x"}`))
	f.meets(f.insert(f.right, "b", `{"email":"x"}`))
	f.must(f.insert(f.right, "other", `{"email":"y"}`))
	f.left.Rollback(before, true)
	f.must(f.insert(f.right, "b", `{"email":"x"}`))
	if err := f.insert(f.left, "a", `{"email":"x"}`); status(err) != 409 || !strings.Contains(err.Error(), "unique") {
		t.Errorf("%v", err)
	}
}

// TestConditionalWritesAreAllOrNothing has the last document of an update stand in the
// way: those before it are as they were.
func TestConditionalWritesAreAllOrNothing(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`, `{"n":1}`, `{"n":1}`)
	f := b.fork()
	f.right.Begin()
	f.must(f.update(f.right, "c", `{"m":1}`))
	all := objectstore.UpdateQuery{Collection: "c", Where: f.where("doc.n == 1"), Merge: `{"n":2}`}
	_, err := f.left.Update(t.Context(), all)
	f.meets(err)
	_, err = f.left.Delete(t.Context(), objectstore.DeleteQuery{Collection: "c", Where: f.where("doc.n == 1")})
	f.meets(err)
	if got := f.ids(f.left, objectstore.FindQuery{Where: f.where("doc.n == 1")}); got != "abc" {
		t.Errorf("left with %s", got)
	}
	f.right.Keep()
	if n, err := f.left.Update(t.Context(), all); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestVersionsGoOnAcrossBranches(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	f := b.fork()
	ctx := t.Context()
	f.must(f.put(f.left, "a", `{"n":2}`))
	if r, err := f.right.Put(ctx, "c", "a", `{"n":3}`, 2); err != nil || r.Version != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := f.left.Put(ctx, "c", "a", `{"n":4}`, 2); status(err) != 409 {
		t.Errorf("a version that a sibling went past: %v", err)
	}
	if n, err := f.left.Delete(ctx, objectstore.DeleteQuery{Collection: "c", ID: "a", IfVersion: 3}); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	f.ends("a", "")
}

func TestBranchesOfAnExecutionStillMeetOthers(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	f := b.fork()
	f.get(f.left, "a")
	f.must(f.put(f.left, "a", `{"n":2}`))
	other := b.session()
	if _, err := other.Put(t.Context(), "c", "a", `{"n":100}`, 0); err != nil {
		t.Fatal(err)
	}
	f.must(b.commit(other))
	if got := f.get(f.right, "a"); got != `{"n":2}` {
		t.Errorf("right sees %s", got)
	}
	f.must(f.put(f.right, "a", `{"n":3}`))
	f.group.Close()
	if err := b.commit(f.parent); err == nil {
		t.Error("another execution's change is lost")
	}
}
