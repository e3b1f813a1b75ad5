package field_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/field"
	"pipelined/internal/position"
	"pipelined/internal/value"
)

type nested struct {
	Key  string `yaml:"key" required:"" doc:"A key."`
	Many int    `yaml:"many" default:"3" min:"1" max:"9" doc:"How many."`
}

type everything struct {
	Text   string                   `yaml:"text" doc:"A text."`
	Enum   string                   `yaml:"enum" enum:"one,two" default:"one" doc:"One of two."`
	Flag   bool                     `yaml:"flag" doc:"A flag."`
	Count  int                      `yaml:"count" min:"0" max:"100" doc:"A count."`
	Ratio  float64                  `yaml:"ratio" default:"0.5" doc:"A ratio."`
	Wait   time.Duration            `yaml:"wait" default:"5s" doc:"A wait."`
	Size   field.Size               `yaml:"size" default:"1KB" doc:"A size."`
	Secret pipelined.Secret         `yaml:"secret" doc:"A secret."`
	Any    any                      `yaml:"any" doc:"Anything."`
	List   []string                 `yaml:"list" doc:"A list."`
	Map    map[string]any           `yaml:"map" doc:"A map."`
	Waits  map[string]time.Duration `yaml:"waits" doc:"Waits."`
	Inner  nested                   `yaml:"inner" doc:"A struct."`
	Ptr    *nested                  `yaml:"ptr" doc:"A struct that may be missing."`
	Each   []nested                 `yaml:"each" doc:"Several."`
	Name   field.Name               `yaml:"name" doc:"A name."`
	When   expression.Condition     `yaml:"when" doc:"A condition."`
	Bare   expression.Bare          `yaml:"bare" doc:"An expression."`
	JSON   field.JSON               `yaml:"json" doc:"JSON."`
	Words  field.Text               `yaml:"words" doc:"Words."`
	Set    field.Assignments        `yaml:"set" doc:"Assignments."`
}

// context is where values of a file are decoded, with input at slot 0.
func context(text string) (*field.Context, *yaml.Node) {
	syms := expression.NewSymbols(nil)
	syms.Declare("input", &expression.Symbol{Slot: 0})
	c := &field.Context{File: &position.File{Name: "a.yaml", Text: []byte(text)}, Symbols: syms, Diags: &diag.List{}}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
		return c, nil
	}
	return c, doc.Content[0]
}

func frame(input string) *expression.Frame {
	return &expression.Frame{Slots: []any{value.Raw(input)}, Host: &function.Env{Now: time.Now}}
}

const input = `{"s":"text","n":7,"d":2.5,"b":true,"list":["a",1],"map":{"x":1.10},"w":"90s","z":"64KB","null":null,"big":101}`

func bind(t *testing.T, text string) (*everything, error) {
	t.Helper()
	c, n := context(text)
	b := field.Of[everything]().Decode(c, n)
	if b == nil {
		t.Fatalf("%s: %+v", text, c.Diags.All())
	}
	out := &everything{}
	return out, b.Bind(frame(input), out)
}

const innerKey = "inner: { key: k }\n"

func TestBindFillsEveryType(t *testing.T) {
	t.Parallel()
	raw := func(v any) string { r, _ := value.JSON(v); return string(r) }
	tests := []struct {
		text string
		got  func(*everything) any
		want any
	}{
		{"text: plain", func(e *everything) any { return e.Text }, "plain"},
		{`text: "${{ input.s }} and ${{ input.n }}"`, func(e *everything) any { return e.Text }, "text and 7"},
		{"text: ${{ input.null }}", func(e *everything) any { return e.Text }, ""},
		{"enum: two", func(e *everything) any { return e.Enum }, "two"}, {"text: x", func(e *everything) any { return e.Enum }, "one"},
		{"flag: true", func(e *everything) any { return e.Flag }, true}, {"flag: ${{ input.b }}", func(e *everything) any { return e.Flag }, true},
		{"count: 5", func(e *everything) any { return e.Count }, 5}, {"count: ${{ input.n }}", func(e *everything) any { return e.Count }, 7},
		{"ratio: ${{ input.d }}", func(e *everything) any { return e.Ratio }, 2.5}, {"ratio: 1", func(e *everything) any { return e.Ratio }, 1.0},
		{"wait: 1d2h", func(e *everything) any { return e.Wait }, 26 * time.Hour}, {"wait: ${{ input.w }}", func(e *everything) any { return e.Wait }, 90 * time.Second}, {"wait:", func(e *everything) any { return e.Wait }, 5 * time.Second},
		{"size: 2MB", func(e *everything) any { return e.Size }, field.Size(2 << 20)}, {"size: ${{ input.z }}", func(e *everything) any { return e.Size }, field.Size(64 << 10)},
		{"secret: ${{ input.s }}", func(e *everything) any { return e.Secret.Reveal() }, "text"}, {"secret: s", func(e *everything) any { return fmt.Sprint(e.Secret) }, "***"},
		{"any: { a: 1.10, b: '${{ input.map }}', c: [x, null, true] }", func(e *everything) any { return raw(e.Any) }, `{"a":1.10,"b":{"x":1.10},"c":["x",null,true]}`},
		{"any: ${{ input.n }}", func(e *everything) any { return e.Any }, 7}, {"any: 9007199254740993", func(e *everything) any { return raw(e.Any) }, "9007199254740993"},
		{"list: [a, '${{ input.s }}']", func(e *everything) any { return e.List }, []string{"a", "text"}}, {"list: ${{ input.list }}", func(e *everything) any { return e.List }, []string{"a", "1"}},
		{"map: { a: 1, b: '${{ input.n }}' }", func(e *everything) any { return raw(e.Map) }, `{"a":1,"b":7}`}, {"map: ${{ input.map }}", func(e *everything) any { return raw(e.Map) }, `{"x":1.10}`},
		{"waits: { a: 5s, b: '${{ input.w }}' }", func(e *everything) any { return e.Waits["b"] }, 90 * time.Second},
		{"ptr: { key: '${{ input.s }}' }", func(e *everything) any { return *e.Ptr }, nested{"text", 3}},
		{"each: [ { key: a }, { key: '${{ input.s }}', many: 4 } ]", func(e *everything) any { return e.Each }, []nested{{"a", 3}, {"text", 4}}},
		{"name: a_1", func(e *everything) any { return e.Name }, field.Name("a_1")},
		{"when: input.n > 5", func(e *everything) any { ok, _ := e.When.Bool(frame(input)); return ok }, true},
		{"bare: input.n + 1", func(e *everything) any { v, _ := e.Bare.Eval(frame(input)); return v }, 8},
		{"json: { k: '${{ input.d }}' }", func(e *everything) any {
			v, _ := e.JSON.Eval(frame(input))
			return raw(v)
		}, `{"k":2.5}`},
		{"words: n is ${{ input.n }}", func(e *everything) any {
			v, _ := e.Words.Eval(frame(input))
			return v
		}, "n is 7"},
		{"set: { a: 1, b: x }", func(e *everything) any { return len(e.Set.Items()) }, 2},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			e, err := bind(t, innerKey+tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.got(e); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestBindRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"count: ${{ input.s }}": "count: it is a text", "count: ${{ input.d }}": "not a whole number", "count: ${{ input.big }}": "at most 100", "flag: ${{ input.n }}": "not true or false",
		"wait: ${{ input.n }}": "duration", "ratio: ${{ input.s }}": "not a number", "enum: ${{ input.s }}": "one, two", "list: ${{ input.map }}": "not a list", "map: ${{ input.list }}": "not an object",
		"ptr: { key: '${{ input.null }}' }": "ptr.key: it is null", "each: ['${{ input.s }}']": "", "waits: { a: '${{ input.s }}' }": "waits.a: it", "size: ${{ input.s }}": "size: it", "list: ['${{ input.n / 0 }}']": "division by zero",
	}
	for text, says := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			c, n := context(innerKey + text)
			b := field.Of[everything]().Decode(c, n)
			if b == nil {
				if says != "" {
					t.Fatalf("%+v", c.Diags.All())
				}
				return
			}
			err := b.Bind(frame(input), &everything{})
			if p := pipelined.AsProblem(err); err == nil || !strings.Contains(p.Detail, says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestLoadTimeValues(t *testing.T) {
	t.Parallel()
	c, n := context(innerKey + "text: ${{ input.s }}\n")
	if field.Of[everything]().DecodeInto(c, n, &everything{}) {
		t.Error("a value of run time is known at load")
	}
	c, n = context(innerKey + "text: ${{ input.s }}\ncount: ${{ input.big }}\n")
	c.LoadFrame = frame(input)
	if field.Of[everything]().DecodeInto(c, n, &everything{}) || !strings.Contains(fmt.Sprint(c.Diags.All()), "at most 100") {
		t.Errorf("%+v", c.Diags.All())
	}
	c, n = context(innerKey + "text: ${{ input.s }}\n")
	c.LoadFrame = frame(input)
	e := &everything{}
	if !field.Of[everything]().DecodeInto(c, n, e) || e.Text != "text" || e.Wait != 5*time.Second {
		t.Errorf("%+v %+v", e, c.Diags.All())
	}
}

func TestSchemaAndTable(t *testing.T) {
	t.Parallel()
	s := field.Of[everything]()
	text, err := json.Marshal(s.JSONSchema())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"additionalProperties":false`, `"enum":["one","two"]`, `"required":["key"]`, `"maximum":9`, `"default":"5s"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the schema lacks %s", want)
		}
	}
	for _, never := range []string{"oneOf", "anyOf"} {
		if strings.Contains(string(text), never) {
			t.Errorf("the schema has %s, which editors explain badly", never)
		}
	}
	for _, want := range []string{"| `inner.key` | text | *required* |", "| `each[].many` |", "| `enum` | `one` `two` | `one` |", "| `count` | whole number, 0 to 100 |", "expression (true or false)", "list of object"} {
		if !strings.Contains(s.Table(), want) {
			t.Errorf("the table lacks %s:\n%s", want, s.Table())
		}
	}
}

func BenchmarkBind(b *testing.B) {
	c, n := context(innerKey + "text: ${{ input.s }}\ncount: ${{ input.n }}\nflag: ${{ input.b }}\nratio: ${{ input.d }}\nany: { a: '${{ input.map }}' }\n")
	binding := field.Of[everything]().Decode(c, n)
	f, out := frame(input), &everything{}
	b.ReportAllocs()
	for b.Loop() {
		if err := binding.Bind(f, out); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"text: ${{ input.a }}", "any: { a: [1, ${{ x }}] }", "count: 017", "inner: { key: !x y }", "each: [ { key: a } ]", "when: a ? b", "set: { A: 1 }", "wait: 5 s", "list: ${{", "json: &x [*x, *x]", "text: ~"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, n := context(text)
		if n == nil {
			return
		}
		if b := field.Of[everything]().Decode(c, n); b != nil {
			_ = b.Bind(frame(input), &everything{}) // it may be refused, and must not panic
		}
	})
}
