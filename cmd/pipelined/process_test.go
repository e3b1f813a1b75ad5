package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the real one when it is told to.
func TestMain(m *testing.M) {
	if os.Getenv("PIPELINED_TEST_AS_COMMAND") == "1" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// command returns the program as a process that has not started.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), "PIPELINED_TEST_AS_COMMAND=1")
	return c
}

// output runs the program to its end.
func output(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := command(t, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// process is a running project.
type process struct {
	t    *testing.T
	dir  string
	addr string
	env  []string
	cmd  *exec.Cmd
	log  *syncBuffer
	args []string // more of run
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// project copies an example, so that its data is the test's own.
func project(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "pipelines", name))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".pipelined")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// launch runs the project in dir on a port of its own.
func launch(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, addr: freeAddress(t), log: &syncBuffer{}}
	p.env = append([]string{"WORLD_URL=http://" + p.addr, "CRM_URL=http://" + p.addr}, env...)
	t.Cleanup(func() { p.kill() })
	p.start()
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = command(p.t, append([]string{"run", p.dir, "--listen", p.addr, "--admin", "127.0.0.1:0"}, p.args...)...)
	p.cmd.Env = append(p.cmd.Env, p.env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.eventually("the project listens", 20*time.Second, func() bool {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // killed: the error is the point
		p.cmd = nil
	}
}

// stop ends the process in good order and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	p.signal()
	return p.wait()
}

// signal asks the process to end.
func (p *process) signal() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// wait returns the exit code of a process that ends.
func (p *process) wait() int {
	_ = p.cmd.Wait() // the exit code is what counts
	code := p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code
}

// eventually waits until f holds. It polls: the other side is another process.
func (p *process) eventually(what string, limit time.Duration, f func() bool) {
	p.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if f() {
			return
		}
		wait(20 * time.Millisecond)
	}
	p.t.Fatalf("not within %s: %s\n%s", limit, what, tail(p.log.String()))
}

// wait lets another process get on.
func wait(d time.Duration) { <-time.After(d) }

func tail(s string) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// get asks the project and decodes the answer.
func (p *process) get(path string, v any) (status int, err error) {
	resp, err := http.Get("http://" + p.addr + path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if v == nil {
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return resp.StatusCode, fmt.Errorf("%s: %w", body, err)
	}
	return resp.StatusCode, nil
}

func (p *process) post(path, contentType, body string) (status int, header http.Header, answer string) {
	p.t.Helper()
	resp, err := http.Post("http://"+p.addr+path, contentType, strings.NewReader(body))
	if err != nil {
		p.t.Fatalf("%v\n%s", err, tail(p.log.String()))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// objects returns the documents of a collection, asked for as a user would.
func (p *process) objects(collection string, more ...string) []map[string]any {
	p.t.Helper()
	out, errs, code := output(p.t, append([]string{"objects", "find", collection, p.dir, "--json", "--limit", "10000"}, more...)...)
	if code != 0 {
		p.t.Fatalf("objects find: exit %d: %s", code, errs)
	}
	var found struct{ Documents []map[string]any }
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		p.t.Fatal(err)
	}
	return found.Documents
}

// adminGet asks the admin listener, which the summary names.
func (p *process) adminGet(path string) (status int, body string) {
	p.t.Helper()
	_, after, _ := strings.Cut(p.log.String(), "admin   http://")
	address, _, _ := strings.Cut(after, "\n")
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, tail(p.log.String()))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
