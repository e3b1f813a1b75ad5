package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pipelined"
	connectorsall "pipelined/connectors/all"
	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/daemon"
	"pipelined/internal/store"
	triggersall "pipelined/triggers/all"
)

func sets() program.Sets {
	return program.Sets{Connectors: connectorsall.Set(), Triggers: triggersall.Set()}
}

const hello = `pipeline: hello
trigger: { http: { method: GET, path: /hello } }
steps:
  - respond: { body: { greeting: hello } }
`

const note = `pipeline: note
trigger: { event: { types: [note] } }
steps:
  - object_store.put: { collection: notes, id: "${{ input.id }}", document: "${{ input }}" }
`

// buffer is an io.Writer to read from while it is written.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// running is a project that Run runs.
type running struct {
	*testing.T
	dir    string
	out    *buffer
	logs   *buffer
	cancel context.CancelFunc
	done   chan error
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir string, o daemon.Options) *running {
	t.Helper()
	r := &running{T: t, dir: dir, out: &buffer{}, logs: &buffer{}, done: make(chan error, 1)}
	o.Sets, o.Out, o.Logger = sets(), r.out, slog.New(slog.NewTextHandler(r.logs, nil))
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	go func() { r.done <- daemon.Run(ctx, dir, o) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("printed:\n%s\nlogged:\n%s", r.out, r.logs)
		}
	})
	r.eventually("the summary", func() bool { return strings.Contains(r.out.String(), "Stop with") })
	return r
}

func (r *running) eventually(what string, f func() bool) {
	r.Helper()
	for deadline := time.Now().Add(15 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-r.done:
			r.done <- err
			r.Fatalf("waiting for %s: the project stopped: %v", what, err)
		default:
		}
		if time.Now().After(deadline) {
			r.Fatalf("waiting for %s", what)
		}
	}
}

// address is a line of the summary: http or admin.
func (r *running) address(kind string) string {
	for line := range strings.Lines(r.out.String()) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == kind {
			return f[1]
		}
	}
	r.Fatalf("no %s address in:\n%s", kind, r.out)
	return ""
}

func (r *running) get(path string) (int, string) {
	resp, err := http.Get(r.address("http") + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// stop ends the project and returns what Run did.
func (r *running) stop() error {
	r.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(15 * time.Second):
		r.Fatal("Run does not end")
		return nil
	}
}

func anywhere() daemon.Options {
	return daemon.Options{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Drain: 5 * time.Second, Version: "test"}
}

func TestRunAnswersUntilStopped(t *testing.T) {
	t.Parallel()
	r := run(t, folder(t, map[string]string{"hello.yaml": hello, "note.yaml": note}), anywhere())
	if code, body := r.get("/hello"); code != 200 || !strings.Contains(body, `"greeting":"hello"`) {
		t.Errorf("got %d %s", code, body)
	}
	for _, want := range []string{"2 pipelines", "GET /hello", "event note", "/hello", "executions list", "objects find notes", filepath.Join(r.dir, ".pipelined")} {
		if !strings.Contains(r.out.String(), want) {
			t.Errorf("the summary does not say %q:\n%s", want, r.out)
		}
	}
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if _, err := http.Get(r.address("http")); err == nil {
		t.Error("it still answers")
	}
	if _, err := os.Stat(filepath.Join(r.dir, ".pipelined", "run.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("run.json is still there: %v", err)
	}
}

// TestConnect looks at a project while it runs and after: the answers are the same.
func TestConnect(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"hello.yaml": hello, "note.yaml": note,
		"pipelined.yaml": "project: x\nadmin: { token: let-me-in }\n"})
	r := run(t, dir, anywhere())
	look := func(wantRunning bool) (p daemon.Project) {
		t.Helper()
		p, live, done, err := daemon.Connect(t.Context(), dir, sets())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = done() })
		if live != wantRunning {
			t.Errorf("running: %v", live)
		}
		return p
	}
	p := look(true)
	if _, err := p.PublishEvent(t.Context(), admin.Event{Type: "note", Data: json.RawMessage(`{"id":"a","n":1.10}`)}); err != nil {
		t.Fatal(err)
	}
	query := admin.ObjectQuery{Collection: "notes", Where: "doc.n > 1", OrderBy: []string{"n", "_id"}, Limit: 10}
	find := func(p daemon.Project) *admin.Objects {
		t.Helper()
		o, err := p.Objects(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	r.eventually("the document", func() bool { return len(find(p).Documents) == 1 })
	while := find(p)
	list, err := p.Executions(t.Context(), admin.ExecutionQuery{Pipeline: "note", Since: time.Hour, Limit: 5})
	if err != nil || len(list) != 1 {
		t.Fatalf("executions: %v, %v", list, err)
	}
	one, err := p.Execution(t.Context(), list[0].ID)
	if err != nil || one.Pipeline != "note" {
		t.Errorf("execution: %+v, %v", one, err)
	}
	if s, err := p.Status(t.Context()); err != nil || s.Project != "x" {
		t.Errorf("status: %+v, %v", s, err)
	}
	if _, err := p.Execution(t.Context(), "nobody"); daemon.ExitCode(err) != daemon.ExitUsage {
		t.Errorf("an unknown execution: %v", err)
	}
	if _, err := p.Objects(t.Context(), admin.ObjectQuery{Collection: "notes", Where: "doc.n >", Limit: 1}); daemon.ExitCode(err) != daemon.ExitUsage {
		t.Errorf("a wrong condition: %v", err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	p = look(false)
	if after := find(p); string(after.Documents[0]) != string(while.Documents[0]) {
		t.Errorf("running: %s, stopped: %s", while.Documents[0], after.Documents[0])
	}
}

func TestConnectSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dir  string
		want string
		code int
	}{
		"no folder":    {filepath.Join(t.TempDir(), "none"), "there is no folder", daemon.ExitUsage},
		"a file":       {filepath.Join(folder(t, map[string]string{"hello.yaml": hello}), "hello.yaml"), "is a file", daemon.ExitUsage},
		"never run":    {folder(t, map[string]string{"hello.yaml": hello}), "no data yet", daemon.ExitUsage},
		"has mistakes": {folder(t, map[string]string{"hello.yaml": hello + "stesp: []\n"}), "has errors", daemon.ExitFindings},
	} {
		_, _, _, err := daemon.Connect(t.Context(), c.dir, sets())
		if err == nil || !strings.Contains(err.Error(), c.want) || daemon.ExitCode(err) != c.code {
			t.Errorf("%s: got %v (exit %d), want %q (exit %d)", name, err, daemon.ExitCode(err), c.want, c.code)
		}
	}
}

// TestReload changes a running project: what is right is taken over, what is wrong
// changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	o := anywhere()
	o.Watch = true
	dir := folder(t, map[string]string{"hello.yaml": hello})
	r := run(t, dir, o)
	says := func(what string) func() bool {
		return func() bool { _, body := r.get("/hello"); return strings.Contains(body, what) }
	}
	write(t, filepath.Join(dir, "hello.yaml"), strings.ReplaceAll(hello, "greeting: hello", "greeting: good day"))
	r.eventually("the new revision", says("good day"))
	write(t, filepath.Join(dir, "hello.yaml"), hello+"stesp: []\n")
	r.eventually("the finding", func() bool { return strings.Contains(r.out.String(), "stesp") })
	if !says("good day")() {
		t.Error("a folder with errors changed what runs")
	}
	if err := os.Mkdir(filepath.Join(dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "hello.yaml"), hello)
	r.eventually("the first revision again", says(`"hello"`))
	write(t, filepath.Join(dir, "more", "bye.yaml"), strings.NewReplacer("hello", "bye").Replace(hello))
	r.eventually("a pipeline in a new folder", func() bool { code, _ := r.get("/bye"); return code == 200 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestReloadSaysWhatItCannotDo: a setting of what was opened at the start is named, and
// everything else is reloaded.
func TestReloadSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file    string
		options func(*daemon.Options)
		names   string // empty: nothing needs a restart
	}{
		"the store":                              {"store: { path: elsewhere.db }", nil, "[store.path]"},
		"the token":                              {"admin: { token: other }", nil, "[admin.token]"},
		"the listener":                           {"server: { listen: 127.0.0.1:1 }", func(o *daemon.Options) { o.Listen = "" }, "[server.listen]"},
		"the admin listener":                     {"admin: { listen: 127.0.0.1:1 }", func(o *daemon.Options) { o.Admin = "" }, "[admin.listen]"},
		"a listener that the command line gives": {"server: { listen: 127.0.0.1:1 }", nil, ""},
		"what can change":                        {"redact: [password]", nil, ""},
		"the size of bodies, of the same part of it": {"server: { max_body: 2MB }", nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := anywhere()
			o.Watch = true
			dir := folder(t, map[string]string{"hello.yaml": hello, "pipelined.yaml": "server: { listen: 127.0.0.1:0 }\nadmin: { listen: 127.0.0.1:0 }\n"})
			if tt.options != nil {
				tt.options(&o)
			}
			r := run(t, dir, o)
			text := "project: other\n" + tt.file + "\n"
			if !strings.Contains(tt.file, "server:") {
				text += "server: { listen: 127.0.0.1:0 }\n"
			}
			if !strings.Contains(tt.file, "admin:") {
				text += "admin: { listen: 127.0.0.1:0 }\n"
			} else if !strings.Contains(tt.file, "listen") {
				text = strings.Replace(text, "token:", "listen: 127.0.0.1:0, token:", 1)
			}
			write(t, filepath.Join(dir, "pipelined.yaml"), text)
			write(t, filepath.Join(dir, "hello.yaml"), strings.ReplaceAll(hello, "greeting: hello", "greeting: good day"))
			r.eventually("the new revision", func() bool { _, body := r.get("/hello"); return strings.Contains(body, "good day") })
			r.eventually("the line that says so", func() bool { return strings.Contains(r.logs.String(), "reloaded") })
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			logs := r.logs.String()
			if told := strings.Contains(logs, "need a restart"); told != (tt.names != "") || !strings.Contains(logs, tt.names) {
				t.Errorf("want %q named", tt.names)
			}
			if strings.Contains(logs, "msg=reloaded") == (tt.names != "") {
				t.Error("a plain `reloaded` where something was not, or none where everything was")
			}
		})
	}
}

// TestReloadIsTriedAgain: a connection that cannot be opened leaves what runs as it is,
// until it can be.
func TestReloadIsTriedAgain(t *testing.T) {
	t.Parallel()
	hangup := make(chan os.Signal, 1)
	o := anywhere()
	o.Reload = hangup
	dir := folder(t, map[string]string{"hello.yaml": hello, "blocked": "where a folder is to be"})
	r := run(t, dir, o)
	write(t, filepath.Join(dir, "pipelined.yaml"), "connections: { d: { db: { driver: sqlite, path: blocked/d.db, create: true } } }\n")
	write(t, filepath.Join(dir, "hello.yaml"), strings.Replace(hello, "steps:\n", "steps:\n  - db.query: { connection: d, sql: select 1 }\n", 1))
	hangup <- os.Interrupt
	r.eventually("why it cannot be reloaded", func() bool { return strings.Contains(r.logs.String(), "tried again until it works") })
	if code, body := r.get("/hello"); code != 200 {
		t.Errorf("what ran before answers %d %s", code, body)
	}
	if err := os.Remove(filepath.Join(dir, "blocked")); err != nil {
		t.Fatal(err)
	}
	r.eventually("that it is reloaded by itself", func() bool { return strings.Contains(r.logs.String(), "msg=reloaded") })
	if code, body := r.get("/hello"); code != 200 {
		t.Errorf("what runs now answers %d %s", code, body)
	}
	if n := strings.Count(r.logs.String(), "could not be reloaded"); n != 1 {
		t.Errorf("told %d times", n)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// TestASchemaIsPartOfTheProject: a change of one is reloaded as one of a pipeline is.
func TestASchemaIsPartOfTheProject(t *testing.T) {
	t.Parallel()
	o := anywhere()
	o.Watch = true
	const asked = `pipeline: asked
trigger: { http: { method: POST, path: /asked, body: { schema: any.json } } }
steps: [ { respond: { body: fine } } ]
`
	dir := folder(t, map[string]string{"asked.yaml": asked, "any.json": "{}"})
	r := run(t, dir, o)
	post := func() int {
		resp, err := http.Post(r.address("http")+"/asked", "application/json", strings.NewReader("1"))
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := post(); code != 200 {
		t.Fatalf("it answers %d", code)
	}
	write(t, filepath.Join(dir, "any.json"), `{"type":"object"}`)
	r.eventually("the new schema", func() bool { return post() == 400 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := run(t, folder(t, map[string]string{"hello.yaml": hello}), anywhere())
	with := func(change func(*daemon.Options)) daemon.Options {
		o := anywhere()
		o.Sets, o.Out, o.Logger = sets(), io.Discard, slog.New(slog.DiscardHandler)
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		dir     string
		options daemon.Options
		want    string
		code    int
	}{
		"mistakes":      {folder(t, map[string]string{"hello.yaml": hello + "stesp: []\n"}), with(func(*daemon.Options) {}), "has errors", 1},
		"taken port":    {folder(t, map[string]string{"hello.yaml": hello}), with(func(o *daemon.Options) { o.Listen = taken.Addr().String() }), "choose one with --listen", 3},
		"taken admin":   {folder(t, map[string]string{"hello.yaml": hello}), with(func(o *daemon.Options) { o.Admin = taken.Addr().String() }), "choose one with --admin", 3},
		"open admin":    {folder(t, map[string]string{"hello.yaml": hello}), with(func(o *daemon.Options) { o.Admin = "0.0.0.0:0" }), "admin.token is not set", 2},
		"runs already":  {busy.dir, with(func(*daemon.Options) {}), "another", 3},
		"no such place": {filepath.Join(t.TempDir(), "none"), with(func(*daemon.Options) {}), "there is no folder", 2},
	} {
		err := daemon.Run(t.Context(), c.dir, c.options)
		if err == nil || !strings.Contains(daemon.Explain(err), c.want) || daemon.ExitCode(err) != c.code {
			t.Errorf("%s: got %v (exit %d), want %q (exit %d)", name, err, daemon.ExitCode(err), c.want, c.code)
		}
	}
	if err := busy.stop(); err != nil {
		t.Error(err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err     error
		code    int
		explain string
	}{
		{nil, 0, ""},
		{daemon.ErrFindings, 1, "the project has errors"},
		{&daemon.UsageError{What: "no", Fix: "yes"}, 2, "no; yes"},
		{store.ErrLocked, 3, "stop it"},
		{store.ErrNewer, 3, "install the newer"},
		{pipelined.Problemf("x", "X", 500, "y"), 3, "y"},
	} {
		if got := daemon.ExitCode(c.err); got != c.code {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.code)
		}
		if c.err != nil && !strings.Contains(daemon.Explain(c.err), c.explain) {
			t.Errorf("%v is explained as %q", c.err, daemon.Explain(c.err))
		}
	}
}
