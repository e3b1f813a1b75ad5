package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const intake = `pipeline: intake
trigger: { http: { method: POST, path: /in } }
steps:
  - object_store.insert: { collection: things, id: "${{ input.id }}", document: "${{ input }}" }
  - publish: { event: thing.taken }
  - respond: { status: 201, body: "${{ input.id }}" }
`

const follow = `pipeline: follow
trigger: { event: { types: [thing.taken] } }
steps:
  - object_store.insert: { collection: followed, id: "${{ input.id }}", document: {} }
`

func small(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"intake.yaml": intake, "follow.yaml": follow, "pipelined.yaml": "project: small\n" + more} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestDiskFull fills the disk under a running project and makes room again: what
// was answered is kept, the rest is refused with a reason, and it goes on by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "none", disk).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted here, which takes root: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	p := launch(t, small(t, "store: { path: "+disk+"/data.db }\n"))
	put := func(n int) (int, string) {
		code, _, body := p.post("/in", "application/json", fmt.Sprintf(`{"id":"t%d","pad":%q}`, n, strings.Repeat("x", 20_000)))
		return code, body
	}
	n, taken := 0, 0
	for ; n < 2000; n++ {
		code, body := put(n)
		if code == http.StatusServiceUnavailable {
			if !strings.Contains(body, "Nothing can be stored now") {
				t.Errorf("the refusal says %s", body)
			}
			break
		}
		if code != http.StatusCreated {
			t.Fatalf("%d %s", code, body)
		}
		taken++
	}
	if n == 2000 {
		t.Fatal("the disk is never full")
	}
	p.eventually("a log line that says why", 5*time.Second, func() bool {
		return strings.Contains(p.log.String(), "there is no room on the disk for "+disk+"/data.db")
	})
	if code, _ := p.adminGet("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("readyz says %d", code)
	}
	if code, _ := p.adminGet("/healthz"); code != http.StatusOK {
		t.Errorf("healthz says %d: a restart would not help", code)
	}
	if out, err := exec.Command("mount", "-o", "remount,size=64m", disk).CombinedOutput(); err != nil {
		t.Fatalf("make room: %v %s", err, out)
	}
	p.eventually("that it goes on", 10*time.Second, func() bool { code, _ := p.adminGet("/readyz"); return code == http.StatusOK })
	for range 20 {
		n++
		if code, body := put(n); code != http.StatusCreated {
			t.Errorf("with room again: %d %s", code, body)
		} else {
			taken++
		}
	}
	p.eventually("that everything is followed", 20*time.Second, func() bool { return len(p.objects("followed")) == taken })
	if got := len(p.objects("things")); got != taken {
		t.Errorf("%d things are stored, %d were answered", got, taken)
	}
}

// TestReadOnlyFolder starts a project that cannot keep anything.
func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m,ro", "none", disk).CombinedOutput(); err != nil {
		t.Skipf("a disk cannot be mounted here, which takes root: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	_, stderr, code := output(t, "run", small(t, "store: { path: "+disk+"/data.db }\n"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if code != 3 || !strings.Contains(stderr, disk+"/data.db") || !strings.Contains(stderr, "read-only") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestDamagedStore starts a project whose file was overwritten in the middle.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	dir := small(t, "")
	p := launch(t, dir)
	for n := range 200 {
		if code, _, body := p.post("/in", "application/json", fmt.Sprintf(`{"id":"t%d","pad":%q}`, n, strings.Repeat("x", 5000))); code != 201 {
			t.Fatalf("%d %s", code, body)
		}
	}
	p.stop()
	path := filepath.Join(dir, ".pipelined", "data.db")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(text); i += 4096 { // every page but the first begins with noise
		copy(text[i:], "\x7fnot a page at all")
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := output(t, "run", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if code != 3 || !strings.Contains(stderr, path) || !strings.Contains(stderr, "damaged") || !strings.Contains(stderr, "backup") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if after, _ := os.ReadFile(path); string(after) != string(text) {
		t.Error("the damaged file was changed")
	}
}
