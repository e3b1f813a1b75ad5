package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine"
	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/clock"
	"pipelined/internal/definition"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
	"pipelined/triggers"
	"pipelined/triggers/event"
)

const project = `pipeline: work
trigger: { event: { types: [job.new] } }
steps:
  - when: input.n < 0
    fail: { type: job/negative }
  - object_store.put: { collection: done, id: "${{ string(input.n) }}", document: "${{ input }}" }
`

// running is an engine on a small project, and its admin listener.
func running(t *testing.T, ready error) (*engine.Engine, *admin.Service, *httptest.Server) {
	t.Helper()
	files := fstest.MapFS{"work.yaml": {Data: []byte(project)}, "pipelined.yaml": {Data: []byte("redact: [password]\ncollections: { kept: { history: true } }\nevents: { job.new: { key: string(data.n) } }\n")}}
	def, err := definition.LoadFS(files, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	p, findings := program.Compile(def, program.Sets{Connectors: connectors.NewSet(), Triggers: triggers.NewSet(event.Trigger)})
	if p == nil {
		t.Fatalf("%+v", findings)
	}
	c := clock.NewFake(time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC))
	s, err := sqlite.Open("", sqlite.Config{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(t.Context(), p, engine.Config{Store: s, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	service := &admin.Service{Store: s, Clock: c, NewID: engine.NewID, Program: p, Publish: e.Publish, View: e.View}
	server := httptest.NewServer(admin.Handler(func() *admin.Service { return service }, admin.Config{
		Ready: func() error { return ready }, Metrics: admin.NewRegistry(e, "test")}))
	t.Cleanup(func() { server.Close(); e.Close(); s.Close() })
	return e, service, server
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestTheAdminAPI(t *testing.T) {
	t.Parallel()
	e, _, server := running(t, nil)
	for _, body := range []string{`{"type":"job.new","data":{"n":1,"password":"x"}}`, `{"type":"job.new","data":{"n":-1}}`} {
		resp, err := http.Post(server.URL+"/api/events", "application/json", strings.NewReader(body))
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	if n, err := e.RunDue(context.Background()); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	tests := []struct {
		path   string
		status int
		says   string
	}{
		{"/healthz", 200, "ok"}, {"/readyz", 200, "ready"}, {"/nowhere", 404, "request/not-found"},
		{"/api/status", 200, `"collections":{"dead_letters":1,"done":1,"kept":0}`},
		{"/api/executions", 200, `"status":"ok"`}, {"/api/executions?status=failed&pipeline=work&limit=1", 200, "job/negative"}, {"/api/executions?pipeline=other", 200, `{"executions":[]}`},
		{"/api/executions?limit=-1", 400, "limit"}, {"/api/executions?since=1x", 400, "since"}, {"/api/executions?since=1h", 200, "work"}, {"/api/executions/nobody", 404, "not found"},
		{"/api/objects/done", 200, `"password":"***"`}, {"/api/objects/done?where=doc.n%20%3E%205", 200, `"total":0`}, {"/api/objects/done?order_by=-n&offset=1&limit=1", 200, `"total":1`},
		{"/api/objects/done?where=dok.n", 400, "did you mean doc?"}, {"/api/objects/done?offset=x", 400, "offset"}, {"/api/objects/No%20Name", 400, "collection"},
		{"/metrics", 200, `pipelined_runs_total{pipeline="work",status="failed"} 1`}, {"/metrics", 200, `pipelined_events_published_total{event="job.new"} 2`}, {"/metrics", 200, `pipelined_runs_unhandled_total{pipeline="work"} 1`},
	}
	for _, tt := range tests {
		if status, body := get(t, server.URL+tt.path); status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %s, want %d with %s", tt.path, status, body, tt.status, tt.says)
		}
	}
	_, body := get(t, server.URL+"/api/executions?status=failed")
	var list struct{ Executions []store.Execution }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Executions) != 1 {
		t.Fatal(body, err)
	}
	if status, body := get(t, server.URL+"/api/executions/"+list.Executions[0].ID); status != 200 || !strings.Contains(body, `"key":"-1"`) {
		t.Errorf("%d %s", status, body)
	}
	for _, bad := range []string{`{`, `{"type":"Bad Type","data":1}`, `{"type":"job.new"}`} {
		resp, err := http.Post(server.URL+"/api/events", "application/json", strings.NewReader(bad))
		if err != nil || resp.StatusCode != 400 {
			t.Errorf("%s: %v %v", bad, resp.StatusCode, err)
		}
		resp.Body.Close()
	}
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	_, _, server := running(t, errors.New("the store is recovering"))
	if status, body := get(t, server.URL+"/readyz"); status != 503 || !strings.Contains(body, "recovering") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := get(t, server.URL+"/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
}

func TestAStoppedProjectIsAskedFromItsStore(t *testing.T) {
	t.Parallel()
	_, service, _ := running(t, nil)
	stopped := *service
	stopped.Publish, stopped.View = nil, nil
	id, err := stopped.PublishEvent(t.Context(), admin.Event{Type: "job.new", Data: json.RawMessage(`{"n":-7}`)})
	if err != nil || id == "" {
		t.Fatal(id, err)
	}
	if _, err := stopped.PublishEvent(t.Context(), admin.Event{Type: "job.new", Data: json.RawMessage(`{`)}); err == nil {
		t.Error("half a document was published")
	}
	list, err := service.Store.FindEvents(t.Context(), store.EventQuery{Types: []string{"job.new"}})
	if err != nil || len(list) != 1 || list[0].Key != "-7" || list[0].ID != id {
		t.Errorf("%+v %v", list, err)
	}
	if x, err := stopped.Executions(t.Context(), admin.ExecutionQuery{}); err != nil || len(x) != 0 {
		t.Errorf("%v %v", x, err)
	}
	if _, err := stopped.Execution(t.Context(), "nobody"); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("%v", err)
	}

}

func TestProfilesAreServedWhenAskedFor(t *testing.T) {
	t.Parallel()
	_, service, plain := running(t, nil)
	with := func(c admin.Config) string {
		c.Ready, c.Profiles = func() error { return nil }, true
		s := httptest.NewServer(admin.Handler(func() *admin.Service { return service }, c))
		t.Cleanup(s.Close)
		return s.URL
	}
	tests := map[string]struct {
		url    string
		status int
	}{
		"not asked for": {plain.URL, 404},
		"asked for":     {with(admin.Config{}), 200},
		"without token": {with(admin.Config{Token: pipelined.NewSecret("let-me-in")}), 401},
	}
	for name, tt := range tests {
		for _, path := range []string{"/debug/pprof/heap?debug=1", "/debug/pprof/mutex?debug=1"} {
			if status, body := get(t, tt.url+path); status != tt.status {
				t.Errorf("%s: %s: %d %.100s, want %d", name, path, status, body, tt.status)
			}
		}
	}
}
