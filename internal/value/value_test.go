package value_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pipelined/internal/value"
)

const order = `{"id":"o-1","lines":[{"sku":"A","qty":2,"price":18.00},{"sku":"B","qty":1,"price":19.50}],"ship":{"city":"Bonn"}}`

func TestParseTellsWhereATextIsNotJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text   string
		line, column int
		reason       string
	}{
		{"a value is missing", "{\n  \"a\": }", 2, 8, "invalid character"},
		{"nothing at all", "", 1, 1, "empty"},
		{"only spaces", "  \n ", 1, 1, "empty"},
		{"something behind", `{"a":1} x`, 1, 9, "invalid character"},
		{"not UTF-8", "{\"ä\": \"\xff\"}", 1, 8, "UTF-8"},
		{"too deep", strings.Repeat("[", value.MaxDepth+1) + strings.Repeat("]", value.MaxDepth+1), 1, value.MaxDepth + 1, "deep"},
		{"a number without end", `[` + strings.Repeat("7", value.MaxNumber+1) + `]`, 1, value.MaxNumber + 2, "digits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := value.ParseString(tt.text)
			s, ok := err.(*value.SyntaxError)
			if !ok || s.Line != tt.line || s.Column != tt.column || !strings.Contains(s.Reason, tt.reason) {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestDocumentsLeaveAsTheyCame(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"b":1.10,"a":9007199254740993}` + "\n", `[1e3, 1.0, -0]`, `{"a":{"z":1,"y":[ ]}}`} {
		raw, err := value.ParseString(text)
		if err != nil {
			t.Fatal(err)
		}
		out, err := value.JSON(map[string]any{"doc": raw})
		if err != nil || string(out) != `{"doc":`+text+`}` {
			t.Errorf("%s became %s (%v)", text, out, err)
		}
	}
}

func TestAppendWritesEveryKind(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)
	tests := []struct {
		v    any
		want string
	}{
		{nil, "null"}, {true, "true"}, {7, "7"}, {int64(8), "8"}, {uint16(9), "9"}, {1.5, "1.5"}, {2.0, "2"}, {1e21, "1e+21"}, {1e-7, "1e-7"}, {1e-17, "1e-17"}, {float32(0.1), "0.1"},
		{"a\"\\\n\t\r\x01<ü", `"a\"\\\n\t\r\u0001<ü"`}, {"\xff", "\"\ufffd\""},
		{[]any{1, "a", nil}, `[1,"a",null]`}, {map[string]any{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{at, `"2026-03-08T09:30:00Z"`}, {90 * time.Second, `"1m30s"`}, {[]byte("hi"), `"aGk="`}, {value.Raw(""), "null"},
		{[]string{"x"}, `["x"]`}, {map[string]string{"k": "v"}, `{"k":"v"}`}, {[]int{1, 2}, "[1,2]"}, {json.Number("1.10"), "1.10"}, {struct{ A int }{1}, `{"A":1}`},
	}
	for _, tt := range tests {
		out, err := value.JSON(tt.v)
		if err != nil || string(out) != tt.want {
			t.Errorf("%#v: %s, want %s (%v)", tt.v, out, tt.want, err)
		}
	}
	for _, bad := range []any{math.NaN(), math.Inf(1), func() {}, []any{math.NaN()}, map[string]any{"a": math.Inf(-1)}} {
		if out, err := value.JSON(bad); err == nil {
			t.Errorf("%v became %s", bad, out)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{"": nil, "a": "a", "1.10": value.Raw("1.10"), `{"a":1}`: value.Raw(`{"a":1}`), "5s": 5 * time.Second, "b": []byte("b"), "true": true, "[1]": []any{1}, "x": value.Raw(`"x"`)} {
		if got, err := value.Text(v); err != nil || got != want {
			t.Errorf("%v: %q, want %q (%v)", v, got, want, err)
		}
	}
}

func TestGetLooksIntoAnything(t *testing.T) {
	t.Parallel()
	doc := value.Raw(`{"a":{"b.c":[{"d":1.10},{"d":9007199254740993}],"*":"star","@this":"at","#":3,"0":"zero"},"n":null}`)
	mixed := map[string]any{"doc": doc, "list": []any{"x", doc}, "m": map[string]string{"k": "v"}}
	tests := []struct {
		v    any
		path []string
		want any
	}{
		{doc, []string{"a", "b.c", "0", "d"}, 1.1}, {doc, []string{"a", "b.c", "1", "d"}, 9007199254740993},
		{doc, []string{"a", "*"}, "star"}, {doc, []string{"a", "@this"}, "at"}, {doc, []string{"a", "#"}, 3}, {doc, []string{"a", "0"}, "zero"},
		{doc, []string{"n"}, nil}, {doc, []string{"x", "y"}, nil}, {doc, []string{"a", "b.c", "7"}, nil},
		{mixed, []string{"doc", "a", "*"}, "star"}, {mixed, []string{"list", "1", "a", "#"}, 3}, {mixed, []string{"list", "x"}, nil}, {mixed, []string{"m", "k"}, "v"}, {mixed, []string{"m", "z"}, nil},
		{"text", []string{"a"}, nil}, {nil, []string{"a"}, nil}, {value.Raw("null"), nil, nil}, {value.Raw(`"s"`), nil, "s"},
	}
	for _, tt := range tests {
		if got := value.Get(tt.v, value.NewPath(tt.path...)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: %#v, want %#v", tt.path, got, tt.want)
		}
	}
	if got := value.Exact(doc, value.NewPath("a", "b.c", "0", "d")); got != value.Raw("1.10") {
		t.Errorf("an exact read gives %#v", got)
	}
}

func TestOpenAndElements(t *testing.T) {
	t.Parallel()
	open := value.Open(value.Raw(`{"a":1,"b":{"c":2},"a":3}`)).(map[string]any)
	if open["a"] != 1 || open["b"] != value.Raw(`{"c":2}`) {
		t.Errorf("opened: %#v", open)
	}
	if d := value.Decode(value.Raw(`[{"a":[1.5]}]`)); !reflect.DeepEqual(d, []any{map[string]any{"a": []any{1.5}}}) {
		t.Errorf("decoded: %#v", d)
	}
	list, err := value.Elements(value.Raw(`{"z":1,"a":2}`))
	if err != nil || !reflect.DeepEqual(list, []any{map[string]any{"key": "z", "value": 1}, map[string]any{"key": "a", "value": 2}}) {
		t.Errorf("members in document order: %v, %v", list, err)
	}
	if _, err := value.Elements(7); err == nil {
		t.Error("a number has elements")
	}
	for v, want := range map[any]int{value.Raw(`[1,2]`): 2, value.Raw(`{"a":1}`): 1, "ab": 0} {
		if got := value.Length(v); got != want {
			t.Errorf("length of %v: %d", v, got)
		}
	}
}

func TestEqualAndCompare(t *testing.T) {
	t.Parallel()
	same := [][2]any{{1, 1.0}, {value.Raw("1.0"), 1}, {value.Raw(`{"a":1,"b":[2]}`), map[string]any{"b": []any{2.0}, "a": 1}}, {nil, value.Raw("null")}, {[]int{1}, []any{1}},
		{value.Raw("123456789012345678901234567890"), value.Raw("123456789012345678901234567890")}}
	for _, p := range same {
		if !value.Equal(p[0], p[1]) || !value.Equal(p[1], p[0]) {
			t.Errorf("%v and %v differ", p[0], p[1])
		}
	}
	different := [][2]any{{value.Raw("12345678901234567890"), value.Raw("12345678901234567891")}, {1, "1"}, {9007199254740993, 9007199254740992}, {nil, false}, {[]any{1}, []any{1, 2}}, {map[string]any{"a": 1}, map[string]any{"b": 1}}, {true, 1}}
	for _, p := range different {
		if value.Equal(p[0], p[1]) || value.Equal(p[1], p[0]) {
			t.Errorf("%v and %v are equal", p[0], p[1])
		}
	}
	if c, ok := value.Compare(9007199254740993, 9007199254740992.0); !ok || c != 1 {
		t.Errorf("large numbers: %d %v", c, ok)
	}
	for _, o := range []struct {
		a, b any
		want int
	}{
		{1000, 999.99, 1}, {1000, 1000.01, -1}, {999.99, 1000, -1}, {1000.0, 1000, 0},
		{1 << 53, float64(1 << 53), 0}, {1<<53 + 1, float64(1 << 53), 1}, {float64(1 << 53), 1<<53 + 1, -1},
		{value.Raw("10000000010000000000"), value.Raw("10000000010000000000.0"), 0}, // a whole number and a decimal beyond 64 bits
		{value.Raw("10000000010000000001"), value.Raw("10000000010000000000"), 1},
	} {
		if c, ok := value.Compare(o.a, o.b); !ok || c != o.want {
			t.Errorf("%v and %v: %d, %v, want %d", o.a, o.b, c, ok, o.want)
		}
	}
	if v := value.Exact(value.Raw(`{"n":10000000010000000000}`), value.NewPath("n")); v != value.Raw("10000000010000000000") {
		t.Errorf("a whole number beyond 64 bits is %#v", v)
	}
	if c, ok := value.Compare(value.Raw("1e999999999"), value.Raw("1e999999999")); !ok || c != 0 {
		t.Error("a number differs from itself")
	}
	for _, v := range []any{map[string]any{}, []any{1}, true, nil} {
		if _, ok := value.Compare(v, v); ok {
			t.Errorf("%v has an order", v)
		}
	}
	if _, ok := value.Compare(1, "a"); ok {
		t.Error("a number compares with a text")
	}
	if _, ok := value.Compare(1, value.Raw("1e999999999")); ok {
		t.Error("an enormous exponent is worked out")
	}
}

func TestMergePatchKeepsWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	tests := []struct{ doc, patch, want string }{
		{`{"a":1.10,"b":2}`, `{"b":3}`, `{"a":1.10,"b":3}`},
		{`{"a":1,"b":2}`, `{"a":null,"c":4}`, `{"b":2,"c":4}`},
		{`{"a":{"x":1,"y":2}}`, `{"a":{"x":null,"z":[1]}}`, `{"a":{"y":2,"z":[1]}}`},
		{`{"a":[1]}`, `{"a":{"b":{"c":null}}}`, `{"a":{"b":{}}}`},
		{``, `{"a":1}`, `{"a":1}`}, {`{"\u0061b":1,"c":2}`, `{"c":3,"\u0064":4}`, `{"\u0061b":1,"c":3,"\u0064":4}`},
	}
	for _, tt := range tests {
		got, err := value.MergePatch(value.Raw(tt.doc), value.Raw(tt.patch))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s + %s = %s, want %s (%v)", tt.doc, tt.patch, got, tt.want, err)
		}
	}
	if _, err := value.MergePatch(`{}`, `[1]`); err == nil {
		t.Error("a list is a patch")
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	r := value.NewRedaction([]string{"card", "*.password", "customer.iban"})
	got := value.Redact(`{"card":1,"password":"top","user":{"password":"p","n":1.10},"customer":{"iban":"x"},"list":[{"card":{"a":1}}]}`, r)
	want := `{"card":"***","password":"top","user":{"password":"***","n":1.10},"customer":{"iban":"***"},"list":[{"card":"***"}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := value.Redact(`{"a":1}`, nil); got != `{"a":1}` {
		t.Errorf("no rules: %s", got)
	}
}

func TestDescribeSaysWhatAValueIsAndNotWhatIsInIt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v    any
		want string
	}{{nil, "null"}, {true, "true or false"}, {"secret", "a text"}, {value.Raw(`"secret"`), "a text"}, {value.Raw(`[1]`), "a list"}, {[]any{1}, "a list"},
		{value.Raw(`{}`), "an object"}, {map[string]any{}, "an object"}, {7, "a number"}, {value.Raw("12345678901234567890"), "a number"}, {value.Raw("1e999"), "a number"},
		{time.Time{}, "a time"}, {time.Second, "a duration"}, {[]byte("secret"), "binary data"}, {struct{}{}, "a struct {}"}}
	for _, tt := range tests {
		if got := value.Describe(tt.v); got != tt.want {
			t.Errorf("%#v: %s, want %s", tt.v, got, tt.want)
		}
	}
}

func TestInt(t *testing.T) {
	t.Parallel()
	for _, v := range []any{7, int64(7), 7.0, value.Raw("7")} {
		if n, ok := value.Int(v); !ok || n != 7 {
			t.Errorf("%#v: %d %v", v, n, ok)
		}
	}
	for _, v := range []any{7.5, "7", nil, math.MaxFloat64} {
		if _, ok := value.Int(v); ok {
			t.Errorf("%#v is a whole number", v)
		}
	}
}

// FuzzGet looks every key of a document up by path and by walking.
func FuzzGet(f *testing.F) {
	for _, s := range []string{order, `{"a.b":{"*":1,"?":[{"#":2},{"@this":3}],"":{"":4}},"x|y":5,"\\":6,"\u00e9":7,"!":8,"..":9,"0":{"1":10}}`, `[[1.10,[2]],{"a\"b":null}]`, `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		raw, err := value.ParseString(doc)
		if err != nil {
			return
		}
		budget := 200
		var walk func(v any, path []string)
		walk = func(v any, path []string) {
			if budget--; budget < 0 {
				return
			}
			p := value.NewPath(path...)
			if got := value.Get(raw, p); !reflect.DeepEqual(value.Decode(got), value.Decode(v)) {
				t.Fatalf("%q in %s: %#v, walking finds %#v", path, doc, got, v)
			}
			if got := value.Exact(raw, p); !value.Equal(got, v) {
				t.Fatalf("%q in %s, exactly: %#v, walking finds %#v", path, doc, got, v)
			}
			switch o := value.Open(v).(type) {
			case map[string]any:
				for k, e := range o {
					walk(e, append(path[:len(path):len(path)], k))
				}
			case []any:
				for i, e := range o {
					walk(e, append(path[:len(path):len(path)], strconv.Itoa(i)))
				}
			}
		}
		walk(raw, nil)
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9"]}`, `[`, `"\ud800"`, ` 1 `, `{"a":1}x`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, err := value.Parse(append([]byte(nil), b...))
		if err != nil {
			if s, ok := err.(*value.SyntaxError); !ok || s.Line < 1 || s.Column < 1 || s.Offset > len(b) {
				t.Fatalf("a mistake without a place: %v", err)
			} else if json.Valid(b) && utf8.Valid(b) && !strings.Contains(s.Reason, "more than") {
				t.Fatalf("refused, and JSON: %q (%v)", b, err)
			}
			return
		}
		if !json.Valid([]byte(raw)) {
			t.Fatalf("accepted, and not JSON: %q", raw)
		}
		again, err := value.JSON(value.Decode(raw))
		if err != nil || !value.Equal(raw, value.Raw(again)) {
			t.Fatalf("%s decoded and written is %s (%v)", raw, again, err)
		}
	})
}
