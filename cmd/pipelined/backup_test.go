package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	p := launch(t, small(t, ""))
	take := func(id string) {
		t.Helper()
		if code, _, body := p.post("/in", "application/json", `{"id":"`+id+`"}`); code != 201 {
			t.Fatalf("%d %s", code, body)
		}
	}
	followed := func(n int) func() bool { return func() bool { return len(p.objects("followed")) == n } }
	take("a")
	p.eventually("a is followed", 10*time.Second, followed(1))
	file := filepath.Join(t.TempDir(), "backup.db")
	command := func(wantCode int, says string, args ...string) {
		t.Helper()
		out, errs, code := output(t, args...)
		if code != wantCode || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
	command(0, "copied", "backup", file, p.dir)
	command(2, "is there already", "backup", file, p.dir)
	take("b")
	p.eventually("b is followed", 10*time.Second, followed(2))
	command(3, "in use by another process", "restore", file, p.dir)
	p.stop()
	command(2, "no data yet", "backup", file+"2", small(t, ""))
	command(0, "put aside", "restore", file, p.dir)
	p.start()
	p.eventually("only a is there", 10*time.Second, followed(1))
	take("b")
	p.eventually("b is followed again", 10*time.Second, followed(2))
}
