package program_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"pipelined/internal/diag"
)

// mend applies the edits of findings to a project, once; n is how many.
func mend(files map[string][]byte, findings []diag.Diagnostic) (mended map[string][]byte, applied []diag.Diagnostic) {
	mended = maps.Clone(files)
	for name, text := range files {
		out, list := diag.Apply(name, text, findings)
		mended[name] = out
		applied = append(applied, list...)
	}
	return mended, applied
}

// broken are the projects of the golden files.
func broken(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/lint/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	out := map[string]map[string][]byte{}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for i, f := range archive.Files {
			if f.Name != "findings" {
				files[f.Name] = f.Data
				continue
			}
			out[fmt.Sprintf("%s %d", name, i)] = files
			files = map[string][]byte{}
		}
	}
	return out
}

func folder(files map[string][]byte) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: text}
	}
	return out
}

func errors(list []diag.Diagnostic) (n int) {
	for _, d := range list {
		if d.Severity == diag.Error {
			n++
		}
	}
	return n
}

// TestFixesMend: every golden file is mended until nothing is left that lint knows how to
// mend. Each fix takes its own finding away and brings no error that was not there; and a
// project of whose findings each could be mended is clean.
func TestFixesMend(t *testing.T) {
	t.Parallel()
	codes := map[string]int{}
	for name, files := range broken(t) {
		_, findings, _ := lint(t, folder(files))
		for round := 0; ; round++ {
			mended, applied := mend(files, findings)
			if len(applied) == 0 {
				break
			}
			if round == 20 {
				t.Fatalf("%s: mending never ends: %+v", name, applied)
			}
			text, after, _ := lint(t, folder(mended))
			for _, d := range applied {
				codes[d.Code.ID]++
				for _, e := range after {
					if e.Code == d.Code && e.Range == d.Range && e.Summary == d.Summary {
						t.Errorf("%s: still there after its fix: %s at %+v\n%s", name, d.Summary, d.Range.Start, mended[d.Range.File])
					}
				}
			}
			// What was hidden behind a mistake may come out, one for each at most.
			if errors(after) > errors(findings) {
				t.Errorf("%s: %d errors became %d:\n%s", name, errors(findings), errors(after), text)
			}
			files, findings = mended, after
		}
	}
	for _, id := range []string{"E201", "E204", "E302", "E305", "E310", "E311"} {
		if codes[id] == 0 {
			t.Errorf("no golden file shows how %s is mended", id)
		}
	}
}
