package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
	"pipelined/engine"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/internal/clock"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
	triggersall "pipelined/triggers/all"
)

// harness is an engine on a project, a real store and a clock of the test's.
type harness struct {
	t      *testing.T
	dir    string
	disk   *enginetest.Disk
	store  store.Store
	clock  *clock.Fake
	engine *engine.Engine
	log    *logBuffer
	most   int64                         // requests at a time; 0: the default
	wrap   func(store.Store) store.Store // nil: it is used as it is
	have   *connectors.Set               // nil: those of the binary
}

var epoch = time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)

// start runs a project given as one text: files separated by lines `-- name --`.
// A text without such a line is one pipeline.
func start(t *testing.T, text string) *harness {
	t.Helper()
	return (&harness{t: t}).begin(text)
}

// startOn is start on a store that is wrapped.
func startOn(t *testing.T, text string, wrap func(store.Store) store.Store) *harness {
	t.Helper()
	return (&harness{t: t, wrap: wrap}).begin(text)
}

// startWith is start with other connectors.
func startWith(t *testing.T, text string, have *connectors.Set) *harness {
	t.Helper()
	return (&harness{t: t, have: have}).begin(text)
}

func (h *harness) begin(text string) *harness {
	h.t.Helper()
	h.dir, h.clock, h.log = h.t.TempDir(), clock.NewFake(epoch), &logBuffer{}
	h.write(text)
	h.open()
	return h
}

// write puts the files of a project in place.
func (h *harness) write(text string) {
	h.t.Helper()
	if !strings.Contains(text, "-- ") {
		text = "-- pipeline.yaml --\n" + text
	}
	for _, f := range txtar.Parse([]byte(text)).Files {
		path := filepath.Join(h.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *harness) compile() *program.Program {
	h.t.Helper()
	project, err := definition.Load(h.dir, os.LookupEnv)
	if err != nil {
		h.t.Fatal(err)
	}
	p, findings := program.Compile(project, program.Sets{Connectors: cmp.Or(h.have, connectorsall.Set()), Triggers: triggersall.Set()})
	if p == nil {
		var b strings.Builder
		sources := map[string][]byte{}
		for name, f := range project.Sources {
			sources[name] = f.Text
		}
		diag.Text(&b, findings, sources, false)
		h.t.Fatalf("the project has errors:\n%s", b.String())
	}
	return p
}

// open opens the store and an engine on it.
func (h *harness) open() {
	h.t.Helper()
	p := h.compile()
	if h.disk == nil {
		h.disk = enginetest.NewDisk(h.t)
	}
	s := h.disk.Open(h.clock)
	h.store = s
	used := s
	if h.wrap != nil {
		used = h.wrap(s)
	}
	var err error
	h.engine, err = engine.New(h.t.Context(), p, engine.Config{
		Store: used, Clock: h.clock, Dir: h.dir, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
		Random: func() float64 { return 0.5 }, MaxRequests: h.most})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.engine.Close(); s.Close() })
}

// restart closes everything and opens it again, as after a stop.
func (h *harness) restart() {
	h.t.Helper()
	h.engine.Close()
	if err := h.store.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

// limit restarts with fewer requests at a time.
func (h *harness) limit(n int64) {
	h.t.Helper()
	h.most = n
	h.restart()
}

// settle runs what is due and what follows from it.
func (h *harness) settle() int {
	h.t.Helper()
	n, err := h.engine.RunDue(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// advance moves the clock in steps, running what comes due at each.
func (h *harness) advance(d, step time.Duration) {
	h.t.Helper()
	for ; d > 0; d -= step {
		h.clock.Advance(min(step, d))
		h.settle()
	}
}

// answer is an HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

func (h *harness) request(method, path, body string) answer {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.engine.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func (h *harness) post(path, body string) answer { h.t.Helper(); return h.request("POST", path, body) }

// run posts input to /run and returns the answer's body, which must be a 200.
func (h *harness) run(input string) string {
	h.t.Helper()
	a := h.post("/run", input)
	if a.status != 200 {
		h.t.Fatalf("status %d: %s\n%s", a.status, a.body, h.log)
	}
	return a.body
}

// docs returns the documents of a collection, without the fields the store adds.
func (h *harness) docs(collection string) []map[string]any {
	h.t.Helper()
	s := objectstore.NewSession(h.store, nil, engine.NewID, h.clock.Now)
	list, err := s.Find(h.t.Context(), objectstore.FindQuery{Collection: collection})
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := value.JSON(list)
	if err != nil {
		h.t.Fatal(err)
	}
	var out []map[string]any
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		h.t.Fatal(err)
	}
	return out
}

// events returns the log's events of a type.
func (h *harness) events(types ...string) []store.StoredEvent {
	h.t.Helper()
	list, err := h.store.FindEvents(h.t.Context(), store.EventQuery{Types: types, Limit: 10_000})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

func (h *harness) publish(typ, data string) string {
	h.t.Helper()
	id, err := h.engine.Publish(context.Background(), newEvent(typ, data))
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

// same fails the test unless got and want are the same JSON.
func same(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("not JSON: %s", got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("not JSON: %s", want)
	}
	if fmt.Sprint(g) != fmt.Sprint(w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// dispatch hands what is published to the subscriptions, and runs nothing.
func (h *harness) dispatch() error { return h.engine.Dispatch(h.t.Context()) }

// seed puts a document into the store behind the engine's back.
func (h *harness) seed(collection, id, body string) {
	h.t.Helper()
	if _, err := h.store.Commit(h.t.Context(), &store.Batch{Documents: []store.Write{{Collection: collection, ID: id, Document: body}}}); err != nil {
		h.t.Fatal(err)
	}
}

// stats are the counts of a pipeline.
func (h *harness) stats(pipeline string) attempt.Stats {
	h.t.Helper()
	for _, s := range h.engine.View().Pipelines {
		if s.Pipeline == pipeline {
			return s
		}
	}
	return attempt.Stats{}
}
