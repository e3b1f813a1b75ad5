package definition_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"gopkg.in/yaml.v3"

	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/position"
)

// TestParseSteps at any depth: what is a step is taken, behind an alias too; what is none is
// told where it stands, and keeps no other from being taken.
func TestParseSteps(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[]":                                  " | ",
		"- log: x\n- stop:\n":                 "log stop | ",
		"- { name: a, log: x }\n":             "name=a+log | ",
		"- { name: No-Name, log: x }\n":       "name+log | ", // told of where the options are decoded
		"- { name: [a], log: x }\n":           "name+log | ",
		"- log: x\n- word\n- stop:\n":         "log stop | 2:3 E109",
		"- log: x\n- [a]\n- 7\n-\n":           "log | 2:3 E109, 3:3 E109, 4:2 E109",
		"{ log: x }":                          " | 1:1 E109",
		"word":                                " | 1:1 E109",
		"- &a { log: x }\n- *a\n":             "log log | ",
		"- x: &l [ { log: x } ]\n- try: *l\n": "x try | ",
		"- {}\n":                              " | ",
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		var found diag.List
		c := &field.Context{File: &position.File{Name: "a.yaml", Text: []byte(text)}, Diags: &found}
		var steps, findings []string
		for _, s := range definition.ParseSteps(c, doc.Content[0]) {
			var keys []string
			for _, f := range s.Fields {
				key := f.Key
				if f.Key == "name" && s.Name != "" {
					key += "=" + s.Name
				}
				if f.Value.Kind == yaml.AliasNode {
					t.Errorf("%q: the value of %s is an alias", text, f.Key)
				}
				keys = append(keys, key)
			}
			steps = append(steps, strings.Join(keys, "+"))
		}
		for _, d := range found.All() {
			findings = append(findings, fmt.Sprintf("%d:%d %s", d.Range.Start.Line, d.Range.Start.Column, d.Code.ID))
		}
		if got := strings.Join(steps, " ") + " | " + strings.Join(findings, ", "); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestAFileWithFindingsKeepsNoOtherFromBeingRead, whatever is wrong with it.
func TestAFileWithFindingsKeepsNoOtherFromBeingRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not YAML": "pipeline: [", "empty": "", "a list": "- a", "a key twice": "pipeline: x\npipeline: y\n", "two documents": "a: 1\n---\nb: 2\n",
		"no text": "\xff", "no steps": "pipeline: x\n", "another kind": "kind: x\n", "too large": strings.Repeat("# x\n", 2<<20),
	} {
		p := load(t, fstest.MapFS{"bad.yaml": {Data: []byte(text)}, "good.yaml": {Data: []byte("pipeline: good\nsteps: [ { stop: true } ]\n")}})
		found := false
		for _, d := range p.Pipelines {
			found = found || d.Name == "good" && len(d.Steps) == 1
		}
		list := p.Diags.All()
		if !found || len(list) == 0 {
			t.Errorf("%s: good is read: %v, findings: %v", name, found, list)
		}
		for _, d := range list {
			if d.Range.File != "bad.yaml" {
				t.Errorf("%s: a finding of %s: %s", name, d.Range.File, d.Summary)
			}
		}
	}
}

// TestOneNameOnePipeline: of those with one name each but the first is told of, with the
// place of the first.
func TestOneNameOnePipeline(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for _, name := range []string{"c", "a", "b"} {
		files[name+".yaml"] = &fstest.MapFile{Data: []byte("# " + name + "\npipeline: same\nsteps: []\n")}
	}
	p := load(t, files)
	var got []string
	for _, d := range p.Diags.All() {
		got = append(got, fmt.Sprintf("%s %s after %s:%d", d.Code.ID, d.Range.File, d.Related[0].Range.File, d.Related[0].Range.Start.Line))
	}
	if fmt.Sprint(got) != "[E108 b.yaml after a.yaml:2 E108 c.yaml after a.yaml:2]" {
		t.Errorf("it is told as %v", got)
	}
}

// TestEnvironment: what is looked up is known, as a value and to lint; what is not set is
// neither.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	p := load(t, one("pipeline: a\nsteps: []\n"))
	s := p.EnvSymbol(5)
	if s.Slot != 5 || !s.Environment("REGION") || s.Environment("NOT_SET") {
		t.Errorf("the symbol is %+v", s)
	}
	env, ok := p.Env().(map[string]any)
	if _, set := env["NOT_SET"]; !ok || env["REGION"] != "eu" || set {
		t.Errorf("the environment is %v", p.Env())
	}
}
