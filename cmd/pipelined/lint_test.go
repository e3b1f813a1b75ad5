package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLintMends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.yaml":         "pipeline: a # kept\ntrigger: { http: { methd: GET, path: /a } }\nsteps:\n  - when: ${{ inpt.a == 1 }}\n    stop: true\n  - respond: { body: \"${{ uper(input.a) }}\" }\n",
		"pipelined.yaml": "projct: b\r\nhistory: erors\r\n",
		"data.txt":       "methd",
	})
	out, errs, code := output(t, "lint", dir, "--fix")
	if code != 0 || !strings.Contains(out, "nothing to report") || strings.Count(errs, "mended ") != 6 || !strings.Contains(errs, "mended a.yaml:2:20  E201  there is no key methd here") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	for name, want := range map[string]string{
		"a.yaml":         "pipeline: a # kept\ntrigger: { http: { method: GET, path: /a } }\nsteps:\n  - when: input.a == 1\n    stop: true\n  - respond: { body: \"${{ upper(input.a) }}\" }\n",
		"pipelined.yaml": "project: b\r\nhistory: errors\r\n",
		"data.txt":       "methd",
	} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		info, serr := os.Stat(path)
		if err != nil || serr != nil || string(text) != want || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %q, %v %v", name, text, err, serr)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.fixed")); len(left) > 0 {
		t.Error(left)
	}
	if _, errs, code := output(t, "lint", dir, "--fix"); code != 0 || strings.Contains(errs, "mended") {
		t.Errorf("a second time: exit %d: %s", code, errs)
	}
}

func TestLintMendsNothingOutsideTheProject(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	const text = "pipeline: a\ntrigger: { http: { methd: GET, path: /a } }\nsteps: [ { stop: true } ]\n"
	write(t, outside, map[string]string{"real.yaml": text})
	write(t, dir, map[string]string{"shared.yml.txt": text})
	if err := os.Symlink("shared.yml.txt", filepath.Join(dir, "a.yaml")); err != nil {
		t.Skip(err)
	}
	if _, errs, code := output(t, "lint", dir, "--fix"); code == 0 || !strings.Contains(errs, "is a link") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "shared.yml.txt")); string(got) != text {
		t.Errorf("%s", got)
	}
}

func TestStrictLintFailsOnWarnings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": "pipeline: a\ntrigger: { event: { types: [nobody.publishes] } }\nsteps: [ { stop: true } ]\n"})
	for _, tt := range []struct {
		args []string
		code int
	}{{[]string{"lint", dir}, 0}, {[]string{"lint", dir, "--strict"}, 1}, {[]string{"lint", dir, "--strict", "--json"}, 1}, {[]string{"lint", "../../pipelines/quickstart", "--strict"}, 0}} {
		if out, errs, code := output(t, tt.args...); code != tt.code {
			t.Errorf("%v: exit %d: %s%s", tt.args, code, out, errs)
		}
	}
}

// TestLintMendsKeepsWhatIsNotItsOwn: a file beside, of the name it would write first, and
// the permissions of the mended one, whatever the umask is.
func TestLintMendsKeepsWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const text = "pipeline: a\ntrigger: { http: { methd: GET, path: /a } }\nsteps: [ { stop: true } ]\n"
	write(t, dir, map[string]string{"a.yaml": text, "a.yaml.fixed": "mine"})
	path := filepath.Join(dir, "a.yaml")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := output(t, "lint", dir, "--fix"); code == 0 || !strings.Contains(errs, "a.yaml.fixed") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if got, _ := os.ReadFile(path + ".fixed"); string(got) != "mine" {
		t.Errorf("the file beside is %q", got)
	}
	if err := os.Remove(path + ".fixed"); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := output(t, "lint", dir, "--fix"); code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
