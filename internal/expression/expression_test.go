package expression_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/value"
)

const order = `{"id":"o-1","big":9007199254740993,"price":1.10,"note":null,"customer":{"name":"Ann","tags":["a","b"]},` +
	`"lines":[{"sku":"A","qty":2,"price":18.00},{"sku":"B","qty":1,"price":19.50}],"prices":[1.10,2.20],"m":{"z":1,"a":2}}`

// symbols: input, vars (one set, one not), steps.got with a member error, a hidden
// name, an environment.
func symbols() *expression.Symbols {
	s := expression.NewSymbols(nil)
	s.Declare("input", &expression.Symbol{Slot: 0})
	s.Declare("vars", &expression.Symbol{Slot: -1, Closed: true, Members: map[string]*expression.Symbol{
		"total": {Slot: 1}, "unset": {Slot: 2}}})
	s.Declare("steps", &expression.Symbol{Slot: -1, Closed: true, Members: map[string]*expression.Symbol{
		"got": {Slot: 3, Members: map[string]*expression.Symbol{"error": {Slot: 4}}}, "later": {Slot: -1, Hidden: "it has not run yet"}}})
	s.Declare("env", &expression.Symbol{Slot: 5, Environment: func(n string) bool { return n == "HOME" }})
	s.Declare("typed", &expression.Symbol{Slot: 6, Type: &expression.Type{Kind: value.Object, Origin: "schemas/order.json", Fields: map[string]*expression.Type{
		"id": {Kind: value.String}, "lines": {Kind: value.Array, Elem: &expression.Type{Kind: value.Object, Fields: map[string]*expression.Type{"sku": {Kind: value.String}}}}}}})
	return s
}

func frame() *expression.Frame {
	return &expression.Frame{
		Slots: []any{value.Raw(order), 1200.5, expression.Unset, map[string]any{"status": 200, "body": value.Raw(`{"ok":true}`)}, "why", map[string]any{"HOME": "/home"}, value.Raw(`{}`)},
		Host: &function.Env{Now: func() time.Time { return time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC) },
			NewID: func() string { return "01890000-0000-7000-8000-000000000001" }, Random: func() float64 { return 0.5 }}}
}

func eval(t *testing.T, src string) (any, error) {
	t.Helper()
	p, perr := expression.Compile(src, symbols())
	if perr != nil {
		t.Fatalf("%s: %s", src, perr.Summary)
	}
	return p.Eval(frame())
}

func TestExpressionsGive(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"input.id", `"o-1"`}, {"input.big", "9007199254740993"}, {"input.price", "1.10"}, {"input.missing.deeper", "null"}, {"input.note", "null"},
		{"input.lines[1].sku", `"B"`}, {"input.lines[-1].sku", `"B"`}, {"input.customer?.name", `"Ann"`}, {`input["id"]`, `"o-1"`}, {"input.lines[vars.total > 1 ? 0 : 1].sku", `"A"`},
		{"{a: input.price, b: [input.big]}", `{"a":1.10,"b":[9007199254740993]}`},
		{"vars.total > 1000 ? input.price : 0", "1.10"}, {"input.missing ?? input.price", "1.10"},
		{"map(input.lines, ({sku: .sku, price: .price}))", `[{"price":18.00,"sku":"A"},{"price":19.50,"sku":"B"}]`},
		{"filter(input.lines, .qty > 1)", `[{"sku":"A","qty":2,"price":18.00}]`},
		{"sum(input.lines, .qty * .price)", "55.5"}, {"sum(input.prices)", "3.3000000000000003"}, {"max(input.prices)", "2.20"},
		{"len(input.lines)", "2"}, {"len(input.m)", "2"}, {"keys(input.customer)", `["name","tags"]`},
		{"input.price + 1", "2.1"}, {"input.big - 1", "9007199254740992"}, {"7 / 2", "3.5"}, {"7 % 4", "3"}, {`"a" + "b"`, `"ab"`},
		{"input.customer == {name: \"Ann\", tags: [\"a\",\"b\"]}", "true"}, {"input.customer != nil", "true"}, {"input.note == nil", "true"},
		{`"b" in input.customer.tags`, "true"}, {`"z" in input.m`, "true"}, {`"q" not in input.m`, "true"}, {`input.id in ["o-1", "o-2"]`, "true"}, {"2.2 in input.prices", "true"},
		{"find(input.lines, .sku == \"B\").qty", "1"}, {"first(input.lines).sku", `"A"`}, {"let x = input.lines; len(x) + 1", "3"},
		{"steps.got.status", "200"}, {"steps.got.body.ok", "true"}, {"steps.got.error", `"why"`}, {"vars.unset ?? \"none\"", `"none"`}, {"env.HOME", `"/home"`}, {"env.NOPE ?? \"d\"", `"d"`},
		{"now()", `"2026-03-08T09:30:00Z"`}, {"now().Year()", "2026"}, {"uuid()", `"01890000-0000-7000-8000-000000000001"`}, {"random()", "0.5"},
		{`path(input, "lines.#(qty>1)#.sku")`, `["A"]`}, {"string(input.price)", `"1.10"`}, {"toJSON(input.prices)", `"[1.10,2.20]"`}, {`fromJSON("{\"a\": 1.10}").a`, "1.10"},
		{"get(input, \"id\")", `"o-1"`}, {"if input.id == \"o-1\" { 1 } else { 2 }", "1"}, {"input.lines | map(.sku) | join(\",\")", `"A,B"`},
		{"sortBy(input.lines, -.qty)[0].sku", `"A"`}, {"groupBy(input.lines, .sku).B[0].qty", "1"}, {"reduce(input.lines, #acc + #.qty, 0)", "3"}, {"5", "5"}, {"nil", "null"},
		{"not (input.id == \"x\")", "true"}, {"input.lines[0:1]", `[{"sku":"A","qty":2,"price":18.00}]`}, {"merge(input.m, {\"a\": input.price})", `{"a":1.10,"z":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			v, err := eval(t, tt.src)
			if err != nil {
				t.Fatal(err)
			}
			got, err := value.JSON(v)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, want %s (%v)", got, tt.want, err)
			}
		})
	}
}

func TestExpressionsThatCannotBeEvaluatedAreProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, says string }{
		{"1 / input.m.q", "null"}, {"1 / (vars.total - 1200.5)", "division by zero"}, {"5 % 0", "division by zero"}, {"vars.unset", "not set yet"},
		{"9223372036854775807 + input.m.z", "too large"}, {"input.m.z * -9223372036854775807 - 2", "too large"}, {"input.big * input.big", "too large"},
		{"input.missing + 1", "null"}, {"input.missing > 1", "null"}, {`input.id - 1`, "-"}, {`"a" + input.big`, "string"},
		{"log(0) * 0", "finite"}, {"input.m[input.m.z]", "by name"}, {"input.lines[input.id]", "by number"}, {"1 in input.big", "list"},
		{"capitalize(input.big)", "not a text"}, {"sum(map(1..4000, sum(map(1..4000, # + input.m.z))))", "too much"},
	}
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			v, err := eval(t, tt.src)
			p, ok := err.(*pipelined.Problem)
			if !ok || p.Type != pipelined.TypeExpression || !strings.Contains(p.Detail, tt.says) {
				t.Errorf("gives %v, %v", v, err)
			}
			if err != nil && strings.Contains(err.Error(), "Ann") {
				t.Errorf("the message tells what is in the payload: %v", err)
			}
		})
	}
}

func TestMistakesAreFoundAtLoad(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, code, at, fix string }{
		{"inpt.id == 1", "E302", "inpt", "input"}, {"vars.totl", "E303", "vars.totl", "vars.total"}, {"steps.later.x", "E304", "steps.later.x", ""},
		{"typed.line", "E305", "typed.line", "typed.lines"}, {"typed.lines.sku", "E305", "typed.lines.sku", "map("}, {"typed.id.x", "E305", "", ""}, {"typed.lines[0].skuu", "E305", "", "sku"},
		{"env.NOPE", "E313", "env.NOPE", "??"}, {"input.id ==", "E301", "", ""}, {"", "E307", "", ""}, {"${{ input.id }}", "E310", "${{", "input.id"},
		{"capitalise(input.id)", "E311", "", "capitalize"}, {"uuid(1, 2)", "E312", "", "uuid()"}, {"vars + 1", "E303", "", ""}, {strings.Repeat("1+", 6000) + "1", "E308", "", ""}, {"input.a(1)", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.src[:min(len(tt.src), 30)], func(t *testing.T) {
			t.Parallel()
			_, err := expression.Compile(tt.src, symbols())
			if tt.code == "" {
				return // only that it does not panic
			}
			if err == nil || err.Code.ID != tt.code || !strings.Contains(err.Fix, tt.fix) {
				t.Fatalf("got %+v", err)
			}
			if err.Offset < 0 || err.Offset+err.Length > len(tt.src)+1 {
				t.Errorf("the place is outside of the source: %d+%d", err.Offset, err.Length)
			}
		})
	}
}

func TestConditionsMustBeTrueOrFalse(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"2 - 1", `"text"`, "len(input.lines)", "[1]", "{a: 1}", "nil"} {
		if _, err := expression.CompileCondition(src, symbols()); err == nil || err.Code.ID != "E306" {
			t.Errorf("%s: %v", src, err)
		}
	}
	c, cerr := expression.CompileCondition("input.id", symbols())
	if cerr != nil {
		t.Fatal(cerr)
	}
	if _, err := c.Bool(frame()); err == nil || !strings.Contains(err.Error(), "a text, not true or false") {
		t.Errorf("a text as a condition: %v", err)
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"plain", `"plain"`}, {"${{ input.price }}", "1.10"}, {"${{input.lines[0]}}", `{"sku":"A","qty":2,"price":18.00}`}, {"order ${{ input.id }}!", `"order o-1!"`}, {" ${{ input.big }}", `" 9007199254740993"`},
		{"$${{ literal }}", `"${{ literal }}"`}, {`${{ "}}" }}`, `"}}"`}, {`${{ {a: {b: 1}} }}`, `{"a":{"b":1}}`}, {"a ${{ input.missing }} b", `"a  b"`}, {"${{ input.id }}${{ input.id }}", `"o-1o-1"`},
	}
	for _, tt := range tests {
		p, perr := expression.CompileTemplate(tt.src, symbols())
		if perr != nil {
			t.Errorf("%s: %s", tt.src, perr.Summary)
			continue
		}
		got, err := p.AppendJSON(nil, frame())
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, want %s (%v)", tt.src, got, tt.want, err)
		}
	}
	if _, err := expression.CompileTemplate("a ${{ filter(x, {", symbols()); err == nil || err.Code.ID != "E309" || !strings.Contains(err.Fix, "comment") {
		t.Errorf("unbalanced: %+v", err)
	}
	if _, err := expression.CompileTemplate("a ${{ inpt }}", symbols()); err == nil || err.Offset != 6 {
		t.Errorf("the place of a mistake in a template: %+v", err)
	}
}

func TestUsedNamesAreNoted(t *testing.T) {
	t.Parallel()
	syms := symbols()
	_, err := expression.Compile("sum(input.lines, .qty) > vars.total and steps.got.body.ok", syms)
	if err != nil {
		t.Fatal(err.Summary)
	}
	if !syms.Lookup("input").Used || syms.Lookup("env").Used {
		t.Error("what it uses is wrong")
	}
}

func TestPushdown(t *testing.T) {
	t.Parallel()
	syms := expression.NewSymbols(symbols())
	syms.Declare("doc", &expression.Symbol{Slot: 7})
	p, err := expression.CompileCondition(`doc.status == "open" and vars.total >= doc.a.b and doc.x in input.customer.tags and len(doc.l) > 1`, syms)
	if err != nil {
		t.Fatal(err.Summary)
	}
	list := expression.Pushdown(p.Program, "doc")
	if len(list) != 3 {
		t.Fatalf("%d conditions", len(list))
	}
	for i, want := range []string{"status ==", "a.b <=", "x in"} {
		if got := list[i].Path + " " + list[i].Op; got != want {
			t.Errorf("condition %d: %s, want %s", i, got, want)
		}
	}
	if v, err := list[1].Value.Eval(frame()); err != nil || v != 1200.5 {
		t.Errorf("the value to compare with: %v %v", v, err)
	}
	if list := expression.Pushdown(p.Program, "other"); list != nil {
		t.Error("another root has conditions")
	}
}

func TestEveryExampleOfEveryFunctionRuns(t *testing.T) {
	t.Parallel()
	for _, f := range function.All() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			if f.Summary == "" || !strings.HasPrefix(f.Signature, f.Name+"(") {
				t.Errorf("%s is not documented", f.Name)
			}
			v, err := eval(t, f.Example)
			if err != nil {
				t.Fatal(err)
			}
			got, err := value.JSON(v)
			if err != nil || !value.Equal(got, value.Raw(f.Gives)) {
				t.Errorf("%s gives %s, documented is %s (%v)", f.Example, got, f.Gives, err)
			}
		})
	}
}

// digibee is the complete list of functions of the platform users come from.
const digibee = `AND OR NOT XOR EQUALTO GREATERTHAN GREATERTHANEQUAL LESSTHAN LESSTHANEQUAL IF SWITCHCASE ISOBJECT ISARRAY ISBOOLEAN ISSTRING ISNUMBER ISNULL
FORMATDATE NOW SUMDATE TOISODATE DIFFDATE FILEEXISTS FILESIZE JSONPATH TOJSON UNESCAPEJSON GETELEMENTAT LASTELEMENT REMOVEAT PUSH POP NEWEMPTYOBJECT NEWEMPTYARRAY
CARDINALITYONE CARDINALITYMANY ARRAYTOOBJECT OBJECTTOARRAY ABS CEIL ROUND SQRT POW LOG MAX MIN MOD DIVIDE SUBTRACT MULTIPLY SUM FORMATNUMBER TONUMBER TOINT TOLONG TODOUBLE RANDOMNUMBERS
CAPITALIZE LOWERCASE UPPERCASE TRIM NORMALIZE CONCAT CONCATWITHOUTTAB JOIN SPLIT CONTAINS INDEXOF LASTINDEXOF MATCHES STRINGMATCHES REPLACE SUBSTRING LEFTPAD RIGHTPAD DEFAULT ESCAPE UNESCAPE
TOSTRING RANDOMSTRINGS FUZZYMATCH BASEENCODE BASEDECODE BASEURLENCODE BASEURLDECODE URIENCODE URIDECODE UUID TOBOOLEAN SIZE`

func TestEveryDigibeeFunctionHasAnEquivalent(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, e := range expression.DigibeeEquivalents() {
		if e.Ours == "" || have[e.Digibee] {
			t.Errorf("%s has no equivalent, or two", e.Digibee)
		}
		have[e.Digibee] = true
	}
	for _, name := range strings.Fields(digibee) {
		if !have[name] {
			t.Errorf("%s has no equivalent", name)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"input.lines[0].sku", "sum(input.lines, .qty * .price) > 3", "let a = 1; a ?? b", "{a: 1}.a", `"x" in input`, "map(1..3, {filter(input.lines, # != nil)})", "#", ".a", "input?.[0]", "${{", "now().Year()"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, err := expression.Compile(src, symbols())
		if err != nil {
			if err.Offset < 0 || err.Length < 0 || err.Offset > len(src) || err.Summary == "" {
				t.Fatalf("a mistake without a place: %+v", err)
			}
			return
		}
		if v, err := p.Eval(frame()); err == nil {
			_, _ = value.JSON(v) // it may be what JSON cannot say, but must not panic
		}
	})
}

// FuzzDifferential evaluates over a lazy document and over the same one decoded,
// whose objects have no order.
func FuzzDifferential(f *testing.F) {
	f.Add(order, uint8(0))
	f.Add(`{"lines":[{"qty":1,"price":2.5}],"id":null}`, uint8(3))
	sources := []string{"input.id", "len(input.lines ?? [])", "input.lines[0].qty", "map(input.lines ?? [], .sku)", "input.customer == input.m", "filter(input.lines ?? [], .qty != nil)",
		"input.id == nil or input.id == 1", "len(keys(input.m ?? {}))", "input.price ?? input.big", "sum(input.lines ?? [], .qty * .price)", `"a" in (input.m ?? {})`, `type(input.id) in ["map", "array"] ? nil : string(input.id)`}
	var programs []*expression.Program
	for _, s := range sources {
		p, err := expression.Compile(s, symbols())
		if err != nil {
			f.Fatal(err.Summary)
		}
		programs = append(programs, p)
	}
	f.Fuzz(func(t *testing.T, doc string, n uint8) {
		raw, err := value.ParseString(doc)
		if err != nil {
			return
		}
		if again, err := value.JSON(value.Decode(raw)); err != nil || strings.Count(string(again), ":") != strings.Count(doc, ":") {
			return // a name occurs twice: as text the document keeps both, decoded the last one
		}
		differ(t, programs[int(n)%len(programs)], doc)
	})
}

type line struct {
	SKU   string  `json:"sku"`
	Name  string  `json:"name"`
	Qty   int     `json:"qty"`
	Price float64 `json:"price"`
}

const orderText = `{"id":"o-00000001","customer":{"id":"c-4711","name":"Northwind Traders","tier":"gold"},"lines":[{"sku":"A-100","name":"Chai, 10 boxes","qty":2,"price":18.00},` +
	`{"sku":"A-101","name":"Chang, 24 bottles","qty":1,"price":19.00},{"sku":"B-200","name":"Aniseed syrup","qty":12,"price":10.00},{"sku":"B-201","name":"Cajun seasoning","qty":4,"price":22.00},` +
	`{"sku":"C-300","name":"Gumbo mix","qty":3,"price":21.35}],"shipping":{"street":"2817 Milton Dr.","city":"Albuquerque","region":"NM","zip":"87110","country":"US"},"note":"leave at the door"}`

// BenchmarkOrder compares what the synchronous scenario computes with structs.
func BenchmarkOrder(b *testing.B) {
	b.Run("structs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var o struct {
				ID       string            `json:"id"`
				Customer map[string]string `json:"-"`
				Lines    []line            `json:"lines"`
			}
			if err := json.Unmarshal([]byte(orderText), &o); err != nil || o.ID == "" || len(o.Lines) == 0 {
				b.Fatal(err)
			}
			total := 0.0
			for _, l := range o.Lines {
				total += float64(l.Qty) * l.Price
			}
			lane := "standard"
			if total > 1000 {
				lane = "priority"
			}
			if _, err := json.Marshal(map[string]any{"id": o.ID, "total": total, "lane": lane}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("expressions", func(b *testing.B) {
		compile := func(src string) *expression.Program {
			p, err := expression.Compile(src, symbols())
			if err != nil {
				b.Fatal(err.Summary)
			}
			return p
		}
		check, total := compile("input.id == nil or len(input.lines ?? []) == 0"), compile("sum(input.lines, .qty * .price)")
		lane, id := compile(`vars.total > 1000 ? "priority" : "standard"`), compile("input.id")
		b.ReportAllocs()
		for b.Loop() {
			f := frame()
			raw, err := value.Parse([]byte(orderText))
			if err != nil {
				b.Fatal(err)
			}
			f.Slots[0] = raw
			if bad, err := check.Bool(f); err != nil || bad {
				b.Fatal(err)
			}
			if f.Slots[1], err = total.Eval(f); err != nil {
				b.Fatal(err)
			}
			out, err := id.AppendJSON([]byte(`{"id":`), f)
			if err != nil {
				b.Fatal(err)
			}
			if _, err = lane.AppendJSON(append(out, `,"lane":`...), f); err != nil {
				b.Fatal(err)
			}
		}
	})
}
