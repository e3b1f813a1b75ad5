package program_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	connectorsall "pipelined/connectors/all"
	"pipelined/engine/program"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	triggersall "pipelined/triggers/all"
)

var update = flag.Bool("update", false, "rewrite the expected findings")

const divider = "-- findings --\n"

func sets() program.Sets {
	return program.Sets{Connectors: connectorsall.Set(), Triggers: triggersall.Set()}
}

// environment is what projects of these tests may read.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"CRM_URL": "http://127.0.0.1:1"}[name]
	return v, ok
}

// parse takes a project apart: files behind lines `-- name --`.
func parse(text string) fstest.MapFS {
	files := fstest.MapFS{}
	name := ""
	for _, line := range strings.SplitAfter(text, "\n") {
		if t := strings.TrimSpace(line); strings.HasPrefix(t, "-- ") && strings.HasSuffix(t, " --") {
			name = strings.TrimSuffix(strings.TrimPrefix(t, "-- "), " --")
			files[name] = &fstest.MapFile{}
			continue
		}
		if f := files[name]; f != nil {
			f.Data = append(f.Data, line...)
		}
	}
	return files
}

// lint returns the findings of a project as a person sees them.
func lint(t *testing.T, files fs.FS) (string, []diag.Diagnostic, *program.Program) {
	t.Helper()
	project, err := definition.LoadFS(files, environment)
	if err != nil {
		t.Fatal(err)
	}
	p, findings := program.Compile(project, sets())
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
	cases, err := filepath.Glob("testdata/lint/*.txt")
	if err != nil || len(cases) < 20 {
		t.Fatalf("%d golden files, %v", len(cases), err)
	}
	seen := map[string]bool{}
	for _, file := range cases {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, want, _ := strings.Cut(string(text), divider)
		got, findings, p := lint(t, parse(input))
		for _, d := range findings {
			seen[d.Code.ID] = true
			if d.Severity == diag.Error && p != nil {
				t.Errorf("%s: a project with errors has a program", file)
			}
			if d.Consequence == "" || d.Fix == "" {
				t.Errorf("%s: %s says neither what follows nor what to do: %s", file, d.Code.ID, d.Summary)
			}
		}
		if *update {
			if err := os.WriteFile(file, []byte(input+divider+got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got != want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", file, got, want)
		}
	}
	for _, list := range [][]diag.Code{definition.Codes(), field.Codes(), expression.Codes(), step.Codes(), program.Codes()} {
		for _, c := range list {
			if !seen[c.ID] {
				t.Errorf("no golden file shows %s (%s)", c.ID, c.Title)
			}
		}
	}
}

// TestWhatLintsStarts: I6, for every example.
func TestExamplesHaveNothingToReport(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"quickstart", "synchronous", "asynchronous", "asynchronous_short"} {
		text, _, p := lint(t, os.DirFS("../../pipelines/"+name))
		if p == nil || !strings.HasPrefix(text, "nothing to report") {
			t.Errorf("%s:\n%s", name, text)
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
