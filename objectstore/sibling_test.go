package objectstore_test

import (
	"strings"
	"testing"

	"pipelined/objectstore"
)

func TestAWriteOfWhatASiblingChangedAfterItWasShownIsAConflict(t *testing.T) {
	t.Parallel()
	shown := map[string]func(f *fork, s *objectstore.Session){
		"got":   func(f *fork, s *objectstore.Session) { f.get(s, "a") },
		"found": func(f *fork, s *objectstore.Session) { f.ids(s, objectstore.FindQuery{Where: f.where("doc.n == 1")}) },
	}
	stored := map[string]func(b *bench) *fork{
		"stored":  func(b *bench) *fork { b.seed(`{"n":1,"m":1}`); return b.fork() },
		"its own": func(b *bench) *fork { return b.withOwn() },
		"stored, again": func(b *bench) *fork {
			b.seed(`{"n":1,"m":1}`)
			f := b.fork()
			f.group.Close()
			return b.forkOf(f.parent)
		},
	}
	for how, show := range shown {
		for where, fork := range stored {
			for name := range start(t).fork().writes() {
				t.Run(name+" of what was "+how+", "+where, func(t *testing.T) {
					t.Parallel()
					f := fork(start(t))
					show(f, f.left)
					f.must(f.update(f.right, "a", `{"n":7}`))
					f.meets(f.writes()[name](f.left))
					show(f, f.left) // nobody is in the way of a second try
					f.get(f.left, "a")
					f.must(f.writes()[name](f.left))
				})
			}
		}
	}
}

// withOwn is a fork of a session that wrote document a itself.
func (b *bench) withOwn() *fork {
	parent := b.session()
	if _, err := parent.Put(b.Context(), "c", "a", `{"n":1,"m":1}`, 0); err != nil {
		b.Fatal(err)
	}
	return b.forkOf(parent)
}

func TestWhatWasShownBeforeTheForkCounts(t *testing.T) {
	t.Parallel()
	tests := map[string]func(b *bench) *objectstore.Session{
		"of the store": func(b *bench) *objectstore.Session { b.seed(`{"n":1,"m":1}`); return b.session() },
		"its own":      func(b *bench) *objectstore.Session { return b.withOwn().parent },
	}
	for name, parent := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			s := parent(b)
			if _, _, err := s.Get(t.Context(), "c", "a"); err != nil {
				t.Fatal(err)
			}
			f := b.forkOf(s)
			f.must(f.put(f.left, "a", `{"n":2}`))
			f.meets(f.put(f.right, "a", `{"n":2}`))
			f.must(f.put(f.left, "a", `{"n":3}`)) // its own change is no news to it
			late := f.group.Branch(objectstore.Branch{Name: "right"}, 0)
			f.meets(f.put(late, "a", `{"n":2}`)) // though it began after the change
			f.group.Close()
			f.must(f.put(f.parent, "a", `{"n":4}`)) // the branches have ended: all of it is known
			next := b.forkOf(f.parent)
			next.must(next.put(next.left, "a", `{"n":5}`))
			next.meets(next.put(next.right, "a", `{"n":5}`))
			next.ends("a", `{"n":5}`)
		})
	}
}

func TestBlindPutsReplaceEachOther(t *testing.T) {
	t.Parallel()
	f := start(t).fork()
	f.must(f.put(f.left, "a", `{"n":1}`))
	f.must(f.put(f.right, "a", `{"n":2}`))
	f.must(f.put(f.left, "a", `{"n":3}`))
	f.ends("a", `{"n":3}`)
}

func TestMergesKeepWhatSiblingsChange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, left, right string
		shown             bool // to left, before right writes
		conflict          bool
		want              string
	}{
		{"different fields", `{"n":2}`, `{"m":2}`, false, false, `{"n":2,"m":2,"o":{"x":1,"y":1}}`},
		{"different fields of what was shown", `{"n":2}`, `{"m":2}`, true, false, `{"n":2,"m":2,"o":{"x":1,"y":1}}`},
		{"one field of what was shown", `{"n":2}`, `{"n":3}`, true, true, ""},
		{"one field that was not shown", `{"n":2}`, `{"n":3}`, false, false, `{"n":2,"m":1,"o":{"x":1,"y":1}}`},
		{"different members of an object", `{"o":{"x":2}}`, `{"o":{"y":2}}`, true, false, `{"n":1,"m":1,"o":{"x":2,"y":2}}`},
		{"one member of an object", `{"o":{"x":2}}`, `{"o":{"x":3}}`, true, true, ""},
		{"an object that the other replaces", `{"o":{"x":2}}`, `{"o":null}`, true, true, ""},
		{"a new field each", `{"p":1}`, `{"q":1}`, true, false, `{"n":1,"m":1,"o":{"x":1,"y":1},"q":1,"p":1}`},
		{"the same new field", `{"p":1}`, `{"p":2}`, true, true, ""},
		{"a field taken away", `{"n":null}`, `{"n":5}`, true, true, ""},
		{"a field set to what it is", `{"n":2}`, `{"n":1}`, true, false, `{"n":2,"m":1,"o":{"x":1,"y":1}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			b.seed(`{"n":1,"m":1,"o":{"x":1,"y":1}}`)
			f := b.fork()
			if tt.shown {
				f.get(f.left, "a")
			}
			f.must(f.update(f.right, "a", tt.right))
			if err := f.update(f.left, "a", tt.left); tt.conflict {
				f.meets(err)
				return
			} else if err != nil {
				t.Fatal(err)
			}
			f.ends("a", tt.want)
		})
	}
}

func TestAPutAfterAMergeOverASiblingsChangeIsAConflict(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1,"m":1}`)
	f := b.fork()
	f.get(f.left, "a")
	f.must(f.update(f.right, "a", `{"m":2}`))
	f.must(f.update(f.left, "a", `{"n":2}`))          // m was not looked at
	f.must(f.update(f.left, "a", `{"n":3}`))          // its own n is no news
	f.meets(f.put(f.left, "a", `{"n":4,"m":1}`))      // this has the m of before
	f.meets(f.update(f.left, "a", `{"m":"1 and 1"}`)) // and so may this
	f.get(f.left, "a")
	f.must(f.put(f.left, "a", `{"n":4,"m":2}`))
	f.ends("a", `{"n":4,"m":2}`)
}

func TestASecondInsertOfAnIDIsAConflict(t *testing.T) {
	t.Parallel()
	f := start(t).fork()
	f.must(f.insert(f.left, "a", `{"n":1}`))
	if err := f.insert(f.right, "a", `{"n":2}`); status(err) != 409 || !strings.Contains(err.Error(), "exists") {
		t.Errorf("%v", err)
	}
	f.ends("a", `{"n":1}`)
}

func TestWhatBranchesOfABranchWereShownCountsForIt(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	f := b.fork()
	inner := b.forkOf(f.left)
	inner.get(inner.left, "a")
	f.must(f.put(f.right, "a", `{"n":2}`))
	inner.group.Close()
	f.meets(f.put(f.left, "a", `{"n":2}`)) // of what its branch was shown
}

func TestWhatBranchesOfABranchChangeIsNoNewsToIt(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.seed(`{"n":1}`)
	f := b.fork()
	f.get(f.left, "a")
	inner := b.forkOf(f.left)
	inner.get(inner.right, "a")
	inner.must(inner.update(inner.left, "a", `{"n":2}`))
	inner.meets(inner.put(inner.right, "a", `{"n":3}`)) // it was shown to the branch before
	inner.must(inner.update(inner.right, "a", `{"m":2}`))
	inner.group.Close()
	f.must(f.put(f.left, "a", `{"n":4}`))
	again := b.forkOf(f.left)
	again.get(again.right, "a")
	again.must(again.update(again.left, "a", `{"n":5}`))
	again.group.Close()
	f.must(f.put(f.left, "a", `{"n":6}`))
	f.ends("a", `{"n":6}`)
}
