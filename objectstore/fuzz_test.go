package objectstore_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pipelined/internal/clock"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// FuzzWhere looks for the same documents where they are stored, so that comparisons
// are made by the database, and where they are the session's own. Both must give the
// same documents in the same order, or fail alike.
func FuzzWhere(f *testing.F) {
	f.Add(`doc.a == 1`, "a", uint64(1))
	f.Add(`doc.a > 1.5 and doc.b.c == "x"`, "-b.c", uint64(2))
	f.Add(`doc.a in [1, "x", null, true] and doc.b != nil`, "a", uint64(3))
	f.Add(`doc.a <= "m" or doc.b == {}`, "_id", uint64(4))
	f.Add(`doc._id >= "c" and not (doc.a == doc.b)`, "-_version", uint64(5))
	f.Add(`len(doc.l ?? []) > 1 and doc.a == 9007199254740993`, "l", uint64(6))
	f.Add("doc[\"a\"] == 'it''s'", "x.y", uint64(7))
	s, err := sqlite.Open("", sqlite.Config{Clock: clock.NewFake(epoch)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, src, order string, seed uint64) {
		syms := expression.NewSymbols(nil)
		syms.Declare("doc", &expression.Symbol{Slot: 0})
		c, perr := expression.CompileCondition(src, syms)
		if perr != nil || strings.ContainsAny(order, "\x00*?#|\\@!{}[]()\"") || strings.Contains(src, "_version") || strings.Contains(order, "_version") {
			return
		}
		collection := fmt.Sprintf("c%d", seed%8) // of the same few contents
		contents(t, s, collection, seed%8)
		where := func() objectstore.Where {
			return objectstore.Where{Program: c.Program, Slot: 0, Frame: &expression.Frame{Slots: make([]any, 1), Host: &function.Env{}}}
		}
		find := func(own bool) (string, error) {
			session := objectstore.NewSession(s, nil, func() string { return "id" }, clock.NewFake(epoch).Now)
			if own { // written over themselves
				all, err := session.Find(t.Context(), objectstore.FindQuery{Collection: collection})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range all {
					id := value.Get(d, value.NewPath("_id")).(string)
					if _, err := session.Put(t.Context(), collection, id, d.(value.Raw), 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			list, err := session.Find(t.Context(), objectstore.FindQuery{Collection: collection, Where: where(), OrderBy: objectstore.ParseOrder([]string{order})})
			var ids []string
			for _, d := range list {
				ids = append(ids, value.Get(d, value.NewPath("_id")).(string))
			}
			return strings.Join(ids, " "), err
		}
		stored, err1 := find(false)
		own, err2 := find(true)
		if (err1 == nil) != (err2 == nil) || err1 == nil && stored != own {
			t.Fatalf("where %s order by %s: stored %q (%v), own %q (%v)", src, order, stored, err1, own, err2)
		}
	})
}

// contents fills a collection with random documents, the same for the same seed.
func contents(t *testing.T, s *sqlite.Store, collection string, seed uint64) {
	t.Helper()
	if n, err := s.Count(t.Context(), collection, store.Exact); err != nil || n > 0 {
		return
	}
	r := rand.New(rand.NewPCG(seed, 1))
	atoms := []string{"null", "true", "false", "0", "1", "1.0", "1.5", "-3", "9007199254740993", `"x"`, `"1"`, `""`, `"m"`, `[]`, `[1,2]`, `{}`, `{"c":"x"}`, `{"c":1}`}
	b := &store.Batch{}
	for i := range 12 {
		var members []string
		for _, name := range []string{"a", "b", "l"} {
			if r.IntN(4) > 0 {
				members = append(members, fmt.Sprintf("%q:%s", name, atoms[r.IntN(len(atoms))]))
			}
		}
		b.Documents = append(b.Documents, store.Write{Kind: store.Put, Collection: collection, ID: string(rune('a' + i)), Document: "{" + strings.Join(members, ",") + "}"})
	}
	if _, err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}
