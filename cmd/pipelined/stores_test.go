package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The stores under testdata/stores were written by earlier versions and stopped in the
// middle of their work. Every version opens them and brings what they hold to its end.
// The test looks at them only as a user can, so that nothing inside need stay as it is.

// keptStore is one of them, and how it ends.
type keptStore struct {
	name string
	// before changes the copy that is run; nil if nothing need be.
	before func(t *testing.T, db *sql.DB)
	ends   func(t *testing.T, held *sql.DB) []ending
	// then are things done when it has come to its end.
	then []afterwards
}

// afterwards is something a user does, and what comes of it.
type afterwards struct {
	does string
	do   func(t *testing.T, p *process, held *sql.DB)
	ends []ending
}

// ending is what a collection holds in the end: these documents and no others, by id,
// with at least these fields.
type ending struct {
	says       string
	collection string
	want       map[string]string
}

func TestStoresComeToTheirEnd(t *testing.T) {
	t.Parallel()
	stores := keptStores()
	for _, name := range storeNames(t) {
		if !slices.ContainsFunc(stores, func(s keptStore) bool { return s.name == name }) {
			t.Errorf("nothing is said about how the store %s ends", name)
		}
	}
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t)
		})
	}
}

func (s *keptStore) run(t *testing.T) {
	base := t.TempDir()
	dir, aside := filepath.Join(base, s.name), filepath.Join(base, "aside")
	copyStore(t, s.name, dir)
	copyStore(t, s.name, aside) // opening it as a database may change it
	held := openStore(t, aside)
	ends := s.ends(t, held)
	if s.before != nil {
		db := openStore(t, dir)
		s.before(t, db)
		db.Close()
	}
	p := launch(t, dir)
	reach(t, p, ends)
	for _, a := range s.then {
		a.do(t, p, held)
		for _, e := range a.ends {
			e.says = a.does + ": " + e.says
			ends = append(slices.DeleteFunc(ends, func(b ending) bool { return b.collection == e.collection }), e)
		}
		reach(t, p, ends)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("it stopped with exit code %d\n%s", code, tail(p.log.String()))
	}
	// What has come to its end does so once: the next start finds nothing left to do.
	reach(t, launch(t, dir), ends)
}

// endLimit is how long a store may take; it takes seconds.
const endLimit = time.Minute

// reach waits until everything holds and nothing is under way any more.
func reach(t *testing.T, p *process, ends []ending) {
	t.Helper()
	differs := func(e ending) bool { return len(e.differs(p)) > 0 }
	for end := time.Now().Add(endLimit); time.Now().Before(end); wait(50 * time.Millisecond) {
		if p.busy() == "" && !slices.ContainsFunc(ends, differs) {
			return
		}
	}
	var wrong []string
	if busy := p.busy(); busy != "" {
		wrong = append(wrong, "still at work: "+busy)
	}
	for _, e := range ends {
		wrong = append(wrong, e.differs(p)...)
	}
	t.Fatalf("not within %s:\n%s\n%s", endLimit, strings.Join(wrong[:min(len(wrong), 20)], "\n"), tail(p.log.String()))
}

// busy says what is under way, or nothing.
func (p *process) busy() string {
	var status struct {
		Subscriptions []map[string]any
	}
	if _, after, _ := strings.Cut(p.log.String(), "admin   http://"); !strings.Contains(after, "\n") {
		return "it starts"
	}
	_, body := p.adminGet("/api/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil || len(status.Subscriptions) == 0 {
		return fmt.Sprintf("%s %v", body, err)
	}
	for _, s := range status.Subscriptions {
		for _, what := range []string{"ready", "running", "waiting", "aside", "lag"} {
			if n, known := s[what]; !known || n != 0.0 {
				return fmt.Sprint(s)
			}
		}
	}
	return ""
}

// differs says what is not as it should be.
func (e *ending) differs(p *process) (out []string) {
	p.t.Helper()
	got := p.documents(e.collection)
	for _, id := range slices.Sorted(maps.Keys(e.want)) {
		var want map[string]any
		decode(p.t, e.want[id], &want)
		for field, v := range want {
			if !reflect.DeepEqual(got[id][field], v) {
				out = append(out, fmt.Sprintf("%s: %s %s: %s is %v, want %v", e.says, e.collection, id, field, got[id][field], v))
			}
		}
		delete(got, id)
	}
	for id, d := range got {
		out = append(out, fmt.Sprintf("%s: %s %s should not be there: %v", e.says, e.collection, id, d))
	}
	return out
}

// deadLetters have ids of their own; they are known by their pipeline and input.
const deadLetters = "dead_letters"

// documents returns those of a collection by id.
func (p *process) documents(collection string) map[string]map[string]any {
	p.t.Helper()
	out := map[string]map[string]any{}
	if collection == deadLetters {
		var found struct{ Records []map[string]any }
		decode(p.t, p.command("errors", "list", p.dir, "--collection", collection, "--json", "--limit", "10000"), &found)
		for _, r := range found.Records {
			record := r["record"].(map[string]any)
			input, err := json.Marshal(record["input"])
			if err != nil {
				p.t.Fatal(err)
			}
			r["type"] = record["error"].(map[string]any)["type"]
			out[fmt.Sprintf("%s %s", r["pipeline"], input)] = r
		}
		return out
	}
	var found struct{ Documents []map[string]any }
	decode(p.t, p.command("objects", "find", collection, p.dir, "--json", "--limit", "10000"), &found)
	for _, d := range found.Documents {
		out[fmt.Sprint(d["_id"])] = d
	}
	return out
}

// decode reads JSON with its numbers as they are written.
func decode(t *testing.T, text string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// always is endings that do not depend on what is in the store.
func always(ends ...ending) func(*testing.T, *sql.DB) []ending {
	return func(*testing.T, *sql.DB) []ending { return ends }
}

// each is the same document under several ids.
func each(document string, ids ...string) map[string]string {
	out := map[string]string{}
	for _, id := range ids {
		out[id] = document
	}
	return out
}

// with is base with some documents in the place of those of the same id.
func with(base, more map[string]string) map[string]string {
	out := maps.Clone(base)
	maps.Copy(out, more)
	return out
}

// numbered is ids with numbers from one on.
func numbered(format string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf(format, i+1))
	}
	return ids
}

// ask sends a request, with an idempotency key unless it is empty.
func (p *process) ask(path, body, key string) (status int, header http.Header, answer string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.addr+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
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

// command runs a command that has to succeed and returns what it prints.
func (p *process) command(args ...string) string {
	p.t.Helper()
	out, errs, code := output(p.t, args...)
	if code != 0 {
		p.t.Fatalf("%v: exit %d: %s%s", args, code, out, errs)
	}
	return out
}
