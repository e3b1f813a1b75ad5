package field_test

import (
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

type demanding struct {
	Text string     `yaml:"text" required:"" doc:"A text."`
	Any  any        `yaml:"any" required:"" doc:"Anything."`
	Set  field.JSON `yaml:"set" required:"" doc:"JSON."`
}

// found decodes a text and returns what is reported.
func found(s *field.Shape, text string) []diag.Diagnostic {
	c, n := context(text)
	s.Decode(c, n)
	return c.Diags.All()
}

func TestARequiredKeyNeedsAValue(t *testing.T) {
	t.Parallel()
	good := map[string]string{"text": "x", "any": "x", "set": "x"}
	with := func(key, value string) string {
		var lines []string
		for _, k := range []string{"text", "any", "set"} {
			v := good[k]
			if k == key {
				v = value
			}
			lines = append(lines, k+": "+v)
		}
		return strings.Join(lines, "\n")
	}
	for _, key := range []string{"text", "any", "set"} {
		for value, fine := range map[string]bool{"": false, `""`: true, `"~"`: true, "~": key != "text", "null": key != "text"} {
			list := found(field.Of[demanding](), with(key, value))
			switch {
			case fine && len(list) > 0:
				t.Errorf("%s: %s: %+v", key, value, list)
			case !fine && (len(list) != 1 || list[0].Code.ID != "E202" || list[0].Summary != "the key "+key+" has no value" || list[0].Range.Start.Column != 1):
				t.Errorf("%s: %q: %+v", key, value, list)
			}
		}
	}
	list := found(field.Of[demanding](), "any: &x\ntext: *x\nset: 1\n")
	if len(list) != 2 {
		t.Errorf("an alias of nothing is a value: %+v", list)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, code, marked, fix string }{
		{"a text that looks like a boolean", `flag: "true"`, "E203", `"true"`, "remove the quotes: true"},
		{"a text that looks like a number", `ratio: '1.5'`, "E203", `'1.5'`, "remove the quotes: 1.5"},
		{"a text that looks like a whole number", `count: "7"`, "E203", `"7"`, "remove the quotes: 7"},
		{"a text where a number belongs", `count: "seven"`, "E203", `"seven"`, "write a whole number"},
		{"a number in a block", "count: |\n  7\n", "E203", "|", "write a whole number"},
		{"a number beyond all numbers", "json: [1e999]", "E205", "1e999", `quote it as "1e999" if it is one, or write a smaller number`},
		{"the same below zero", "any: -1e999", "E205", "-1e999", `quote it as "-1e999" if it is one, or write a smaller number`},
		{"a number of an own tag", "json: !!int seven", "E113", "!!int seven", `quote it as "seven", or write the number as JSON does`},
		{"a quote in single quotes", `enum: 'it''s one'`, "E204", `'it''s one'`, "it is one of: one, two"},
		{"an expression that gives no name", "name: ${{ 'x y' }}", "E206", "${{ 'x y' }}", "correct the expression, or write the value itself"},
		{"nothing behind a key", "count:", "E210", "count", "write it behind `count:` (A count.), or remove the key"},
		{"nothing in a list", "list: [a, ~]", "E203", "~", "write a text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list := found(field.Of[everything](), innerKey+tt.text)
			if len(list) != 1 {
				t.Fatalf("%+v", list)
			}
			d := list[0]
			line := strings.Split(innerKey+tt.text, "\n")[d.Range.Start.Line-1]
			if marked := line[d.Range.Start.Column-1 : d.Range.End.Column-1]; d.Code.ID != tt.code || marked != tt.marked || d.Fix != tt.fix {
				t.Errorf("%s marks %s: %+v", d.Code.ID, marked, d)
			}
		})
	}
}

func TestNothingIsFoundInWhatIsRight(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`text: "true"`, `text: '1.5'`, `json: "1e999"`, "text: 1e999", "any: 1e308", "text: ~", "flag: null", "list: ['~', '1']"} {
		if list := found(field.Of[everything](), innerKey+text); len(list) > 0 {
			t.Errorf("%s: %+v", text, list)
		}
	}
}

func TestAMistakeBehindADoubledQuoteIsMarked(t *testing.T) {
	t.Parallel()
	text := innerKey + `text: 'it''s ${{ nobody }}'`
	list := found(field.Of[everything](), text)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	r := list[0].Range
	if marked := strings.Split(text, "\n")[1][r.Start.Column-1 : r.End.Column-1]; marked != "nobody" {
		t.Errorf("marked %q", marked)
	}
}

func TestAliasesEnd(t *testing.T) {
	t.Parallel()
	loop := "&x [*x, *x]"
	bomb := "[&a [1,1,1,1,1,1,1,1,1,1], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b], " +
		"&d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d], &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e], *f]"
	for _, key := range []string{"any", "json", "list", "map", "text", "inner", "each", "when", "words", "set"} {
		for _, v := range []string{loop, bomb, "&x { a: *x, b: *x }"} {
			if list := found(field.Of[everything](), key+": "+v); len(list) == 0 {
				t.Errorf("%s: %.20s: accepted", key, v)
			}
		}
	}
}

type limited struct {
	Words []string                 `yaml:"words" enum:"one,two" doc:"Words."`
	Each  map[string]int           `yaml:"each" min:"1" max:"9" doc:"Numbers."`
	Wait  time.Duration            `yaml:"wait" min:"1s" max:"1d" doc:"A wait."`
	Waits map[string]time.Duration `yaml:"waits" min:"1s" doc:"Waits."`
	Size  field.Size               `yaml:"size" min:"1KB" max:"1MB" doc:"A size."`
	Flag  bool                     `yaml:"flag" doc:"A flag."`
	Need  int                      `yaml:"need" default:"1" doc:"A number."`
	Text  field.Text               `yaml:"text" doc:"A text."`
	Any   any                      `yaml:"any" doc:"Anything."`
}

func TestWhatIsGivenWholeIsCheckedInItsElements(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"words: ${{ input.list }}":         "words.0: it is not one of one, two",
		"each: '${{ {a: input.big} }}'":    "each.a: it must be at most 9",
		"each: '${{ {a: input.n} }}'":      "",
		"words: ${{ [input.two] }}":        "",
		"wait: ${{ input.z }}":             "wait: it is a text, not a duration such as 5s",
		"wait: ${{ input.short }}":         "wait: it must be at least 1s",
		"waits: '${{ {a: input.short} }}'": "waits.a: it must be at least 1s",
		"waits: { a: '${{ input.w }}' }":   "",
		"size: ${{ input.n }}":             "size: it must be at least 1KB",
		"size: ${{ input.z }}":             "",
		"words: ['${{ input.list[0] }}']":  "words.0: it is not one of one, two",
	}
	for text, says := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			c, n := context(text)
			b := field.Of[limited]().Decode(c, n)
			if b == nil {
				t.Fatalf("%+v", c.Diags.All())
			}
			err := b.Bind(frame(`{"list":["a"],"big":101,"n":7,"two":"two","z":"64KB","short":"10ms","w":"90s"}`), &limited{})
			switch {
			case says == "" && err != nil:
				t.Error(err)
			case says != "" && (err == nil || pipelined.AsProblem(err).Detail != says || pipelined.AsProblem(err).Type != field.TypeValue):
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatIsKnownAtLintIsCheckedThere(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ code, says string }{
		"wait: 10ms":          {"E205", "wait must be at least 1s"},
		"wait: 2d":            {"E205", "wait must be at most 1d"},
		"waits: { a: 1ms }":   {"E205", "waits must be at least 1s"},
		"size: 100":           {"E205", "size must be at least 1KB"},
		"size: 2MB":           {"E205", "size must be at most 1MB"},
		"need: ${{ 'one' }}":  {"E203", "need: it is a text, not a whole number"},
		"flag: ${{ 0 }}":      {"E203", "flag: it is a number, not true or false"},
		"words: ['${{ 1 }}']": {"E204", "words: it is not one of one, two"},
		"wait: ${{ '1ms' }}":  {"E205", "wait: it must be at least 1s"},
		"size: ${{ 5 }}":      {"E205", "size: it must be at least 1KB"},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			list := found(field.Of[limited](), text)
			if len(list) != 1 || list[0].Code.ID != want.code || list[0].Summary != want.says {
				t.Errorf("%+v", list)
			}
		})
	}
}

func TestAConstantExpressionIsAValue(t *testing.T) {
	t.Parallel()
	c, n := context("need: ${{ 2 + 3 }}\nflag: ${{ true }}\ntext: ${{ 7 }}\nany: ${{ 4 }}\nwait: ${{ '1h' }}\nwords: ['${{ \"two\" }}']\n")
	b := field.Of[limited]().Decode(c, n)
	if b == nil {
		t.Fatalf("%+v", c.Diags.All())
	}
	var l limited
	if err := b.Bind(nil, &l); err != nil || l.Need != 5 || !l.Flag || l.Any != 4 || l.Wait != time.Hour || l.Words[0] != "two" {
		t.Errorf("%+v %v", l, err)
	}
	if text, ok := l.Text.Literal(); text != "7" || !ok {
		t.Errorf("the text is %q", text)
	}
}
