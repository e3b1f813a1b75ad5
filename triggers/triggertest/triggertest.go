// Package triggertest is what the tests of every trigger do: check that its
// examples lint, and compare its findings with a golden file that holds input and
// output together.
//
// A golden file is a list of cases:
//
//	-- what the case shows --
//	schedule: 60 * * * *
//	-- findings --
//	1:11 error E420 "60" cannot be the minute
//	  schedule: 60 * * * *
//	            ^^^^^^^^^^
//	  The schedule could not be read.
//	  fix: a value of minute is 0 to 59 …
package triggertest

import (
	"fmt"
	"strings"
	"testing"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/golden"
	"pipelined/internal/position"
	"pipelined/triggers"

	"gopkg.in/yaml.v3"
)

// Plan decodes YAML as the value of the trigger's key, and plans it. The plan is
// nil where an error was found.
func Plan(t testing.TB, spec *triggers.Spec, text string) (triggers.Plan, *diag.List) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(doc.Content) == 0 {
		t.Fatal("a case without input")
	}
	c := &field.Context{File: &position.File{Name: "test.yaml", Text: []byte(text)}, Symbols: scope(), Diags: &diag.List{}, Node: doc.Content[0]}
	params := spec.New()
	if !spec.Params.DecodeInto(c, doc.Content[0], params) {
		return nil, c.Diags
	}
	return spec.Plan(params, c), c.Diags
}

// scope has the names an expression of a trigger may use.
func scope() *expression.Symbols {
	s := expression.NewSymbols(nil)
	for slot, name := range []string{"input", "event", "error"} {
		s.Declare(name, &expression.Symbol{Slot: slot})
	}
	return s
}

// Examples checks that there are examples and that each comes to a plan without
// any finding.
func Examples(t *testing.T, spec *triggers.Spec) {
	t.Helper()
	if spec.Doc.Summary == "" || len(spec.Doc.Examples) == 0 {
		t.Errorf("%s: a trigger needs a summary and an example", spec.Name)
	}
	for _, e := range spec.Doc.Examples {
		t.Run(e.Title, func(t *testing.T) {
			plan, diags := Plan(t, spec, e.YAML)
			if plan == nil || diags.Len() > 0 {
				t.Errorf("findings:\n%s", Render(diags, e.YAML))
			}
		})
	}
}

// Golden runs every case of a file and compares the findings.
func Golden(t *testing.T, spec *triggers.Spec, file string) {
	t.Helper()
	golden.Run(t, file, func(t *testing.T, c *golden.Case) string {
		plan, diags := Plan(t, spec, c.Text())
		if (plan == nil) != diags.HasErrors() {
			t.Errorf("plan %v with these findings:\n%s", plan, Render(diags, c.Text()))
		}
		return Render(diags, c.Text())
	})
}

// Render writes findings with the place they are at.
func Render(diags *diag.List, text string) string {
	lines := strings.Split(text, "\n")
	severity := map[diag.Severity]string{diag.Error: "error", diag.Warning: "warning", diag.Info: "info"}
	var b strings.Builder
	for _, d := range diags.All() {
		start, end := d.Range.Start, d.Range.End
		fmt.Fprintf(&b, "%d:%d %s %s %s\n", start.Line, start.Column, severity[d.Severity], d.Code.ID, d.Summary)
		if start.Line >= 1 && start.Line <= len(lines) {
			fmt.Fprintf(&b, "  %s\n  %s%s\n", lines[start.Line-1], strings.Repeat(" ", start.Column-1), strings.Repeat("^", max(end.Column-start.Column, 1)))
		}
		fmt.Fprintf(&b, "  %s\n  fix: %s\n", d.Consequence, d.Fix)
	}
	return b.String()
}
