package reference_test

import (
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pipelined"
	"pipelined/engine"
	"pipelined/engine/program"
	"pipelined/internal/clock"
	"pipelined/internal/definition"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
	"pipelined/triggers"
)

// sample is the input that the snippets are written for.
const sample = `{"id":"o-1","customer":"c-1","sku":"a","qty":2,"price":1.5,"total":3000,"payload":"{\"x\":1}",
	"lines":[{"sku":"a","qty":2,"price":1.5}],"orders":[{"id":"o-1","total":3}]}`

// tables are what the snippets query.
const tables = `create table orders (id text primary key, total real, customer text);
	create table lines (sku text, qty integer); insert into orders values ('o-1', 1, 'c-1')`

var elsewhere = regexp.MustCompile(`https?://(\w+\.example|x\b|127\.0\.0\.1:9000)`)

// world is what the snippets of one page talk to.
type world struct {
	dir  string
	rest *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	w.rest = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"ok":true}`)
	}))
	t.Cleanup(w.rest.Close)
	return w
}

// start runs an engine on a project of the world.
func (w *world) start(t *testing.T, files fstest.MapFS, c pipelined.Clock) *engine.Engine {
	t.Helper()
	for name, f := range files {
		f.Data = elsewhere.ReplaceAll(f.Data, []byte(w.rest.URL))
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	project, err := definition.LoadFS(files, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	p, findings := program.Compile(project, sets())
	if p == nil {
		t.Fatalf("it does not lint: %v", findings)
	}
	s, err := sqlite.Open(filepath.Join(w.dir, "store", "data.db"), sqlite.Config{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	e, err := engine.New(t.Context(), p, engine.Config{Store: s, Clock: c, Dir: w.dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

var parameter = regexp.MustCompile(`\{[^}]*\}|\*`)

// trigger starts a pipeline as its trigger would.
func trigger(t *testing.T, e *engine.Engine, c *clock.Fake, p *program.Pipeline, body, contentType string) {
	t.Helper()
	switch plan := p.Plan.(type) {
	case *triggers.Route:
		r := httptest.NewRequestWithContext(t.Context(), plan.Method, parameter.ReplaceAllString(plan.Path, "x"), strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Idempotency-Key", "k-1")
		w := httptest.NewRecorder()
		if e.ServeHTTP(w, r); w.Code >= 400 && !strings.Contains(w.Body.String(), "demo/") {
			t.Errorf("%s answers %d: %s", p.Name, w.Code, w.Body)
		}
	case *triggers.Subscription:
		typ := strings.ReplaceAll(plan.Types[0], "*", "received")
		if _, err := e.Publish(t.Context(), &pipelined.Event{Type: typ, Data: body}); err != nil {
			t.Errorf("publish %s: %v", typ, err)
		}
	case *triggers.Source: // whatever it reads
		b := &store.Batch{Events: []*pipelined.Event{{ID: "brought", Type: p.Inlet(), Time: c.Now(), Data: sample, Attempt: 1}}}
		if _, err := e.Commit(t.Context(), b); err != nil {
			t.Errorf("bring %s: %v", p.Inlet(), err)
		}
	case *triggers.Schedule:
		c.Advance(plan.Next(c.Now()).Sub(c.Now()))
	}
}

// TestEverySnippetRuns starts every pipeline of every snippet once, with the input
// the snippets are written for, and wants it to end well.
func TestEverySnippetRuns(t *testing.T) {
	t.Parallel()
	n := 0
	snippets(t, func(page, yaml string) {
		n++
		t.Run(fmt.Sprintf("%s-%d", filepath.Base(page), n), func(t *testing.T) {
			t.Parallel()
			body, contentType := sample, "application/json"
			if strings.Contains(yaml, "csv.parse") {
				body, contentType = "id,qty,price\no-1;2;1.5,2,1.5\n", "text/csv"
			}
			files := project(yaml)
			failing := strings.HasPrefix(yaml, "trigger:\n  error:")
			if failing {
				files["orders_import.yaml"] = &fstest.MapFile{Data: []byte("pipeline: orders_import\ntrigger: { http: { method: GET, path: /broken } }\nsteps:\n  - fail: { type: demo/broken, title: Broken }\n")}
			}
			fake := clock.NewFake(time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC))
			var c pipelined.Clock = clock.Real()
			if strings.Contains(yaml, "cron:") {
				c = fake
			}
			e := newWorld(t).start(t, files, c)
			for _, p := range e.Program().Pipelines {
				trigger(t, e, fake, p, body, contentType)
				if _, err := e.RunDue(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			ran := map[string]int64{}
			for _, s := range e.View().Pipelines {
				ran[s.Pipeline] = s.OK
				if s.Failed > 0 && (!failing || s.Pipeline != "orders_import") {
					t.Errorf("%s failed:\n%s\n%+v", s.Pipeline, yaml, e.View().Recent)
				}
			}
			for _, p := range e.Program().Pipelines {
				if p.Plan != nil && ran[p.Name] == 0 && p.Name != "orders_import" {
					t.Errorf("%s did not run:\n%s", p.Name, yaml)
				}
			}
		})
	})
}

var named = regexp.MustCompile(`(?m)^pipeline: (\w+)$`)

// TestTutorial does what the tutorial says with the files it ends with.
func TestTutorial(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	snippets(t, func(page, yaml string) {
		if m := named.FindStringSubmatch(yaml); filepath.Base(page) == "tutorial.md" && m != nil {
			files[m[1]+".yaml"] = &fstest.MapFile{Data: []byte(yaml)}
		}
	})
	c := clock.NewFake(time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC))
	e := newWorld(t).start(t, files, c)
	settle := func() {
		t.Helper()
		if _, err := e.RunDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	order := func(body string, want int) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if e.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
		settle()
	}
	count := func(collection string, want int64) {
		t.Helper()
		if n, err := e.Store().Count(t.Context(), collection, store.Exact); n != want || err != nil {
			t.Errorf("%s: %d documents, want %d (%v)", collection, n, want, err)
		}
	}
	order(`{"qty":2}`, http.StatusUnprocessableEntity)
	order(`{"id":"o-2","qty":2}`, http.StatusAccepted)
	count("orders", 1)
	order(`{"id":"o-3","qty":101}`, http.StatusAccepted)
	count("order_errors", 1)
	count("tickets", 0)
	for range 30 {
		c.Advance(10 * time.Second)
		settle()
	}
	count("orders", 1)
	count("tickets", 1)
	record, err := e.Store().Get(t.Context(), "order_errors", errorID(t, e))
	if err != nil || !strings.Contains(record.Body, `"status":"exhausted"`) || !strings.Contains(record.Body, `"attempts":3`) {
		t.Errorf("the record: %+v, %v", record, err)
	}
}

// errorID is the id of the one error record.
func errorID(t *testing.T, e *engine.Engine) (id string) {
	t.Helper()
	err := e.Store().Find(t.Context(), store.Query{Collection: "order_errors"}, func(d *store.Document) (bool, error) {
		id = d.ID
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
