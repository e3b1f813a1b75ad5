package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hangup sends SIGHUP.
func (p *process) hangup() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
}

// TestAHangupReloads: SIGHUP puts new files in use while what runs ends as it began, and
// kills nothing; nor does it while the project drains.
func TestAHangupReloads(t *testing.T) {
	t.Parallel()
	url, asked, open := gate(t)
	dir := slowProject(t, url)
	p := launch(t, dir)
	answered := begin(t, p, asked)
	edit := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("bye.yaml", "pipeline: bye\ntrigger: { http: { method: GET, path: /bye } }\nsteps: [ { respond: { body: bye } } ]\n")
	p.hangup()
	p.eventually("the new pipeline answers", 10*time.Second, func() bool { code, _ := p.get("/bye", nil); return code == 200 })
	edit("bye.yaml", "pipeline: bye\nstesp: []\n")
	p.hangup()
	p.eventually("what is wrong is told", 10*time.Second, func() bool { return strings.Contains(p.log.String(), "did you mean steps?") })
	if code, _ := p.get("/bye", nil); code != 200 {
		t.Errorf("a folder with errors changed what runs: %d", code)
	}
	p.signal()
	p.eventually("it drains", 5*time.Second, func() bool { code, _ := p.adminGet("/readyz"); return code == 503 })
	p.hangup()
	open()
	if code := <-answered; code != 201 {
		t.Errorf("the caller got %d", code)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d\n%s", code, tail(p.log.String()))
	}
	if err := os.Remove(filepath.Join(dir, "bye.yaml")); err != nil { // a project with errors cannot be looked at
		t.Fatal(err)
	}
	if n := len(p.objects("done")); n != 4 {
		t.Errorf("%d of the 4 jobs that ran are done", n)
	}
}
