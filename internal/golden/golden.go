// Package golden compares what comes out with files that hold it beside what goes in,
// for tests. Such a file is an archive in the form of golang.org/x/tools/txtar:
//
//	-- what the case shows --
//	schedule: 60 * * * *
//	-- findings --
//	1:11 error E420 "60" cannot be the minute
//	…
//
// A case is one file, or several, up to one called findings, which is what must come
// out; a golden file may hold many. Tests run with -update write what comes out instead,
// and a person reads the difference. `make golden` does so everywhere.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what comes out into golden files; read the difference")

// output is the name of the file that ends a case.
const output = "findings"

// Case is what goes in.
type Case struct {
	Files []txtar.File
}

// Name is that of the first file.
func (c *Case) Name() string { return c.Files[0].Name }

// Text is the first file, of a case that has no other.
func (c *Case) Text() string { return string(c.Files[0].Data) }

// Run compares what f makes of every case of the files that a pattern names with what
// they say comes out. A pattern that names no file, and a file without a case, fail.
func Run(t *testing.T, pattern string, f func(*testing.T, *Case) string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files are called %s (%v)", pattern, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), func(t *testing.T) { file(t, name, f) })
	}
}

// file runs the cases of one file.
func file(t *testing.T, name string, f func(*testing.T, *Case) string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	c := &Case{}
	cases := 0
	for i := range archive.Files {
		in := &archive.Files[i]
		if in.Name != output {
			c.Files = append(c.Files, *in)
			continue
		}
		if len(c.Files) == 0 {
			t.Fatalf("%s: %q stands behind nothing that goes in", name, output)
		}
		cases++
		t.Run(c.Name(), func(t *testing.T) {
			got := f(t, c)
			if *update {
				in.Data = []byte(spaced(got, i < len(archive.Files)-1))
			} else if want := string(in.Data); lines(got) != lines(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
		})
		c = &Case{}
	}
	if cases == 0 || len(c.Files) > 0 {
		t.Fatalf("%s: a case ends with a line `-- %s --`", name, output)
	}
	if *update {
		write(t, name, txtar.Format(archive))
	}
}

// spaced is what comes out with an empty line before the next case.
func spaced(got string, more bool) string {
	if got = lines(got); got == "" {
		return ""
	}
	if got += "\n"; more {
		got += "\n"
	}
	return got
}

// lines is a text without what white space at its end makes of it.
func lines(s string) string { return strings.TrimRight(s, "\n") }

// File compares a text with a whole file, or writes it there.
func File(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		write(t, name, []byte(got))
		return
	}
	want, err := os.ReadFile(name)
	if err != nil || string(want) != got {
		t.Errorf("%s is not what comes out (%v); write it with -update, and read the difference", name, err)
	}
}

// write writes a file that differs.
func write(t *testing.T, name string, text []byte) {
	t.Helper()
	before, err := os.ReadFile(name)
	if err == nil && bytes.Equal(before, text) {
		return
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
