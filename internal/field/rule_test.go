package field_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pipelined/internal/diag"
	"pipelined/internal/field"
)

var codeAbove = diag.Code{ID: "E999", Title: "low above high"}

type ruled struct {
	_ field.AtMostOne `keys:"url,path"`
	_ field.AtMostOne `keys:"url" beside:"connection"`
	_ field.Together  `keys:"cert,key"`

	URL  string `yaml:"url" doc:"A URL."`
	Path string `yaml:"path" doc:"A path."`
	Cert string `yaml:"cert" doc:"A certificate."`
	Key  string `yaml:"key" doc:"Its key."`
	Auth *ways  `yaml:"auth" doc:"A way."`
	Low  int    `yaml:"low" doc:"The lowest."`
	High int    `yaml:"high" default:"9" doc:"The highest."`
}

type ways struct {
	_ field.ExactlyOne `keys:"basic,bearer,none"`

	Basic  string `yaml:"basic" doc:"One way."`
	Bearer any    `yaml:"bearer" doc:"Another."`
	None   bool   `yaml:"none" doc:"None at all."`
}

// CheckFields compares what is literal.
func (r *ruled) CheckFields(c *field.Context) {
	if r.Low > r.High {
		c.Report(codeAbove, diag.Warning, c.Pos("low"), "low is above high", "Nothing would be between them.", "swap them")
	}
}

func TestKeysThatExcludeOrNeedEachOther(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		beside     []string
		want       string // line:column code summary
	}{
		{"one key", "url: a", nil, ""},
		{"two that exclude each other", "url: a\npath: b", nil, "2:1 E209 url and path exclude each other"},
		{"two whose values are expressions", "path: ${{ input.a }}\nurl: ${{ input.b }}", nil, "2:1 E209 path and url exclude each other"},
		{"a key without a value is not given", "url: a\npath:", nil, "2:1 E210 the key path has no value"},
		{"a key beside the struct", "url: a", []string{"connection"}, "1:1 E209 connection and url exclude each other"},
		{"a key beside it that nobody minds", "path: a", []string{"connection"}, ""},
		{"one that needs another", "cert: a", nil, "1:1 E202 cert needs key too"},
		{"both of them", "cert: a\nkey: b", nil, ""},
		{"exactly one", "auth: { bearer: x }", nil, ""},
		{"none of those one is needed of", "auth: {}", nil, "1:7 E202 one of the keys basic, bearer or none is missing"},
		{"three where one is needed", "auth:\n  none: true\n  basic: x\n  bearer: x", nil,
			"3:3 E209 none and basic exclude each other; 4:3 E209 none and bearer exclude each other"},
		{"what is beside the outer struct is not beside the inner", "auth: { basic: x }", []string{"bearer"}, ""},
		{"values that do not go together", "low: 10", nil, "1:6 E999 low is above high"},
		{"values after a mistake are not compared", "low: 10\nhigh: few", nil, "2:7 E203 a whole number is needed here, not a text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, n := context(tt.text)
			c.Beside = tt.beside
			field.Of[ruled]().Decode(c, n)
			var got []string
			for _, d := range c.Diags.All() {
				got = append(got, fmt.Sprintf("%d:%d %s %s", d.Range.Start.Line, d.Range.Start.Column, d.Code.ID, d.Summary))
			}
			if strings.Join(got, "; ") != tt.want {
				t.Errorf("got %s", strings.Join(got, "; "))
			}
		})
	}
}

func TestRulesInSchemaAndTable(t *testing.T) {
	t.Parallel()
	s := field.Of[ruled]()
	for _, want := range []string{"`url` and `path` exclude each other.", "`url` and `connection` exclude each other.", "`cert` and `key` go together.",
		"Exactly one of `auth.basic`, `auth.bearer` and `auth.none` is needed."} {
		if !strings.Contains(s.Table(), want+"\n") {
			t.Errorf("the table lacks %s:\n%s", want, s.Table())
		}
	}
	text, err := json.Marshal(s.JSONSchema())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"url":{"properties":{"connection":false,"path":false}}`, `"path":{"properties":{"url":false}}`,
		`"cert":{"required":["key"]}`, `"minProperties":1`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the schema lacks %s:\n%s", want, text)
		}
	}
}

func TestBadRulesPanic(t *testing.T) {
	t.Parallel()
	for says, build := range map[string]func(){
		`AtMostOne names "b", which is not a key`: func() {
			field.Of[struct {
				_ field.AtMostOne `keys:"a,b"`
				A string          `yaml:"a" doc:"x"`
			}]()
		},
		"ExactlyOne needs two keys": func() {
			field.Of[struct {
				_ field.ExactlyOne `keys:"a"`
				A string           `yaml:"a" doc:"x"`
			}]()
		},
		"there is no tag key": func() {
			field.Of[struct {
				_ field.Together `key:"a,b"`
				A string         `yaml:"a" doc:"x"`
			}]()
		},
		"a blank field is AtMostOne, ExactlyOne or Together, not string": func() {
			field.Of[struct {
				_ string `keys:"a,b"`
				A string `yaml:"a" doc:"x"`
			}]()
		},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "field: ") || !strings.Contains(got, says) {
					t.Error(got)
				}
			}()
			build()
		})
	}
}
