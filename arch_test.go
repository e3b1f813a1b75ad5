package pipelined_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// house is the order of packages of docs/architecture.md: a package imports only
// packages of rows above its own, and its own sub-packages. A pattern ending in /*
// is every package one level below.
var house = []string{
	".",
	"internal/diag",
	"internal/clock",
	"internal/golden",
	"internal/fault",
	"internal/unit",
	"internal/pattern",
	"internal/value",
	"internal/expression/function",
	"internal/expression",
	"internal/position",
	"internal/field",
	"internal/schema",
	"internal/store",
	"internal/store/storetest",
	"internal/store/sqlite",
	"internal/store/sqlite/*",
	"internal/store/memory",
	"objectstore",
	"connectors",
	"triggers",
	"connectors/connectortest",
	"connectors/*",
	"triggers/*",
	"internal/definition",
	"engine/broker",
	"engine/execution",
	"engine/step",
	"engine/program",
	"engine/revision",
	"engine/attempt",
	"engine/aftermath",
	"engine/edge",
	"engine/consumer",
	"engine/scheduler",
	"engine/source",
	"engine",
	"engine/scenario",
	"internal/admin",
	"connectors/all",
	"triggers/all",
	"engine/enginetest",
	"engine/source/sourcetest",
	"internal/daemon",
	"internal/reference",
	"internal/crashtest",
	"cmd/pipelined",
	"bench",
	"bench/*",
}

// row returns a package's place in the house, preferring its exact name; -1 if it
// has none.
func row(pkg string) int {
	if i := slices.Index(house, pkg); i >= 0 {
		return i
	}
	return slices.Index(house, path.Dir(pkg)+"/*")
}

func TestPackagesImportOnlyThoseAbove(t *testing.T) {
	t.Parallel()
	for pkg, imports := range packages(t) {
		at := row(pkg)
		if at < 0 {
			t.Errorf("package %s is not in the house: give it a row in arch_test.go and docs/architecture.md", pkg)
			continue
		}
		for _, imp := range imports {
			below := strings.HasPrefix(imp, pkg+"/") && pkg != "."
			if r := row(imp); r >= at && !below {
				t.Errorf("%s (row %d) imports %s (row %d): arrows point up only", pkg, at+1, imp, r+1)
			}
		}
	}
}

func TestOnlyTheirOwnersImportTheLibraries(t *testing.T) {
	t.Parallel()
	owners := map[string][]string{
		"github.com/expr-lang/expr": {"internal/expression"},
		"github.com/tidwall/gjson":  {"internal/value", "internal/schema", "objectstore"},
		"github.com/robfig/cron/v3": {"triggers/cron"},
		"github.com/go-chi/chi/v5":  {"engine/edge", "internal/admin"},
		"github.com/spf13/cobra":    {"cmd/pipelined"},
	}
	for pkg, imports := range packagesWith(t, func(string) bool { return true }) {
		for _, imp := range imports {
			for library, allowed := range owners {
				if (imp == library || strings.HasPrefix(imp, library+"/")) && !slices.Contains(allowed, pkg) {
					t.Errorf("%s imports %s, which belongs to %v", pkg, imp, allowed)
				}
			}
		}
	}
}

// packages returns what each package of the module imports of the module, tests
// aside, with names relative to the module.
func packages(t *testing.T) map[string][]string {
	all := packagesWith(t, func(imp string) bool { return imp == "pipelined" || strings.HasPrefix(imp, "pipelined/") })
	for pkg, imports := range all {
		for i, imp := range imports {
			if imp == "pipelined" {
				imports[i] = "."
			} else {
				imports[i] = strings.TrimPrefix(imp, "pipelined/")
			}
		}
		all[pkg] = imports
	}
	return all
}

func packagesWith(t *testing.T, wanted func(string) bool) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && file != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		out[pkg] = append(out[pkg], importsOf(parsed.Imports, wanted)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d packages found: the test looks in the wrong place", len(out))
	}
	return out
}

func importsOf(specs []*ast.ImportSpec, wanted func(string) bool) []string {
	var out []string
	for _, s := range specs {
		if name, err := strconv.Unquote(s.Path.Value); err == nil && wanted(name) {
			out = append(out, name)
		}
	}
	return out
}
