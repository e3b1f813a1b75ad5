package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

func (s *suite) ids(q store.Query) []string {
	s.Helper()
	q.Collection = "c"
	var out []string
	s.must(s.s.Find(s.Context(), q, func(d *store.Document) (bool, error) { out = append(out, d.ID); return true, nil }))
	return out
}

func findStops(s *suite) {
	var b store.Batch
	for i := range 8 {
		b.Documents = append(b.Documents, put(fmt.Sprint(i), `{}`))
	}
	b.Documents = append(b.Documents, store.Write{Collection: "other", ID: "z", Document: `{}`})
	s.commit(&b)
	if got := strings.Join(s.ids(store.Query{OrderBy: []store.Order{{Path: "_created_at"}, {Path: "_version"}, {Path: "_id", Descending: true}}}), ""); got != "76543210" {
		s.Errorf("by the store's own fields: %s", got)
	}
	seen, stop := 0, errors.New("enough")
	err := s.s.Find(s.Context(), store.Query{Collection: "c"}, func(*store.Document) (bool, error) { seen++; return seen < 3, nil })
	err2 := s.s.Find(s.Context(), store.Query{Collection: "c"}, func(*store.Document) (bool, error) { return false, stop })
	if err != nil || seen != 3 || !errors.Is(err2, stop) {
		s.Errorf("stopping: %d, %v, %v", seen, err, err2)
	}
}

// findInFind goes deeper than any number of connections kept for reading.
func findInFind(s *suite) {
	s.commit(&store.Batch{Documents: []store.Write{put("a", `{}`), put("b", `{}`)}})
	const depth = 40
	visits := 0
	var walk func(level int)
	walk = func(level int) {
		s.must(s.s.Find(s.Context(), store.Query{Collection: "c"}, func(d *store.Document) (bool, error) {
			visits++
			if got, err := s.s.Get(s.Context(), "c", d.ID); err != nil || got == nil {
				return false, fmt.Errorf("%s at depth %d: %w", d.ID, level, err)
			}
			s.commit(&store.Batch{Documents: []store.Write{put(fmt.Sprint("new", level), `{}`)}})
			if level < depth {
				walk(level + 1)
			}
			return false, nil
		}))
	}
	walk(1)
	if visits != depth || s.count() != depth+2 {
		s.Errorf("%d visits, %d documents", visits, s.count())
	}
}

// values are what a field of a document may hold, sorted as documents are; those on
// one line sort alike.
var values = [][]string{
	{"", `null`},
	{`-1e300`}, {`-9223372036854775808`}, {`-9007199254740993`}, {`-9007199254740992`, `-9007199254740992.0`}, {`-2.5`}, {`false`, `0`, `-0.0`, `0e5`},
	{`0.1`}, {`0.30000000000000004`}, {`true`, `1`, `1.0`, `1.00`}, {`1.5`}, {`2`}, {`9007199254740992`}, {`9007199254740993`}, {`9223372036854775807`}, {`435139419831806361670`},
	{`1e300`},
	{`""`}, {`"\u0000"`}, {`"10"`}, {`"2"`}, {`"A"`}, {`[1,"x"]`, `[1, "x"]`}, {`[]`, `[ ]`}, {`"a"`}, {`"a\u0000"`}, {`"aa"`}, {`"b"`},
	{`{"0":5}`, `{"0" : 5}`}, {`"é"`, `"\u00e9"`}, {`"\uffee"`}, {`"😀"`, `"\ud83d\ude00"`},
}

// paths, each with a document that holds a value there.
var paths = []struct{ path, document string }{
	{"n", `{"n":%s}`}, {"a.b", `{"x":{"b":1}, "a" : {"b":%s}}`}, {"a.0", `{"a":[%s]}`}, {"a.0.b", `{"a":[{"b":%s},{"b":"no"}]}`},
	{"m.7", `{"m":{"7":%s}}`}, {"a b.*", `{"a b":{"x":1,"*":%s}}`}, {`say "hi"`, `{"say \"hi\"":%s}`}, {`back\slash`, `{"back\\slash":%s}`}, {"it's", `{"it's":%s}`}, {"é", `{"\u00e9":%s}`}, {"", `{"":%s}`},
}

func findEverything(s *suite) {
	var indexes []string
	var b store.Batch
	for n, p := range paths {
		indexes = append(indexes, p.path)
		for i, line := range values {
			for j, v := range line {
				doc := strings.Replace(p.document, "%s", v, 1)
				if v == "" {
					doc = `{"other":1}`
				}
				b.Documents = append(b.Documents, store.Write{Collection: fmt.Sprint("c", n), ID: fmt.Sprintf("%02d-%d", i, j), Document: doc})
			}
		}
	}
	s.commit(&b)
	for _, declared := range [][]string{nil, indexes} {
		var collections []store.Collection
		for n := range paths {
			collections = append(collections, store.Collection{Name: fmt.Sprint("c", n), Index: declared})
		}
		s.must(s.prepare(collections))
		for n, p := range paths {
			s.orders(fmt.Sprint("c", n), p.path)
			s.conditions(fmt.Sprint("c", n), p.path)
		}
	}
}

// orders checks both directions; ids ascend within what sorts alike.
func (s *suite) orders(collection, path string) {
	s.Helper()
	for _, descending := range []bool{false, true} {
		last, group, n := "", "", 0
		s.must(s.s.Find(s.Context(), store.Query{Collection: collection, OrderBy: []store.Order{{Path: path, Descending: descending}}}, func(d *store.Document) (bool, error) {
			line := d.ID[:2]
			if n > 0 && (line == group && d.ID < last || line != group && (line < group) != descending) {
				s.Errorf("by %q, descending %v: %s comes after %s", path, descending, d.ID, last)
			}
			last, group = d.ID, line
			n++
			return true, nil
		}))
		if n < len(values) {
			s.Errorf("by %q: only %d documents", path, n)
		}
	}
}

// conditions checks every operator with every kind of value: nothing that it holds
// for may be missing, and equality with a text must not give everything.
func (s *suite) conditions(collection, path string) {
	s.Helper()
	p := value.NewPath(strings.Split(path, ".")...)
	docs := map[string]any{}
	s.must(s.s.Find(s.Context(), store.Query{Collection: collection}, func(d *store.Document) (bool, error) {
		docs[d.ID] = value.Get(value.Raw(d.Body), p)
		return true, nil
	}))
	for _, c := range comparisons() {
		c.Path = path
		got := map[string]bool{}
		s.must(s.s.Find(s.Context(), store.Query{Collection: collection, Conditions: []store.Condition{c}}, func(d *store.Document) (bool, error) {
			got[d.ID] = true
			return true, nil
		}))
		for id, v := range docs {
			if !got[id] && holds(v, c) {
				s.Errorf("%q %s %v lacks %s, which holds %v", path, c.Op, c.Value, id, v)
			}
		}
		if c.Op == "==" && c.Value == "a" && len(got) != 1 {
			s.Errorf("%q == a gives %d documents", path, len(got))
		}
	}
}

func comparisons() (out []store.Condition) {
	var all []any
	for _, line := range values {
		switch t := value.Scalar(value.Raw(line[0])).(type) {
		case nil, bool, float64, string:
			all = append(all, t)
		case int:
			all = append(all, int64(t))
		}
	}
	all = append(all, true, int64(1), 1.0, "z")
	for _, v := range all {
		out = append(out, store.Condition{Op: "==", Value: v}, store.Condition{Op: "in", Value: []any{v}})
		for _, op := range []string{"<", "<=", ">", ">="} {
			out = append(out, store.Condition{Op: op, Value: v})
		}
	}
	many := make([]any, 5000)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	return append(out, store.Condition{Op: "in", Value: all}, store.Condition{Op: "in", Value: []any{}}, store.Condition{Op: "in", Value: many}, store.Condition{Op: "in", Value: many[:100]},
		store.Condition{Op: "!=", Value: int64(1)}, store.Condition{Op: "in", Value: "no list"}, store.Condition{Op: "==", Value: time.Time{}})
}

// holds is what a condition means.
func holds(v any, c store.Condition) bool {
	order, comparable := value.Compare(v, c.Value)
	switch c.Op {
	case "==":
		return value.Equal(v, c.Value)
	case "in":
		list, _ := c.Value.([]any)
		return slices.ContainsFunc(list, func(e any) bool { return value.Equal(v, e) })
	case "<":
		return comparable && order < 0
	case "<=":
		return comparable && order <= 0
	case ">":
		return comparable && order > 0
	case ">=":
		return comparable && order >= 0
	}
	return true // an operator no store knows narrows nothing
}
