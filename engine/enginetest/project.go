package enginetest

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
	"pipelined/engine/program"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	triggersall "pipelined/triggers/all"
)

// Files takes a project given as one text apart: files behind lines `-- name --`. A text
// without such a line is one pipeline.
func Files(text string) fstest.MapFS {
	if !strings.Contains(text, "-- ") {
		text = "-- pipeline.yaml --\n" + text
	}
	files := fstest.MapFS{}
	name := ""
	for line := range strings.Lines(text) {
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

// Compile compiles a project that must have no errors. more are connectors beside those
// of the binary.
func Compile(t testing.TB, text string, more ...*connectors.Connector) *program.Program {
	t.Helper()
	set := connectors.NewSet(append(connectorsall.Set().Families(), more...)...)
	return CompileWith(t, text, program.Sets{Connectors: set, Triggers: triggersall.Set()})
}

// CompileWith compiles a project of these sets that must have no errors.
func CompileWith(t testing.TB, text string, sets program.Sets) *program.Program {
	t.Helper()
	project, err := definition.LoadFS(Files(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	p, findings := program.Compile(project, sets)
	if p == nil {
		sources := map[string][]byte{}
		for name, f := range project.Sources {
			sources[name] = f.Text
		}
		var b bytes.Buffer
		diag.Text(&b, findings, sources, false)
		t.Fatalf("the project has errors:\n%s", &b)
	}
	return p
}
