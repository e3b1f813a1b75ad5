// Command make writes the stores that stand beside it, with the binary of the
// version they are of:
//
//	git checkout 6d26092
//	go build -o /tmp/pipelined ./cmd/pipelined
//	git checkout -
//	go run ./cmd/pipelined/testdata/stores/make.go /tmp/pipelined ./cmd/pipelined/testdata/stores [NAME...]
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

// recipes say what happens to each project until its store is kept.
var recipes = map[string]func(*project) error{
	"accepted": accepted,
	"retries":  retries,
	"flood":    flood,
	"errors":   failures,
	"ticks":    ticks,
	"crashes":  crashes,
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go run make.go BINARY FOLDER [NAME...]")
		os.Exit(2)
	}
	for _, name := range slices.Sorted(maps.Keys(recipes)) {
		if len(os.Args) > 3 && !slices.Contains(os.Args[3:], name) {
			continue
		}
		if err := build(os.Args[1], filepath.Join(os.Args[2], name), recipes[name]); err != nil {
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

// Requests that were accepted and have not run, some after others that have; answers
// kept for their keys. The store has a log beside it, as a kill leaves it.
func accepted(p *project) error {
	return p.all(
		p.begin,
		p.post("/take/fast?q=1", `{"id":"a-1","amount":1.50}`, ""),
		p.post("/take/fast?q=2", `{"id":"a-2","amount":12345678901234567890}`, "take-a-2"),
		p.post("/pay", `{"id":"p-1"}`, "pay-1"),
		p.post("/pay", `{"id":"p-2"}`, "pay-2"),
		p.post("/remark", `{"id":"r-1"}`, "remark-1"),
		p.post("/customers", `{"id":"c-1","email":"ada@example.com","name":"Ada"}`, ""),
		p.publish("note.new", "n-1", `{}`, "--key", "k", "--header", "from=hand"),
		p.until("select count(*) from documents where collection in ('taken', 'notes')", 3),
		p.stop,
		p.begin,
		p.post("/take/slow?q=3", `{"id":"b-1","hold":true}`, ""),
		p.post("/take/slow?q=4", `{"id":"b-2","hold":true}`, ""),
		p.post("/take/fast?q=5", `{"id":"b-3"}`, ""),
		p.post("/take/fast?q=6", `{"id":"b-4"}`, ""),
		p.until("select count(*) from documents where collection = 'taken'", 4),
		p.post("/take/slow?q=7", `{"id":"b-5","amount":0.10,"hold":true}`, "take-b-5"),
		p.publish("note.new", "n-2", `{"hold":true}`, "--key", "k", "--header", "from=hand"),
		p.kill,
	)
}

// Deliveries that wait for their next attempt, the order of keys with them; delayed
// events; the times of the newest events that skip_stale goes by.
func retries(p *project) error {
	return p.all(
		p.begin,
		p.publish("lane.step", "", `{"lane":"a","n":1,"until":2}`),
		p.publish("lane.step", "", `{"lane":"a","n":2,"until":1}`),
		p.publish("lane.step", "", `{"lane":"a","n":3,"until":1}`),
		p.publish("lane.step", "", `{"lane":"b","n":1,"until":1}`),
		p.publish("hop.step", "", `{"lane":"a","n":1,"until":2}`),
		p.publish("hop.step", "", `{"lane":"a","n":2,"until":1}`),
		p.publish("hop.step", "", `{"lane":"a","n":3,"until":1}`),
		p.publish("price.set", "", `{"price":1,"until":2}`, "--key", "a"),
		p.publish("price.set", "", `{"price":2,"until":1}`, "--key", "a"),
		p.publish("price.set", "", `{"price":3,"until":2}`, "--key", "b"),
		p.publish("price.set", "", `{"price":4,"until":1}`, "--key", "c"),
		p.publish("news.read", "old", `{}`),
		p.post("/alarms", `{"id":"r-1","delay":"1m"}`, ""),
		p.post("/alarms", `{"id":"r-2","delay":"2m"}`, ""),
		p.post("/alarms", `{"id":"never","delay":"36500d"}`, ""),
		p.publish("job.new", "third", `{"until":3}`),
		p.publish("job.new", "fourth", `{"until":4}`),
		p.publish("job.new", "vain", `{"until":9}`),
		p.publish("job.new", "first", `{"until":1}`),
		p.until("select count(*) from deferred where subscription = 'flaky' and attempt = 3", 3),
		p.publish("job.new", "second", `{"until":2}`),
		p.until("select count(*) from deferred where subscription = 'flaky'", 4),
		p.until("select count(*) from deferred", 9),
		p.until("select count(*) from documents where collection = 'prices'", 2),
		p.kill, p.fold,
	)
}

// More of one key, and of one tenant, than waits in memory: the rest is set aside.
func flood(p *project) error {
	return p.all(
		p.begin,
		p.post("/flood", `{"lane":"b","count":5}`, ""),
		p.until("select count(*) from documents", 1+5),
		p.post("/flood", `{"lane":"a","count":1060}`, ""),
		p.until("select count(distinct subscription) from parked", 2),
		p.kill, p.fold,
	)
}

// Error records in every state, and dead letters. It was stopped in good order.
func failures(p *project) error {
	return p.all(
		p.begin,
		p.publish("order.new", "second", `{"until":2,"amount":1.10}`),
		p.publish("order.new", "third", `{"until":3}`),
		p.publish("order.new", "vain", `{"until":9}`),
		p.publish("order.new", "under_way", `{"until":2,"hold":true}`),
		p.publish("order.new", "resolved", `{"until":2}`),
		p.publish("order.new", "discarded", `{"until":2}`),
		p.publish("order.new", "permanent", `{"until":2,"status":422}`),
		p.publish("order.new", "good", `{"until":1}`),
		p.publish("mail.new", "letter", `{"to":"ada"}`),
		p.publish("mail.new", "again", `{"to":"bob"}`),
		p.publish("bill.new", "told", `{}`),
		p.publish("bill.new", "untold", `{"hold":true}`),
		p.post("/hooks/push", `{"id":"h-1"}`, ""),
		p.post("/quotes", `{"id":"q-1"}`, ""),
		p.until("select count(*) from documents where collection = 'order_errors'", 7),
		p.until("select count(*) from documents where collection = 'dead_letters'", 6),
		p.command("errors", "redrive", "resolved", p.dir),
		p.command("errors", "redrive", "third", p.dir),
		p.command("errors", "redrive", "vain", p.dir),
		p.command("errors", "redrive", "under_way", p.dir),
		p.command("errors", "discard", "discarded", p.dir, "--reason", "not needed"),
		p.command("errors", "redrive", p.dir, "--where", `doc.event.id == "again"`),
		p.until("select count(*) from documents where collection = 'order_errors' and body like '%\"attempts\":2%'", 2),
		p.command("errors", "redrive", "vain", p.dir),
		p.until("select count(*) from documents where collection = 'order_errors' and body like '%\"attempts\":3%'", 1),
		p.until("select count(*) from documents where collection = 'order_errors' and body like '%\"status\":\"resolved\"%'", 1),
		p.post("/again", `{}`, ""),
		p.until("select count(*) from documents where collection in ('given_up', 'mails', 'incidents')", 3),
		p.stop,
	)
}

// A scheduled run that the process died in once, and one that it died in five times;
// loops that had committed some of their turns.
func ticks(p *project) error {
	died := func(times int64) []func() error {
		return []func() error{p.begin, p.until("select cast(value as integer) from meta where key like 'open/relic/%'", times), p.kill}
	}
	p.only = []string{"pipelined.yaml", "relic.yaml"}
	if err := p.all(slices.Concat(died(1), died(2), died(3), died(4))...); err != nil {
		return err
	}
	p.only = nil
	return p.all(
		p.begin,
		p.publish("list.new", "", `{"id":"one","entries":[1,2,3,4,5,6,7,8,9,10]}`),
		p.publish("list.new", "", `{"id":"two","entries":[1,2,3,4]}`),
		p.post("/uploads", `{"id":"up","entries":[1,2,3,4,5]}`, ""),
		p.until("select cast(value as integer) from meta where key like 'open/relic/%'", 5),
		p.until("select count(*) from meta where key like 'open/minutes/%' and (select count(*) from documents where collection = 'minutes') = 1", 1),
		p.until("select count(*) from documents where collection = 'swept'", 10),
		p.until("select count(*) from documents where collection = 'entries'", 10),
		p.kill, p.fold,
	)
}

// An event that ran alone three times, and the process died of it each time; another
// that was there, too.
func crashes(p *project) error {
	suspects := func(cond string) func() error {
		return p.until("select count(*) from meta where key = 'engine/suspects' and value like '"+cond+"'", 1)
	}
	return p.all(
		p.begin, p.publish("poison.new", "poison", `{}`), p.publish("water.new", "water", `{}`),
		p.until("select count(*) from events", 2), p.kill,
		p.begin, suspects(`%"crashes":1}%"crashes":1}%`), p.kill,
		p.begin, suspects(`%"alone":1}%`), p.kill,
		p.begin, suspects(`%"alone":2}%`), p.kill,
		p.begin, suspects(`%"alone":3}%`), p.kill, p.fold,
	)
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

// begin starts the project as its folder has it, but for the two changes.
func (p *project) begin() error {
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
		changed := changes.Replace(string(text))
		if err := os.WriteFile(filepath.Join(p.dir, filepath.Base(file)), []byte(changed), 0o600); err != nil {
			return err
		}
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
