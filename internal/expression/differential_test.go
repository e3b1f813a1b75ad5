package expression_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pipelined/internal/expression"
	"pipelined/internal/value"
)

// A document is evaluated as the text it came in, of which only what an expression
// names is looked at. That must give what the same document gives when all of it was
// decoded before.

// generator makes documents and expressions that have names in common.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

var names = []string{"id", "lines", "customer", "m", "qty", "price", "sku", "a b", "x.y", "0", "é", "q*?", `b\s`, ""}

func (g generator) name() string { return names[min(g.IntN(len(names)), g.IntN(len(names)))] }

// quoted is a text in JSON, some of its characters escaped.
func (g generator) quoted(s string) string {
	text, _ := json.Marshal(s)
	if g.IntN(3) > 0 || strings.Contains(string(text), `\`) {
		return string(text)
	}
	var b strings.Builder
	for _, c := range string(text) {
		if c >= 'a' && c <= 'z' && g.IntN(3) == 0 {
			fmt.Fprintf(&b, `\u%04x`, c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

func (g generator) space() string { return g.one("", "", "", " ", "\n\t") }

func (g generator) number() string {
	return g.one("0", "1", "-1", "2", "17", "-0", "0.1", "1.10", "-2.50", "1e3", "1E-2", "100.0", "4503599627370497", "9007199254740993",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "123456789012345678901234567890", "0.1000000000000000055511151231257827", "1e300")
}

func (g generator) text() string {
	return g.one("", "a", "A-100", "17", "1.10", "true", "null", "é", "日本", "😀", "two\nlines", `back\slash`, `a"b`, "2026-03-08T09:30:00Z", "[1]", "id")
}

// document is a JSON text.
func (g generator) document(depth int) string {
	kind := g.IntN(9)
	if depth == 0 {
		kind = g.IntN(6)
	}
	switch kind {
	case 0, 1:
		return g.number()
	case 2, 3:
		return g.quoted(g.text())
	case 4:
		return g.one("true", "false")
	case 5:
		return "null"
	case 6:
		list := make([]string, g.IntN(5))
		for i := range list {
			list[i] = g.space() + g.document(depth-1) + g.space()
		}
		return "[" + g.space() + strings.Join(list, ",") + "]"
	}
	return g.object(depth)
}

func (g generator) object(depth int) string {
	var list []string
	taken := map[string]bool{}
	for range g.IntN(7) {
		name := g.name()
		if taken[name] {
			continue
		}
		taken[name] = true
		list = append(list, g.space()+g.quoted(name)+g.space()+":"+g.space()+g.document(depth-1))
	}
	return "{" + g.space() + strings.Join(list, ",") + g.space() + "}"
}

// path is a look into the document, or into the element of a loop.
func (g generator) path(root string) string {
	for range g.IntN(4) {
		switch g.IntN(6) {
		case 0:
			root += fmt.Sprintf("[%d]", g.IntN(6)-2)
		case 1, 2:
			text, _ := json.Marshal(g.name())
			root += "[" + string(text) + "]"
		case 3:
			root += "?." + g.one("id", "lines", "m", "qty", "price")
		default:
			root += "." + g.one("id", "lines", "customer", "m", "qty", "price", "sku")
		}
	}
	return root
}

// expression is one over input; inside a loop, # is its element. What depends on the
// order of the members of an object is left out: decoded, it has none.
func (g generator) expression(depth int, loop bool) string {
	if depth == 0 || g.IntN(6) == 0 {
		switch n := g.IntN(8); {
		case n == 0:
			return g.number()
		case n == 1:
			text, _ := json.Marshal(g.text())
			return string(text)
		case n == 2:
			return g.one("true", "false", "nil", "vars.total")
		case loop && n < 6:
			return g.path("#")
		}
		return g.path("input")
	}
	e := func() string { return g.expression(depth-1, loop) }
	list := func() string {
		return g.one(g.path("input.lines"), "("+g.path("input")+" ?? [])", "["+e()+", "+e()+"]", "["+g.path("input")+"]")
	}
	body := func() string { return g.expression(depth-1, true) }
	switch g.IntN(16) {
	case 0, 1:
		return "(" + e() + " " + g.one("+", "-", "*", "/", "%", "**") + " " + e() + ")"
	case 2:
		return "(" + e() + " " + g.one("==", "!=") + " " + e() + ")"
	case 3:
		return "(" + e() + " " + g.one("<", "<=", ">", ">=") + " " + e() + ")"
	case 4:
		return "(" + e() + " " + g.one("and", "or", "&&", "||") + " " + e() + ")"
	case 5:
		return "(" + e() + " " + g.one("in", "not in", "contains", "startsWith", "endsWith", "matches") + " " + e() + ")"
	case 6:
		return "(" + e() + " ?? " + e() + ")"
	case 7:
		return "(" + e() + " ? " + e() + " : " + e() + ")"
	case 8:
		return g.one("-", "not ", "+") + "(" + e() + ")"
	case 9:
		return g.one("len", "int", "float", "type", "upper", "trim", "abs", "first", "last", "isArray", "isObject", "min", "max", "mean", "round", "sort", "uniq", "flatten", "reverse", "fromJSON", "date") + "(" + e() + ")"
	case 10:
		return g.one("map", "filter", "any", "all", "none", "one", "count", "find", "findIndex", "findLast", "sum", "sortBy") + "(" + list() + ", " + body() + ")"
	case 11:
		if g.IntN(2) == 0 {
			return "groupBy(" + list() + ", type(" + body() + "))"
		}
		return "reduce(" + list() + ", #acc + " + body() + ", " + e() + ")"
	case 12:
		return "{a: " + e() + ", b: " + e() + "}" + g.one("", ".a", "[\"b\"]")
	case 13:
		return "[" + e() + ", " + e() + "]" + g.one("", "[0]", "[-1]", "[1:]")
	case 14:
		return g.path("input") + "[" + g.one("0:1", ":1", "1:", "-1:", e()) + "]"
	}
	return "(let v = " + e() + "; " + g.one("v", "[v, v]", "v ?? 1", "{x: v}", "len(v)", "v == input.id") + ")"
}

// said is a value as JSON says it: an object has no order, a number is its text.
func said(v any) (out any, err error) {
	raw, err := value.JSON(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	return out, d.Decode(&out)
}

// opened is a document decoded at all levels, its numbers left as they came.
func opened(v any) any {
	r, ok := v.(value.Raw)
	if !ok || !strings.HasPrefix(string(r), "{") && !strings.HasPrefix(string(r), "[") {
		return v
	}
	switch t := value.Open(r).(type) {
	case map[string]any:
		for k, e := range t {
			t[k] = opened(e)
		}
		return t
	case []any:
		for i, e := range t {
			t[i] = opened(e)
		}
		return t
	}
	return v
}

// differ evaluates one expression over one document both ways. evaluated is false
// where both say that it cannot be.
func differ(t *testing.T, p *expression.Program, doc string) (evaluated bool) {
	t.Helper()
	raw, err := value.ParseString(doc)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	lazy, decoded := frame(), frame()
	lazy.Slots[0], decoded.Slots[0] = raw, opened(raw)
	a, errA := p.Eval(lazy)
	b, errB := p.Eval(decoded)
	if (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error() {
		t.Fatalf("%s over %s: as it came %v, decoded %v", p.Source(), doc, errA, errB)
	}
	if errA != nil {
		return false
	}
	x, errX := said(a)
	y, errY := said(b)
	if (errX == nil) != (errY == nil) || !reflect.DeepEqual(x, y) || !value.Equal(a, b) {
		t.Fatalf("%s over %s: as it came %v (%v), decoded %v (%v)", p.Source(), doc, x, errX, y, errY)
	}
	return true
}

func TestDocumentsAsTheyCameAndDecodedGiveTheSame(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(rand.Uint64(), 0))}
	const cases, documents = 10_000, 4
	compiled, evaluated := 0, 0
	for range cases {
		p, err := expression.Compile(g.expression(1+g.IntN(4), false), symbols())
		if err != nil {
			continue
		}
		compiled++
		for range documents {
			if differ(t, p, g.object(4)) {
				evaluated++
			}
		}
	}
	t.Logf("%d of %d expressions compiled; over %d documents each, %d evaluations", compiled, cases, documents, evaluated)
	if compiled < cases/2 || evaluated < cases {
		t.Error("too few of them say anything")
	}
}
