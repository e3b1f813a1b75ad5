package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Build compiles the binary with its fault points into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "pipelined")
	out, err := exec.CommandContext(ctx, "go", "build", "-tags", "faults", "-o", path, "pipelined/cmd/pipelined").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return path, nil
}

// process is the project as a process, again and again.
type process struct {
	binary, dir string
	address     string
	admin       string
	cmd         *exec.Cmd
	ended       chan struct{} // of cmd
	log         *tail
}

// tail keeps the end of what a process prints.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const tailSize = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text.Len() > 2*tailSize {
		t.text.Next(t.text.Len() - tailSize)
	}
	return t.text.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func newProcess(binary, dir string) (*process, error) {
	p := &process{binary: binary, dir: dir, log: &tail{}}
	var err1, err2 error
	p.address, err1 = freeAddress()
	p.admin, err2 = freeAddress()
	return p, errors.Join(err1, err2)
}

// start starts the process; fault, if not empty, is where it will kill itself.
func (p *process) start(fault string) error {
	p.cmd = exec.Command(p.binary, "run", p.dir, "--watch", "--listen", p.address, "--admin", p.admin, "--drain", "10s", "--log-level", "warn")
	p.cmd.Env = append(os.Environ(), "PIPELINED_FAULT="+fault)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start the process: %w", err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // killed: how it ended is asked for later
		close(ended)
	}(p.cmd, p.ended)
	return nil
}

// gone reports whether the process ended.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// ready waits until the process takes work, or has ended, as it may at a fault.
func (p *process) ready(limit time.Duration) error {
	client := &http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(limit); ; {
		select {
		case <-p.ended:
			return nil
		case <-time.After(5 * time.Millisecond):
		}
		resp, err := client.Get("http://" + p.admin + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the process is not ready after %s:\n%s", limit, p.log)
		}
	}
}

// kill ends the process as a power cut would and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// stop ends the process in good order.
func (p *process) stop(limit time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the process: %w", err)
	}
	select {
	case <-p.ended:
	case <-time.After(limit):
		return fmt.Errorf("the process does not stop within %s:\n%s", limit, p.log)
	}
	return nil
}
