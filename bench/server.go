package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a measured process.
type server struct {
	cmd   *exec.Cmd
	began time.Time // when the process was started
	addr  string
	admin string // of pipelined; empty for baselines
	log   bytes.Buffer
	dir   string              // its own, removed when it stops; empty if others use it too
	sunk  func() (int, error) // how many events the last pipeline has committed for
}

// startBaseline runs one of the baselines of this binary.
func startBaseline(role, dir string, env ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(self), addr: addr}
	s.sunk = func() (int, error) { return scrape("http://"+addr+"/sunk", "sunk") }
	s.cmd.Env = append(append(os.Environ(), "BENCH_ROLE="+role, "BENCH_ADDR="+addr, "BENCH_DIR="+dir), env...)
	return s, s.start()
}

// startPipelined runs a project of bench/ in a folder of its own, which goes when the
// server stops: rounds of a million documents would fill a disk.
func startPipelined(b settings, project string, env ...string) (*server, error) {
	return startWith(b, 0, project, env...)
}

// copyProject makes a folder with the files of one or more folders of bench/.
func copyProject(b settings, folders ...string) (dir string, err error) {
	if dir, err = os.MkdirTemp(b.dir, folders[0]); err != nil {
		return "", err
	}
	for _, f := range folders {
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("bench", f))); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// runProject starts pipelined on a folder.
func runProject(b settings, dir string, env []string, more ...string) (*server, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"run", dir, "--listen", addr, "--admin", admin, "--log-level", "warn"}
	args = append(args, more...)
	if b.profile != "" {
		args = append(args, "--profiles")
	}
	s := &server{cmd: exec.Command(b.binary, args...), addr: addr, admin: admin}
	s.cmd.Env = append(os.Environ(), env...)
	s.sunk = func() (int, error) {
		return scrape("http://"+admin+"/metrics", `pipelined_events_published_total{event="order.priced"}`)
	}
	return s, s.start()
}

// runOwn is runProject on a folder that goes when the server stops.
func runOwn(b settings, dir string, env ...string) (*server, error) {
	s, err := runProject(b, dir, env)
	if err != nil {
		return nil, err
	}
	s.dir = dir
	return s, nil
}

func (s *server) start() error {
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.began = time.Now()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	last := cmp.Or(s.admin, s.addr) // pipelined opens the admin listener last
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if c, err := net.Dial("tcp", last); err == nil {
			return c.Close()
		}
	}
	s.stop()
	return fmt.Errorf("the server does not listen on %s:\n%s", last, s.log.String())
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait() // a measured process that ends badly has been measured all the same
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // or with everything, when the run ends
	}
}

// cpu is the processor time the process has used.
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("unexpected /proc/PID/stat: %s", text)
	}
	return time.Duration(user+system) * time.Second / 100, nil
}

// memory is the resident set, in MB.
func (s *server) memory() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// scrape reads one figure from a page of `name value` lines; 0 if it is not there.
func scrape(url, name string) (int, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(v, 64)
			return int(n), err
		}
	}
	return 0, nil
}
