// Command make writes the stores that stand beside it, with the binary of the
// version they are of:
//
//	git checkout 6d26092
//	go build -o /tmp/pipelined ./cmd/pipelined
//	git checkout -
//	go run ./cmd/pipelined/testdata/stores/make /tmp/pipelined ./cmd/pipelined/testdata/stores [NAME...]
//	go test ./cmd/pipelined -run TestStoresHold -update
//
// A store is what a user of that version has on the disk, so a later version never
// writes one of them anew: what it cannot open and finish is its own fault. A version
// that changes what a store looks like adds folders of its own.
//
// A store is made of the project in its folder, with two changes that have it stop in
// the middle of its work: globals.hold, which some of its steps wait for, is an hour,
// and a schedule that hardly ever comes is every second.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver called sqlite
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: make BINARY FOLDER [NAME...]")
		os.Exit(2)
	}
	for _, name := range slices.Sorted(maps.Keys(recipes())) {
		if len(os.Args) > 3 && !slices.Contains(os.Args[3:], name) {
			continue
		}
		if err := build(os.Args[1], filepath.Join(os.Args[2], name), recipes()[name]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

// build follows one recipe and keeps the store it leaves.
func build(binary, folder string, recipe func(*project) error) error {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &project{binary: binary, folder: folder, dir: dir}
	defer func() {
		if p.cmd != nil {
			_ = p.kill() // the recipe broke off
		}
	}()
	if err := recipe(p); err != nil {
		return fmt.Errorf("%w\n%s", err, p.log.String())
	}
	return p.keep()
}

// project is a copy of a project that runs and is stopped again and again.
type project struct {
	binary, folder, dir string
	only                []string // the files it has now; nil: all
	address             string
	cmd                 *exec.Cmd
	log                 bytes.Buffer
}

func (p *project) all(steps ...func() error) error {
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// begin starts the project.
func (p *project) begin() (err error) {
	if err := p.write(); err != nil {
		return err
	}
	if p.address, err = freeAddress(); err != nil {
		return err
	}
	p.cmd = exec.Command(p.binary, "run", p.dir, "--listen", p.address, "--admin", "127.0.0.1:0", "--drain", "300ms")
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	return wait("the project listens", func() (bool, error) {
		c, err := net.Dial("tcp", p.address)
		if err == nil {
			c.Close()
		}
		return err == nil, nil
	})
}

// write writes the project as its folder has it, but for the two changes.
func (p *project) write() error {
	files, err := filepath.Glob(filepath.Join(p.folder, "*.yaml"))
	if err != nil {
		return err
	}
	changes := strings.NewReplacer("hold: 0s", "hold: 1h", "schedule: 0 0 29 2 *,", `schedule: "@every 1s",`)
	for _, file := range files {
		if p.only != nil && !slices.Contains(p.only, filepath.Base(file)) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(p.dir, filepath.Base(file)), []byte(changes.Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// wait waits until f holds.
func wait(what string, f func() (bool, error)) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok, err := f(); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("not within 30 s: %s", what)
}

// post sends a request; key, if not empty, is its idempotency key.
func (p *project) post(path, body, key string) func() error {
	return func() error {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+p.address+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode >= 300 && path != "/quotes" {
			err = fmt.Errorf("POST %s: %s: %s", path, resp.Status, text)
		}
		return err
	}
}

func (p *project) publish(typ, id, data string, more ...string) func() error {
	args := append([]string{"events", "publish", typ, p.dir, "--data", data}, more...)
	if id != "" {
		args = append(args, "--id", id)
	}
	return p.command(args...)
}

func (p *project) command(args ...string) func() error {
	return func() error {
		out, err := exec.Command(p.binary, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
		return nil
	}
}

// until waits until a query of the running store gives a number.
func (p *project) until(query string, want int64) func() error {
	return func() error {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(p.dir, "data.db")+"?mode=ro&_pragma=busy_timeout(5000)")
		if err != nil {
			return err
		}
		defer db.Close()
		return wait(fmt.Sprintf("%s: %d", query, want), func() (bool, error) {
			var n int64
			err := db.QueryRow(query).Scan(&n)
			if errors.Is(err, sql.ErrNoRows) {
				err = nil
			}
			return n == want, err
		})
	}
}

// kill ends the process as a power cut would.
func (p *project) kill() error { return p.end(syscall.SIGKILL) }

// stop ends it in good order; what waits for globals.hold is cut off.
func (p *project) stop() error { return p.end(syscall.SIGTERM) }

func (p *project) end(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return err
	}
	_ = p.cmd.Wait() // killed: the error is the point
	p.cmd = nil
	return nil
}

// fold has the binary open the store of the stopped project and close it again, which
// moves the log into the file and changes nothing else.
func (p *project) fold() error { return p.command("objects", "find", "dead_letters", p.dir)() }

// keep puts the store, and its log if it has one, in the place of what was there.
func (p *project) keep() error {
	for _, name := range []string{"data.db", "data.db-wal"} {
		text, err := os.ReadFile(filepath.Join(p.dir, name))
		to := filepath.Join(p.folder, name)
		switch {
		case errors.Is(err, os.ErrNotExist), err == nil && len(text) == 0:
			if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
