package position_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"pipelined/internal/position"
)

// scalars visits every scalar of a tree once; what aliases stand for is its own place.
func scalars(n *yaml.Node, visit func(*yaml.Node)) {
	if n.Kind == yaml.ScalarNode {
		visit(n)
	}
	for _, c := range n.Content {
		scalars(c, visit)
	}
}

// forms are scalars as people write them, beside those of the examples.
const forms = `plain: a b
"quoted key": 'it''s' # a comment
double: "say \"hi\" \\ tab"
empty: ''
名前: 値 # wide
flow: { a: [ x, "y, z", 'w' ], b: [ '${{ input.a }}' ] }
block: |
  first ${{ one }}
    deeper
  last
folded: >-
  one
  two
url: http://x.test/?a=1#top
last: "${{ input.lines[0] }}"`

// files are all YAML files of the examples, and forms with either line end.
func files(t *testing.T) map[string]string {
	out := map[string]string{"forms": forms, "forms, Windows": strings.ReplaceAll(forms, "\n", "\r\n")}
	err := filepath.WalkDir("../../pipelines", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		out[path] = string(text)
		return err
	})
	if err != nil || len(out) < 20 {
		t.Fatal(len(out), err)
	}
	return out
}

// TestRangesHoldTheScalar: the text of a scalar's range, read as YAML, is its value again;
// of those in a block, the range is their sign.
func TestRangesHoldTheScalar(t *testing.T) {
	t.Parallel()
	for name, text := range files(t) {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(text), &root); err != nil {
			t.Fatal(name, err)
		}
		f := &position.File{Name: name, Text: []byte(text)}
		scalars(&root, func(n *yaml.Node) {
			got := f.Between(f.Range(n))
			if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
				if got != "|" && got != ">" {
					t.Errorf("%s:%d: a block begins with %q", name, n.Line, got)
				}
				return
			}
			var again yaml.Node
			if n.Value == "" && n.Style == 0 {
				return // nothing is written
			}
			if err := yaml.Unmarshal([]byte(got), &again); err != nil || len(again.Content) != 1 || again.Content[0].Value != n.Value {
				t.Errorf("%s:%d:%d: %q does not stand for %q (%v)", name, n.Line, n.Column, got, n.Value, err)
			}
		})
	}
}

// TestInsideFindsTheCharacter: each character of a scalar's value has its place, but for
// those behind an escape and in folded blocks, whose places may be off.
func TestInsideFindsTheCharacter(t *testing.T) {
	t.Parallel()
	seen := 0
	for name, text := range files(t) {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(text), &root); err != nil {
			t.Fatal(name, err)
		}
		f := &position.File{Name: name, Text: []byte(text)}
		scalars(&root, func(n *yaml.Node) {
			escaped := n.Style&yaml.DoubleQuotedStyle != 0 && strings.ContainsAny(n.Value, "\"\\\t\n") || n.Style&yaml.FoldedStyle != 0 || n.Style == 0 && n.Value == ""
			for i, c := range n.Value {
				if escaped || c == '\n' || c == '\'' {
					continue
				}
				seen++
				if got := f.Between(f.Inside(n, i, utf8.RuneLen(c))); got != string(c) {
					t.Errorf("%s:%d: character %d of %q is %q", name, n.Line, i, n.Value, got)
					return
				}
			}
		})
	}
	if seen < 5000 {
		t.Errorf("only %d characters were looked at", seen)
	}
}

// TestEditsAreRead: a part of a scalar's value, replaced, reads as the new value in its
// file, wherever it stands and whatever is written; or there is no edit.
func TestEditsAreRead(t *testing.T) {
	t.Parallel()
	applied := 0
	for _, instead := range []string{"x", "a b", "it's", `say "hi"`, "a: b", "a #b", "{a}", "[", "!x", "null", "true", "1.10", "- a", "名", `\n`, ""} {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(forms), &root); err != nil {
			t.Fatal(err)
		}
		f := &position.File{Name: "forms", Text: []byte(forms)}
		at := 0
		scalars(&root, func(n *yaml.Node) {
			mine := at
			at++
			if n.Value == "" {
				return
			}
			_, size := utf8.DecodeRuneInString(n.Value)
			e := f.Edit(n, 0, size, instead)
			if e == nil {
				return
			}
			applied++
			lines := strings.Split(forms, "\n")
			line := []rune(lines[e.Range.Start.Line-1])
			lines[e.Range.Start.Line-1] = string(line[:e.Range.Start.Column-1]) + e.NewText + string(line[e.Range.End.Column-1:])
			var again yaml.Node
			if err := yaml.Unmarshal([]byte(strings.Join(lines, "\n")), &again); err != nil {
				t.Errorf("%q in place of the first character of %q: %v", instead, n.Value, err)
				return
			}
			i := 0
			scalars(&again, func(m *yaml.Node) {
				if i == mine && m.Value != instead+n.Value[size:] {
					t.Errorf("%q in place of the first character of %q is read as %q", instead, n.Value, m.Value)
				}
				i++
			})
			if i != at && i < mine {
				t.Errorf("%q in place of the first character of %q: the file has other values", instead, n.Value)
			}
		})
	}
	if applied < 150 {
		t.Errorf("only %d edits were tried", applied)
	}
}
