package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// gate is a service that answers when it is opened.
func gate(t *testing.T) (url string, asked *atomic.Int64, open func()) {
	asked = &atomic.Int64{}
	ch := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-ch
		w.WriteHeader(http.StatusNoContent)
	}))
	opened := false
	open = func() {
		if !opened {
			opened = true
			close(ch)
		}
	}
	t.Cleanup(func() { open(); s.Close() })
	return s.URL, asked, open
}

func slowProject(t *testing.T, url string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"work.yaml": `pipeline: work
trigger: { event: { types: [job.new], concurrency: 4 } }
steps:
  - rest: { url: "` + url + `", timeout: 1h }
  - object_store.insert: { collection: done, id: "${{ event.id }}", document: {} }
`,
		"ask.yaml": `pipeline: ask
trigger: { http: { method: POST, path: /ask } }
steps:
  - rest: { url: "` + url + `", timeout: 1h }
  - object_store.insert: { collection: asked, id: "${{ input.id }}", document: {} }
  - respond: { status: 201, body: done }
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// begin has six jobs wait, four of them at the gate, and one caller.
func begin(t *testing.T, p *process, asked *atomic.Int64) (answered chan int) {
	t.Helper()
	for range 6 {
		if _, errs, code := output(t, "events", "publish", "job.new", p.dir); code != 0 {
			t.Fatal(errs)
		}
	}
	answered = make(chan int, 1)
	go func() {
		resp, err := http.Post("http://"+p.addr+"/ask", "application/json", strings.NewReader(`{"id":"a"}`))
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	p.eventually("four jobs and a caller wait", 10*time.Second, func() bool { return asked.Load() == 5 })
	return answered
}

// TestDrain stops a project in the middle of its work: what runs ends and is
// answered, nothing new begins.
func TestDrain(t *testing.T) {
	t.Parallel()
	url, asked, open := gate(t)
	p := launch(t, slowProject(t, url))
	answered := begin(t, p, asked)
	p.signal()
	// A request that comes before the signal is noticed is still taken, and would wait.
	p.eventually("that it is not ready", 5*time.Second, func() bool {
		code, _ := p.adminGet("/readyz")
		return code == http.StatusServiceUnavailable
	})
	resp, err := http.Post("http://"+p.addr+"/ask", "application/json", strings.NewReader(`{"id":"b"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a request after the signal: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	open()
	if code := <-answered; code != http.StatusCreated {
		t.Errorf("the caller got %d", code)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d\n%s", code, tail(p.log.String()))
	}
	if n := len(p.objects("done")); n != 4 {
		t.Errorf("%d of the 4 jobs that ran are done", n)
	}
	p.start()
	p.eventually("the rest", 10*time.Second, func() bool { return len(p.objects("done")) == 6 })
	if asked.Load() != 7 {
		t.Errorf("asked %d times for 6 jobs and a caller", asked.Load())
	}
}

// TestTheDrainLimit ends a drain that takes too long: what was cut off comes again.
func TestTheDrainLimit(t *testing.T) {
	t.Parallel()
	url, asked, open := gate(t)
	p := launch(t, slowProject(t, url))
	p.kill()
	p.args = []string{"--drain", "300ms"}
	p.start()
	answered := begin(t, p, asked)
	begun := time.Now()
	if code := p.stop(); code != 0 {
		t.Errorf("exit %d\n%s", code, tail(p.log.String()))
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if code := <-answered; code != http.StatusServiceUnavailable && code != 0 {
		t.Errorf("the caller got %d", code)
	}
	if n := len(p.objects("done")) + len(p.objects("asked")); n != 0 {
		t.Errorf("%d effects of work that was cut off", n)
	}
	open()
	p.start()
	p.eventually("all jobs", 10*time.Second, func() bool { return len(p.objects("done")) == 6 })
}

// TestASecondSignal ends a drain at once, and loses nothing.
func TestASecondSignal(t *testing.T) {
	t.Parallel()
	url, asked, open := gate(t)
	p := launch(t, slowProject(t, url))
	begin(t, p, asked)
	p.signal()
	p.eventually("the first signal is noticed", 5*time.Second, func() bool { return strings.Contains(p.log.String(), "once more to exit at once") })
	begun := time.Now()
	if code := p.stop(); code != 130 && code != 143 {
		t.Errorf("exit %d\n%s", code, tail(p.log.String()))
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	open()
	p.start()
	p.eventually("all jobs", 15*time.Second, func() bool { return len(p.objects("done")) == 6 })
	if n := len(p.objects("dead_letters")); n != 0 {
		t.Errorf("%d dead letters: %s", n, fmt.Sprint(p.objects("dead_letters")))
	}
}
