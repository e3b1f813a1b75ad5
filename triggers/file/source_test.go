package file_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pipelined/engine/source/sourcetest"
	"pipelined/triggers/file"
)

// put writes a file below dir whose age tells its number.
func put(t *testing.T, dir, name, text string, n int) {
	t.Helper()
	at := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2026, 3, 8, 9, 0, n, 0, time.UTC)
	if err := os.Chtimes(at, when, when); err != nil {
		t.Fatal(err)
	}
}

func quote(s string) string {
	out, _ := json.Marshal(s)
	return string(out)
}

// kinds are every format with every each: what is in the n-th file, and what comes of it.
var kinds = []struct {
	name, yaml string
	file       func(n int) (text string, inputs []string)
	broken     string // content that is none; empty: there is no such thing
}{
	{"no format", "", func(n int) (string, []string) {
		return "xx", []string{fmt.Sprintf(`{"modified":"2026-03-08T09:00:%02dZ","name":"%d.in","path":"in/%d.in","size":2}`, n, n, n)}
	}, ""},
	{"text", ", format: text", func(n int) (string, []string) {
		text := fmt.Sprintf("\ufeffline %d\nä\n", n)
		return text, []string{quote(text[3:])}
	}, "a\xffb"},
	{"json", ", format: json", func(n int) (string, []string) {
		return fmt.Sprintf(" {\"n\": %d} \n", n), []string{fmt.Sprintf(`{"n":%d}`, n)}
	}, "{"},
	{"csv", ", format: csv", func(n int) (string, []string) {
		return fmt.Sprintf("a,b\n%d,x\n\n2,\"y\nz\"\n", n), []string{fmt.Sprintf(`[{"a":"%d","b":"x"},{"a":"2","b":"y\nz"}]`, n)}
	}, "a,b\n1\n"},
	{"rows of text", ", format: text, each: rows", func(n int) (string, []string) {
		return fmt.Sprintf("\ufeff%d a\r\n\n%d b", n, n), []string{fmt.Sprintf(`"%d a"`, n), `""`, fmt.Sprintf(`"%d b"`, n)}
	}, "\xff\n"},
	{"JSON lines", ", format: json, each: rows", func(n int) (string, []string) {
		return fmt.Sprintf("{\"n\":%d}\n\n %d\n[1]\n", n, n), []string{fmt.Sprintf(`{"n":%d}`, n), fmt.Sprint(n), `[1]`}
	}, "{\n"},
	{"a list of JSON", ", format: json, each: rows", func(n int) (string, []string) {
		return fmt.Sprintf("\n[ {\"n\":%d} , [2,3],\n\"x\" ]\n", n), []string{fmt.Sprintf(`{"n":%d}`, n), `[2,3]`, `"x"`}
	}, "[,"},
	{"rows of CSV", ", format: csv, each: rows, csv: { types: { n: integer } }", func(n int) (string, []string) {
		return fmt.Sprintf("n,s\n%d,\"a\nb\"\n%d,c\n", n, n), []string{fmt.Sprintf(`{"n":%d,"s":"a\nb"}`, n), fmt.Sprintf(`{"n":%d,"s":"c"}`, n)}
	}, "n,s\nx,y\n"},
	{"rows of CSV without a header", ", format: csv, each: rows, csv: { header: false, delimiter: ';' }", func(n int) (string, []string) {
		return fmt.Sprintf("\ufeff%d;a\n%d;b\n", n, n), []string{fmt.Sprintf(`["%d","a"]`, n), fmt.Sprintf(`["%d","b"]`, n)}
	}, "1;\"\n"},
}

// TestEveryKindIsASource passes every format, with every each and every after, through
// what all sources pass.
func TestEveryKindIsASource(t *testing.T) {
	t.Parallel()
	afters := []string{"mark", "delete", "move, to: done, failed: failed"}
	for i, k := range kinds {
		for j, after := range afters {
			if testing.Short() && i%len(afters) != j {
				continue
			}
			t.Run(k.name+", "+after, func(t *testing.T) {
				t.Parallel()
				c := sourcetest.Case{
					Trigger: file.Trigger, YAML: "path: in/*.in, every: 5s, after: " + after + k.yaml, Beat: 5 * time.Second,
					Put: func(t *testing.T, dir string, n int) []string {
						text, inputs := k.file(n)
						put(t, dir, fmt.Sprintf("in/%d.in", n), text, n)
						return inputs
					},
					Prepare: func(t *testing.T, dir string) { mkdir(t, dir, "in") },
					Check:   func(t *testing.T, dir string) { finished(t, dir, after) },
				}
				if k.broken != "" {
					c.Break = func(t *testing.T, dir string) { put(t, dir, "in/broken.in", k.broken, 59) }
				}
				sourcetest.Run(t, c)
			})
		}
	}
}

func mkdir(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// finished holds the folders to what after says of files that went well.
func finished(t *testing.T, dir, after string) {
	t.Helper()
	in, done := len(names(t, dir, "in")), len(names(t, dir, "done"))
	switch {
	case after == "mark" && in == 0, after == "delete" && in+done > 0, after[:4] == "move" && (in > 0 || done == 0):
		t.Errorf("with after: %s there are %d in, %d done", after, in, done)
	}
}

// names lists a folder; one that is not there is empty.
func names(t *testing.T, dir, folder string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
