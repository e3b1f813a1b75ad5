package all_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pipelined/connectors/all"
)

// folders are the connectors there are.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "all" && e.Name() != "connectortest" {
			out = append(out, e.Name())
		}
	}
	if len(out) < 5 {
		t.Fatalf("only %v: the test looks in the wrong place", out)
	}
	return out
}

// A connector that is written but not listed would be missing from the binary
// without anyone noticing.
func TestSetHoldsEveryFolder(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range all.Set().Families() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	if want := folders(t); !slices.Equal(names, want) {
		t.Errorf("listed %v, folders %v", names, want)
	}
}

// A setting that authors can write and no code reads would be a promise nobody
// keeps.
func TestEverySettingIsRead(t *testing.T) {
	t.Parallel()
	settings := 0
	for _, folder := range folders(t) {
		p := parse(t, filepath.Join("..", folder))
		settings += len(p.settings)
		for _, dead := range p.dead() {
			t.Errorf("%s: nothing reads the setting %s", folder, dead)
		}
	}
	if settings < 50 {
		t.Errorf("only %d settings found: the test looks in the wrong place", settings)
	}
}

func TestADeadSettingIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := "package p\ntype params struct {\n\tUsed string `yaml:\"used\"`\n\tSet int `yaml:\"set\"`\n\tDead bool `yaml:\"dead\"`\n}\n" +
		"func f(p params) string { p.Set = 1; return p.Used }\n"
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := parse(t, dir).dead(); !slices.Equal(got, []string{"dead", "set"}) {
		t.Errorf("found %v", got)
	}
}

// pkg is what a package's files declare and read.
type pkg struct {
	settings map[string]string // Go name to YAML key
	read     map[string]bool   // names behind a dot, assignments aside
}

func (p pkg) dead() []string {
	var out []string
	for name, key := range p.settings {
		if !p.read[name] {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func parse(t *testing.T, dir string) pkg {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	p := pkg{settings: map[string]string{}, read: map[string]bool{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		assigned := map[ast.Node]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				p.declares(n)
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					assigned[left] = true
				}
			case *ast.SelectorExpr:
				if !assigned[n] {
					p.read[n.Sel.Name] = true
				}
			}
			return true
		})
	}
	return p
}

func (p pkg) declares(f *ast.Field) {
	if f.Tag == nil {
		return
	}
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return
	}
	if key, ok := reflect.StructTag(tag).Lookup("yaml"); ok {
		for _, name := range f.Names {
			p.settings[name.Name] = key
		}
	}
}
