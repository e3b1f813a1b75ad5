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

// places are paths as expressions and indexes write them, each with a document that
// holds a value there.
var places = []struct{ expression, path, document string }{
	{"doc.a", "a", `{"z":1,"a":%s}`},
	{"doc.a.b", "a.b", `{"x":{"b":1}, "a" : {"c":[{"b":3}],"b": %s }}`},
	{`doc["a b"]`, "a b", `{"a":7,"a b":%s}`},
	{`doc["it's"]`, "it's", `{"it's":%s}`},
	{"doc.é", "é", `{"\u00e9":%s}`},
	{"doc.l[0]", "l.0", `{"l":[%s,1]}`},
	{"doc.l[1].b", "l.1.b", `{"l":[{"b":9},{"b":%s}]}`},
	{`doc.m["7"]`, "m.7", `{"m":{"7":%s}}`},
	{`doc["*"].b`, "*.b", `{"q":{"b":1},"*":{"b":%s}}`},
	{"doc.twice", "twice", `{"twice":%s,"twice":1}`},
}

// things are values of documents and of conditions, in many spellings.
var things = []string{`null`, `true`, `false`, `0`, `-0`, `0.0`, `1`, `1.0`, `10e-1`, `1.5`, `-2.5`, `2`, `10`, `0.1`, `0.10000000000000001`, `0.30000000000000004`,
	`9007199254740992`, `9007199254740993`, `9007199254740994.0`, `-9007199254740993`, `9223372036854775807`, `-9223372036854775808`, `9223372036854775808`,
	`435139419831806361670`, `1e300`, `-1e300`, `1e400`, `123456789.123456789123456789`,
	`""`, `"1"`, `"10"`, `"2"`, `"a"`, `"\u0061"`, `"aa"`, `"A"`, `"say \"hi\""`, `"back\\slash"`, `"it's"`, `"é"`, `"\u00e9"`, `"\uffee"`, `"\ud83d\ude00"`, `"\ufffd"`, `"true"`, `"null"`,
	`[]`, `[ ]`, `[1]`, `[1,"x"]`, `["a"]`, `{}`, `{"b":1}`, `{ "b" : 1 }`, `"{}"`}

// A condition gives the same documents, in the same order, and counts as many,
// whether an index helps with it, the documents are looked through where they are
// stored, or they are the session's own: every operator with every kind of value at
// every kind of place.
func TestHoweverDocumentsAreFound(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("some thirty thousand searches")
	}
	for i, p := range places {
		t.Run(p.path, func(t *testing.T) {
			t.Parallel()
			w := newWays(t, p.path)
			var docs []string
			for _, v := range things {
				docs = append(docs, strings.Replace(p.document, "%s", v, 1))
			}
			w.store(append(docs, `{}`, `{"a":null}`, `{"l":[]}`, `{"a":[1],"l":{"0":1}}`))
			for i, v := range things {
				for j, op := range []string{"==", "!=", "<", "<=", ">", ">="} {
					w.must(p.expression+" "+op+" v", v)
					if i%6 == j {
						w.must("v "+op+" "+p.expression, v)
					}
				}
				w.must(p.expression+" in [v]", v)
				w.must(p.expression+" not in [v, 2]", v)
			}
			for n := range things {
				w.must(p.expression+" in v", "["+strings.Join(things[:n], ",")+"]")
			}
			w.random(rand.New(rand.NewPCG(uint64(i), 1)), p.expression)
		})
	}
}

// ways finds documents in several ways.
type ways struct {
	*testing.T
	s        *sqlite.Store
	sessions map[string]*objectstore.Session
}

func newWays(t *testing.T, path string) *ways {
	s, err := sqlite.Open("", sqlite.Config{Clock: clock.NewFake(epoch)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Prepare(t.Context(), "r", []store.Collection{{Name: "indexed", Index: []string{path}}, {Name: "plain"}}); err != nil {
		t.Fatal(err)
	}
	return &ways{T: t, s: s}
}

func (w *ways) store(docs []string) {
	w.Helper()
	b := &store.Batch{}
	for i, d := range docs {
		for _, c := range []string{"indexed", "plain"} {
			b.Documents = append(b.Documents, store.Write{Kind: store.Put, Collection: c, ID: fmt.Sprintf("%03d", i*37%1000), Document: d})
		}
	}
	if _, err := w.s.Commit(w.Context(), b); err != nil {
		w.Fatal(err)
	}
	session := func() *objectstore.Session {
		return objectstore.NewSession(w.s, nil, func() string { return "id" }, clock.NewFake(epoch).Now)
	}
	w.sessions = map[string]*objectstore.Session{"indexed": session(), "plain": session(), "own": session()}
	all, err := w.sessions["own"].Find(w.Context(), objectstore.FindQuery{Collection: "plain"})
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range all {
		if _, err := w.sessions["own"].Put(w.Context(), "plain", ids([]any{d}), d.(value.Raw), 0); err != nil {
			w.Fatal(err)
		}
	}
}

// compare looks for a condition over v in every way. It reports whether it is one.
func (w *ways) compare(src, v string) bool {
	w.Helper()
	syms := expression.NewSymbols(nil)
	syms.Declare("doc", &expression.Symbol{Slot: 0})
	syms.Declare("v", &expression.Symbol{Slot: 1})
	c, perr := expression.CompileCondition(src, syms)
	if perr != nil {
		return false
	}
	found := map[string]string{}
	for way, session := range w.sessions {
		collection := map[string]string{"indexed": "indexed", "plain": "plain", "own": "plain"}[way]
		where := objectstore.Where{Program: c.Program, Slot: 0, Frame: &expression.Frame{Slots: []any{nil, value.Raw(v)}, Host: &function.Env{}}}
		list, err := session.Find(w.Context(), objectstore.FindQuery{Collection: collection, Where: where})
		if way == "plain" {
			n, cerr := session.Count(w.Context(), collection, where)
			if (err == nil) != (cerr == nil) || err == nil && n != len(list) {
				w.Errorf("%s, v %s: %d documents, %v, and counted %d, %v", src, v, len(list), err, n, cerr)
			}
		}
		if found[way] = ids(list); err != nil {
			found[way] = "fails"
		}
	}
	if found["plain"] != found["indexed"] || found["plain"] != found["own"] {
		w.Errorf("%s, v %s: found %q", src, v, found)
	}
	return true
}

func (w *ways) must(src, v string) {
	w.Helper()
	if !w.compare(src, v) {
		w.Fatalf("%s is no condition", src)
	}
}

func ids(list []any) string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = value.Get(d, value.NewPath("_id")).(string)
	}
	return strings.Join(out, " ")
}

// random combines comparisons of one place, of another and of the store's own fields.
func (w *ways) random(r *rand.Rand, place string) {
	w.Helper()
	literals := []string{"nil", "true", "1", "1.5", "9007199254740993", "-1e300", `"a"`, `"é"`, `""`, `[1, "a", nil]`, "v", "[v]"}
	one := func() string {
		at := []string{place, place, "doc.z", "doc._id", "doc._created_at"}[r.IntN(5)]
		op := []string{"==", "!=", "<", "<=", ">", ">=", "in"}[r.IntN(7)]
		v := literals[r.IntN(len(literals))]
		if strings.HasPrefix(v, "[") != (op == "in") {
			op = "=="
		}
		return at + " " + op + " " + v
	}
	compared := 0
	for range 200 {
		src := one() + []string{" and ", " and ", " or ", " and not "}[r.IntN(4)] + "(" + one() + ")"
		if w.compare(src, things[r.IntN(len(things))]) { // what never holds is no condition
			compared++
		}
	}
	if compared < 50 {
		w.Errorf("only %d combinations", compared)
	}
}
