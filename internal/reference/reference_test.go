package reference_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	connectorsall "pipelined/connectors/all"
	"pipelined/connectors/csv"
	"pipelined/connectors/db"
	"pipelined/connectors/rest"
	"pipelined/engine/program"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/golden"
	"pipelined/internal/reference"
	triggersall "pipelined/triggers/all"
)

const folder = "../../docs/reference"

func codes() [][]diag.Code {
	return [][]diag.Code{definition.Codes(), field.Codes(), step.Codes(), program.Codes(), expression.Codes(), rest.Codes(), db.Codes(), csv.Codes(), triggersall.Set().Codes()}
}

func sets() program.Sets {
	return program.Sets{Connectors: connectorsall.Set(), Triggers: triggersall.Set()}
}

func TestReferenceIsCurrent(t *testing.T) {
	pages := reference.Pages(sets(), codes()...)
	for name, want := range pages {
		golden.File(t, filepath.Join(folder, name), want)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if pages[f.Name()] == "" {
			t.Errorf("%s is no page of the reference", f.Name())
		}
	}
}

func TestCodesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, list := range codes() {
		for _, c := range list {
			if seen[c.ID] != "" || c.Title == "" {
				t.Errorf("%s (%s) is also %s", c.ID, c.Title, seen[c.ID])
			}
			seen[c.ID] = c.Title
		}
	}
}

var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// snippets calls f for every YAML block of the pages in docs and the README.
func snippets(t *testing.T, f func(page, yaml string)) {
	t.Helper()
	n := 0
	visit := func(page string) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			n++
			f(page, m[1])
		}
	}
	visit("../../README.md")
	err := filepath.WalkDir("../../docs", func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			visit(path)
		}
		return err
	})
	if err != nil || n < 40 {
		t.Fatalf("%d snippets, %v", n, err)
	}
}

// connections are what snippets may name.
const connections = "connections: { shop: { db: { driver: sqlite, path: a.db } }, crm: { rest: { base_url: \"http://x\" } } }\n"

// project makes a project of a snippet: a whole file, a trigger, or steps.
func project(yaml string) fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	files := fstest.MapFS{"pipelined.yaml": file(connections), "price_order.yaml": file("pipeline: price_order\nsteps:\n  - respond: { body: 1 }\n"),
		"schemas/order.json": file(`{"type":"object"}`)}
	switch {
	case strings.HasPrefix(yaml, "project:"):
		files["pipelined.yaml"] = file(yaml)
		files["a.yaml"] = file("pipeline: a\nsteps:\n  - respond: { body: 1 }\n")
	case strings.HasPrefix(yaml, "trigger:"):
		for _, name := range []string{"orders_import", "orders_process"} {
			files[name+".yaml"] = file("pipeline: " + name + "\nsteps:\n  - set: { x: 1 }\n")
		}
		files["a.yaml"] = file("pipeline: a\n" + yaml + "steps:\n  - set: { x: 1 }\n")
	case strings.HasPrefix(yaml, "- "):
		if strings.Contains(yaml, "steps.orders") {
			yaml = "- name: orders\n  json.parse: { text: '{\"rows\":[]}' }\n" + yaml
		}
		lines := "  " + strings.ReplaceAll(strings.TrimRight(yaml, "\n"), "\n", "\n  ") + "\n"
		files["a.yaml"] = file("pipeline: a\ntrigger: { http: { method: POST, path: /a } }\nsteps:\n" + lines)
	default:
		files["a.yaml"] = file(yaml)
	}
	return files
}

func TestEverySnippetLints(t *testing.T) {
	t.Parallel()
	snippets(t, func(page, yaml string) {
		p, err := definition.LoadFS(project(yaml), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		compiled, findings := program.Compile(p, sets())
		if compiled != nil {
			return
		}
		sources := map[string][]byte{}
		for name, f := range p.Sources {
			sources[name] = f.Text
		}
		var b strings.Builder
		if err := diag.Text(&b, findings, sources, false); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s:\n%s", page, b.String())
	})
}
