package program_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
	"pipelined/connectors/csv"
	"pipelined/connectors/db"
	"pipelined/connectors/json"
	"pipelined/connectors/rest"
	"pipelined/connectors/validate"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/golden"
	"pipelined/triggers"
	triggersall "pipelined/triggers/all"
	"pipelined/triggers/cron"
	triggererror "pipelined/triggers/error"
	"pipelined/triggers/event"
	"pipelined/triggers/http"
)

// sets is what the golden files and the examples use; what else is in the binary does not
// change their findings.
func sets(more ...*triggers.Spec) program.Sets {
	return program.Sets{
		Connectors: connectors.NewSet(rest.Connector, db.Connector, csv.Connector, json.Connector, validate.Connector),
		Triggers:   triggers.NewSet(append(more, http.Trigger, cron.Trigger, event.Trigger, triggererror.Trigger)...),
	}
}

// environment is what projects of these tests may read.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"CRM_URL": "http://127.0.0.1:1"}[name]
	return v, ok
}

// lint returns the findings of a project as a person sees them.
func lint(t *testing.T, files fs.FS, more ...*triggers.Spec) (string, []diag.Diagnostic, *program.Program) {
	t.Helper()
	project, err := definition.LoadFS(files, environment)
	if err != nil {
		t.Fatal(err)
	}
	p, findings := program.Compile(project, sets(more...))
	sources := map[string][]byte{}
	for name, f := range project.Sources {
		sources[name] = f.Text
	}
	var b bytes.Buffer
	if err := diag.Text(&b, findings, sources, false); err != nil {
		t.Fatal(err)
	}
	for _, d := range findings {
		inFile(t, d, sources)
	}
	return b.String(), findings, p
}

// inFile checks that a finding lies inside its file.
func inFile(t *testing.T, d diag.Diagnostic, sources map[string][]byte) {
	t.Helper()
	text, ok := sources[d.Range.File]
	if !ok || d.Range.Start.Line == 0 {
		if d.Range.File == definition.ProjectFileName {
			return // there need not be one
		}
		t.Errorf("a finding without a place: %+v", d)
		return
	}
	lines := strings.Split(string(text), "\n")
	if d.Range.Start.Line > len(lines) || d.Range.Start.Column > len([]rune(lines[d.Range.Start.Line-1]))+1 {
		t.Errorf("a finding outside of its file: %+v", d)
	}
}

// TestFindings compares what lint says with the golden files, each a project and
// its findings.
func TestFindings(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	run := func(t *testing.T, c *golden.Case, more ...*triggers.Spec) string {
		files, err := txtar.FS(&txtar.Archive{Files: c.Files})
		if err != nil {
			t.Fatal(err)
		}
		got, findings, p := lint(t, files, more...)
		for _, d := range findings {
			seen[d.Code.ID] = true
			if d.Severity == diag.Error && p != nil {
				t.Error("a project with errors has a program")
			}
			if d.Consequence == "" || d.Fix == "" {
				t.Errorf("%s says neither what follows nor what to do: %s", d.Code.ID, d.Summary)
			}
		}
		return got
	}
	golden.Run(t, "testdata/lint/*.txt", func(t *testing.T, c *golden.Case) string { return run(t, c) })
	golden.Run(t, "testdata/sources/*.txt", func(t *testing.T, c *golden.Case) string { return run(t, c, enginetest.NewFeeds().Trigger()) })
	for _, list := range [][]diag.Code{definition.Codes(), field.Codes(), expression.Codes(), step.Codes(), program.Codes()} {
		for _, c := range list {
			if !seen[c.ID] {
				t.Errorf("no golden file shows %s (%s)", c.ID, c.Title)
			}
		}
	}
}

// TestExamplesHaveNothingToReport: I6, for every example.
func TestExamplesHaveNothingToReport(t *testing.T) {
	t.Parallel()
	examples, err := os.ReadDir("../../pipelines")
	if err != nil || len(examples) < 4 {
		t.Fatal(examples, err)
	}
	for _, e := range examples {
		project, err := definition.Load("../../pipelines/"+e.Name(), environment)
		if err != nil {
			t.Fatal(err)
		}
		p, findings := program.Compile(project, program.Sets{Connectors: connectorsall.Set(), Triggers: triggersall.Set()})
		if p == nil || len(findings) > 0 {
			t.Errorf("%s: %+v", e.Name(), findings)
		}
	}
}

func FuzzLint(f *testing.F) {
	f.Add("pipeline: a\ntrigger: { http: { method: GET, path: /a } }\nsteps:\n  - respond: { body: \"${{ request.path }}\" }\n")
	f.Add("pipeline: a\nsteps:\n  - foreach: 1..3\n    steps: [ { set: { x: \"${{ index }}\" } } ]\n")
	f.Add("a: &a [*a]\n")
	f.Add("pipeline: b\non_failure: {collection: x}\nsteps: [{reprocess: {collection: y, max_attempts: 1, exhausted: []}}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		lint(t, fstest.MapFS{"p.yaml": &fstest.MapFile{Data: []byte(text)}})
	})
}
