package definition_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/tools/txtar"
	"gopkg.in/yaml.v3"

	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/golden"
)

// environment is what projects of these tests may read.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"REGION": "eu", "TOKEN": "hush"}[name]
	return v, ok
}

func load(t testing.TB, files fs.FS) *definition.Project {
	t.Helper()
	p, err := definition.LoadFS(files, environment)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// one is a project of one file.
func one(text string) fstest.MapFS { return fstest.MapFS{"a.yaml": {Data: []byte(text)}} }

// show is the findings of a project as a person sees them. Each names a place in its file,
// what follows and what to do.
func show(t *testing.T, p *definition.Project) string {
	t.Helper()
	p.Globals()
	sources := map[string][]byte{}
	for name, f := range p.Sources {
		sources[name] = f.Text
	}
	list := p.Diags.All()
	for _, d := range list {
		lines := strings.Count(string(sources[d.Range.File]), "\n") + 1
		if d.Range.Start.Line < 1 || d.Range.Start.Line > lines || d.Range.Start.Column < 1 || d.Consequence == "" || d.Fix == "" {
			t.Errorf("this finding has no place, no consequence or no remedy: %+v", d)
		}
	}
	var b bytes.Buffer
	if err := diag.Text(&b, list, sources, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMalformed compares what is said of files that cannot be read, or that mean something
// else than they look, with the golden files. In them ␉, ␍ and ␀ stand for a tab, a
// carriage return and a byte that is no text.
func TestMalformed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	special := strings.NewReplacer("␉", "\t", "␍", "\r", "␀", "\xff", "␂", "\ufeff")
	golden.Run(t, "testdata/malformed/*.txt", func(t *testing.T, c *golden.Case) string {
		archive := &txtar.Archive{}
		for _, f := range c.Files {
			archive.Files = append(archive.Files, txtar.File{Name: f.Name, Data: []byte(special.Replace(string(f.Data)))})
		}
		files, err := txtar.FS(archive)
		if err != nil {
			t.Fatal(err)
		}
		p := load(t, files)
		got := show(t, p)
		for _, d := range p.Diags.All() {
			seen[d.Code.ID] = true
		}
		return got
	})
	for _, c := range definition.Codes() {
		if !seen[c.ID] {
			t.Errorf("no golden file shows %s (%s)", c.ID, c.Title)
		}
	}
}

// TestTree: what a pipeline file holds, and where each part stands.
func TestTree(t *testing.T) {
	t.Parallel()
	p := load(t, one(`# a comment
pipeline: orders
description: Takes orders.
version: 3
timeout: 1m30s
history: all
trigger:
  http: { method: GET, path: /o }
steps:
  - name: first
    set: { a: 1 }
  - log: { message: hi }
    when: "true"
on_error:
  - name: handler
    stop:
on_failure: { collection: errs }
`))
	if len(p.Pipelines) != 1 || p.Diags.Len() != 0 {
		t.Fatalf("%d pipelines, findings %v", len(p.Pipelines), p.Diags.All())
	}
	d := p.Pipelines[0]
	if d.Name != "orders" || d.Description != "Takes orders." || d.Version != 3 || d.Timeout != 90*time.Second || d.History != "all" || d.Trigger.Kind != "http" {
		t.Errorf("it is %+v", d)
	}
	at := func(n *yaml.Node) string {
		if n == nil {
			return "nowhere"
		}
		return fmt.Sprint(n.Line, ":", n.Column)
	}
	var got []string
	for _, s := range slices.Concat(d.Steps, d.OnError) {
		got = append(got, fmt.Sprintf("%s %q %s", at(s.Node), s.Name, at(s.NameNode)))
		for _, f := range s.Fields {
			got = append(got, fmt.Sprintf("  %s %s %s", f.Key, at(f.KeyNode), at(f.Value)))
		}
	}
	want := []string{`10:5 "first" 10:11`, "  name 10:5 10:11", "  set 11:5 11:10", `12:5 "" nowhere`, "  log 12:5 12:10", "  when 13:5 13:11",
		`15:5 "handler" 15:11`, "  name 15:5 15:11", "  stop 16:5 16:10"}
	if !slices.Equal(got, want) {
		t.Errorf("the steps are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if at(d.NameNode) != "2:1" && at(d.NameNode) != "2:11" || at(d.Trigger.KeyNode) != "8:3" || at(d.OnFailure) != "17:13" || at(d.OnErrorNode) != "15:3" || at(d.StepsNode) != "10:3" {
		t.Errorf("name %s, trigger %s, on_failure %s, on_error %s, steps %s", at(d.NameNode), at(d.Trigger.KeyNode), at(d.OnFailure), at(d.OnErrorNode), at(d.StepsNode))
	}
}

// TestSameTree: what YAML allows beside the usual style is the same pipeline.
func TestSameTree(t *testing.T) {
	t.Parallel()
	const plain = "pipeline: a\ntimeout: 5s\nsteps:\n  - name: x\n    log: { message: hi }\n"
	for name, text := range map[string]string{
		"flow style":               `{ pipeline: a, timeout: 5s, steps: [ { name: x, log: { message: hi } } ] }`,
		"quoted":                   "\"pipeline\": 'a'\ntimeout: \"5s\"\nsteps:\n  - 'name': \"x\"\n    log: { message: hi }\n",
		"CRLF":                     strings.ReplaceAll(plain, "\n", "\r\n"),
		"a byte order mark":        "\ufeff" + plain,
		"a document mark":          "---\n" + plain,
		"an end mark":              plain + "...\n",
		"comments and empty lines": "# c\n\n" + strings.ReplaceAll(plain, "\n", " # c\n\n"),
		"another order":            "steps:\n  - log: { message: hi }\n    name: x\ntimeout: 5s\npipeline: a\n",
		"an alias":                 "pipeline: a\ntimeout: 5s\nsteps:\n  - &s\n    name: x\n    log: &l { message: hi }\n",
		"no line end at the end":   strings.TrimSuffix(plain, "\n"),
	} {
		p := load(t, one(text))
		if len(p.Pipelines) != 1 || p.Diags.ErrorsSince(0) {
			t.Errorf("%s: %d pipelines, %s", name, len(p.Pipelines), show(t, p))
			continue
		}
		d := p.Pipelines[0]
		if d.Name != "a" || d.Timeout != 5*time.Second || len(d.Steps) != 1 || d.Steps[0].Name != "x" || len(d.Steps[0].Fields) != 2 {
			t.Errorf("%s: it is %+v", name, d)
		}
	}
}

// TestTooMuch: a file that would exhaust the memory is refused, whatever makes it large.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	laughs := "pipeline: a\nx0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
	for i := 1; i < 9; i++ {
		laughs += fmt.Sprintf("x%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	for name, text := range map[string]string{
		"larger than 4 MB":        "pipeline: a\n# " + strings.Repeat("x", 4<<20),
		"over 200,000 values":     laughs,
		"an alias within itself":  "pipeline: a\nsteps: &s\n  - try: *s\n    catch: []\n",
		"nested beyond all sense": "pipeline: a\nsteps: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"nested in blocks":        "pipeline: a\nsteps: " + strings.Repeat("{ a: ", 20_000) + strings.Repeat("}", 20_000),
	} {
		began := time.Now()
		p := load(t, one(text))
		if len(p.Pipelines) != 0 || !p.Diags.ErrorsSince(0) {
			t.Errorf("%s: it is taken", name)
		}
		for _, d := range p.Diags.All() {
			if d.Code != definition.CodeSyntax || d.Fix == "" || len(d.Summary) > 200 {
				t.Errorf("%s: it says %s %s", name, d.Code.ID, d.Summary)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// TestNestingThatIsDeepAndSane is read.
func TestNestingThatIsDeepAndSane(t *testing.T) {
	t.Parallel()
	p := load(t, one("pipeline: a\nsteps:\n  - set: { x: "+strings.Repeat("[", 90)+strings.Repeat("]", 90)+" }\n"))
	if len(p.Pipelines) != 1 || p.Diags.Len() != 0 {
		t.Errorf("%s", show(t, p))
	}
}

// TestWhichFilesAreRead: YAML below the folder, not what is hidden; each is a pipeline, a
// test, the project file, or told of.
func TestWhichFilesAreRead(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	p := load(t, fstest.MapFS{
		"b.yaml": file("pipeline: b\nsteps: []\n"), "sub/deep/a.yml": file("pipeline: a\nsteps: []\n"), "pipelined.yaml": file("project: shop\n"),
		".hidden/x.yaml": file("pipeline: x\nsteps: []\n"), "node_modules/y.yaml": file("pipeline: y\n"), "schema.json": file("{}"), "notes.txt": file("pipeline: z"),
		"a.test.yaml": file("test: b\n"), "s.yaml": file("scenario: s\n"), "other.yaml": file("kind: Deployment\n"),
	})
	var names []string
	for _, d := range p.Pipelines {
		names = append(names, d.Name)
	}
	if fmt.Sprint(names) != "[b a]" || len(p.Tests) != 2 || p.File.Project != "shop" || len(p.Sources) != 6 {
		t.Errorf("pipelines %v, %d tests, project %s, %d sources", names, len(p.Tests), p.File.Project, len(p.Sources))
	}
	if list := p.Diags.All(); len(list) != 1 || list[0].Range.File != "other.yaml" || list[0].Severity != diag.Warning {
		t.Errorf("findings: %v", list)
	}
}

// TestNothingOutsideOfTheFolderIsRead, by whatever path.
func TestNothingOutsideOfTheFolderIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inside := filepath.Join(dir, "project")
	for name, text := range map[string]string{"secret.json": "{}", "project/schemas/a.json": `{"a":1}`, "project/a.yaml": "pipeline: a\nsteps: []\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret.json"), filepath.Join(inside, "link.json")); err != nil {
		t.Fatal(err)
	}
	p, err := definition.Load(inside, environment)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := p.ReadFile("./schemas/../schemas/a.json"); err != nil || string(text) != `{"a":1}` || string(p.Read["schemas/a.json"]) != `{"a":1}` {
		t.Errorf("%s %v, read are %v", text, err, p.Read)
	}
	for _, name := range []string{"../secret.json", filepath.Join(dir, "secret.json"), "link.json", "none.json", "", "schemas"} {
		if text, err := p.ReadFile(name); err == nil {
			t.Errorf("%q was read: %s", name, text)
		}
	}
	if _, err := definition.Load(filepath.Join(dir, "none"), environment); err == nil {
		t.Error("a folder that is not there is loaded")
	}
}

// TestProjectFile: what it says, what it leaves out, and what is read of the environment.
func TestProjectFile(t *testing.T) {
	t.Parallel()
	p := load(t, fstest.MapFS{"pipelined.yaml": {Data: []byte(`project: shop
admin: { token: "${{ secrets.token }}x" }
events: { order.received: { key: data.id, retain: 2d } }
collections: { orders: { unique: [email] } }
connections: { crm: { rest: { base_url: "http://127.0.0.1" } } }
globals: { region: "${{ env.REGION }}", zone: "${{ env.ZONE ?? 'none' }}" }
`)}})
	f := p.File
	if f.Server.Listen != "127.0.0.1:8080" || f.History != "errors" || f.Store.Path != ".pipelined/data.db" || f.Events["order.received"].Retain != 48*time.Hour || f.Events["order.received"].Dedupe != 24*time.Hour {
		t.Errorf("it is %+v", f)
	}
	if c := f.Connections["crm"]; c == nil || c.Family != "rest" || c.Name != "crm" || c.FamilyNode.Line != 5 || c.NameNode.Line != 5 {
		t.Errorf("the connection is %+v", f.Connections["crm"])
	}
	if got := fmt.Sprint(p.Globals()); got != "map[region:eu zone:none]" {
		t.Errorf("globals are %s", got)
	}
	if n := p.EventNode("order.received", "key"); n == nil || n.Value != "data.id" {
		t.Errorf("the key stands at %v", n)
	}
	if got := show(t, p); strings.Contains(got, "hush") || !strings.Contains(got, "secrets") {
		t.Errorf("a secret outside of a connection: %s", got)
	}
	if none := load(t, fstest.MapFS{}); none.File.Project != "pipelined" || none.Diags.Len() != 0 || fmt.Sprint(none.Globals()) != "map[]" {
		t.Errorf("without a project file: %+v", none.File)
	}
}

// FuzzLoad: whatever a file holds, it is read or told of, with a place inside of it.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/malformed/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	f.Add([]byte("pipeline: &a\nsteps: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range []string{"a.yaml", definition.ProjectFileName} {
			p, err := definition.LoadFS(fstest.MapFS{name: {Data: text}}, environment)
			if err != nil {
				t.Fatal(err)
			}
			p.Globals()
			lines := bytes.Count(text, []byte("\n")) + 1
			for _, d := range p.Diags.All() {
				if d.Summary == "" || d.Fix == "" || d.Range.Start.Line < 1 || d.Range.Start.Line > lines+1 || d.Range.Start.Column < 1 {
					t.Errorf("a finding of %q: %+v", text, d)
				}
			}
			if len(p.Pipelines) == 0 && name == "a.yaml" && p.Diags.Len() == 0 && len(p.Tests) == 0 {
				t.Errorf("nothing is made of %q, and nothing is said", text)
			}
		}
	})
}
