package golden_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pipelined/internal/golden"
)

// inner names the golden files of TestInner, which only runs in a process of its own:
// what is tested is also how it fails.
const inner = "GOLDEN_TEST_FILES"

func TestInner(t *testing.T) {
	pattern := os.Getenv(inner)
	if pattern == "" {
		t.Skip("run by TestRun")
	}
	golden.Run(t, pattern, func(_ *testing.T, c *golden.Case) string {
		var b strings.Builder
		for _, f := range c.Files {
			b.WriteString(f.Name + ": " + strings.ToUpper(string(f.Data)))
		}
		return b.String()
	})
}

func TestRun(t *testing.T) {
	t.Parallel()
	const right = "-- one --\na\n-- findings --\none: A\n\n-- two --\nb\n-- three --\nc\n-- findings --\ntwo: B\nthree: C\n"
	tests := map[string]struct {
		text    string
		says    string // empty: it passes
		updated string // what -update makes of it; empty: it fails all the same
	}{
		"right":                   {right, "", right},
		"white space at the end":  {strings.Replace(right, "A\n\n", "A\n\n\n", 1), "", right},
		"another output":          {strings.Replace(right, "A", "Z", 1), "one: A", right},
		"no output yet":           {"-- one --\na\n-- findings --\n", "want", "-- one --\na\n-- findings --\none: A\n"},
		"the second case differs": {strings.Replace(right, "C\n", "D\n", 1), "--- FAIL: TestInner/file/two", right},
		"a case without an end":   {right + "-- four --\nd\n", "a case ends with a line", ""},
		"no case":                 {"only words\n", "a case ends with a line", ""},
		"nothing goes in":         {"-- findings --\n", "behind nothing", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "file.txt")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, ok := run(t, file); ok != (tt.says == "") || !strings.Contains(out, tt.says) {
				t.Errorf("passed %v, want it to say %q:\n%s", ok, tt.says, out)
			}
			out, ok := run(t, file, "-update")
			if ok != (tt.updated != "") {
				t.Fatalf("-update passed: %v\n%s", ok, out)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := tt.updated; want == "" && string(text) != tt.text || want != "" && string(text) != want {
				t.Errorf("-update made of it:\n%s", text)
			}
		})
	}
	if out, ok := run(t, filepath.Join(t.TempDir(), "*.txt")); ok || !strings.Contains(out, "no golden files") {
		t.Errorf("a pattern that names nothing passed %v:\n%s", ok, out)
	}
}

// run runs TestInner and tells whether it passed.
func run(t *testing.T, pattern string, args ...string) (string, bool) {
	t.Helper()
	c := exec.Command(os.Args[0], append([]string{"-test.run=^TestInner$", "-test.v"}, args...)...)
	c.Env = append(os.Environ(), inner+"="+pattern)
	out, err := c.CombinedOutput()
	return string(out), err == nil
}

func TestFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(file, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	golden.File(t, file, "a\n")
}
