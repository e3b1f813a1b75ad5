package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the engine's code keeps to, so that it can be read: counted, not hoped for.
const (
	fileLines     = 300 // of a file of code
	functionLines = 60
	engineMethods = 15
	testRatio     = 0.8 // lines of tests to lines of code, over all of engine/
	roomRatio     = 0.5 // the same of each of its packages
)

// lines are those of the code and of the tests of one package.
type lines struct{ code, test int }

// TestTheHouse holds the engine's files, functions and packages to their sizes, and
// every package to tests of its own.
func TestTheHouse(t *testing.T) {
	t.Parallel()
	rooms := map[string]*lines{}
	methods := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, n := filepath.Dir(path), strings.Count(string(text), "\n")
		if rooms[dir] == nil {
			rooms[dir] = &lines{}
		}
		if strings.HasSuffix(path, "_test.go") {
			rooms[dir].test += n
			return nil
		}
		rooms[dir].code += n
		if n > fileLines {
			t.Errorf("%s has %d lines, more than %d: give a noun of it a file of its own", path, n, fileLines)
		}
		methods += functions(t, path, string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if methods > engineMethods {
		t.Errorf("Engine has %d methods, more than %d: what they are about is a room of its own", methods, engineMethods)
	}
	var all lines
	for dir, l := range rooms {
		all.code, all.test = all.code+l.code, all.test+l.test
		// What only tests use is proven by their tests.
		if ratio := float64(l.test) / float64(l.code); dir != "enginetest" && dir != "source/sourcetest" && ratio < roomRatio {
			t.Errorf("engine/%s: %d lines of tests to %d of code, %.2f; at least %.1f", dir, l.test, l.code, ratio, roomRatio)
		}
	}
	if ratio := float64(all.test) / float64(all.code); ratio < testRatio {
		t.Errorf("engine: %d lines of tests to %d of code, %.2f; at least %.1f", all.test, all.code, ratio, testRatio)
	}
}

// functions holds the functions of a file to their size, and counts Engine's methods.
func functions(t *testing.T, path, text string) (methods int) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := files.Position(fn.End()).Line - files.Position(fn.Pos()).Line + 1; n > functionLines {
			t.Errorf("%s: %s has %d lines, more than %d", path, fn.Name.Name, n, functionLines)
		}
		if fn.Recv == nil || f.Name.Name != "engine" {
			continue
		}
		if star, ok := fn.Recv.List[0].Type.(*ast.StarExpr); ok {
			if name, ok := star.X.(*ast.Ident); ok && name.Name == "Engine" {
				methods++
			}
		}
	}
	return methods
}
