package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "a.yaml"), []byte("pipeline: a\nsteps:\n  - respnd: { body: 1 }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"lint of a good project", []string{"lint", "../../pipelines/quickstart"}, 0, "nothing to report"},
		{"lint of a broken project", []string{"lint", broken}, 1, "did you mean respond?"},
		{"lint as JSON", []string{"lint", broken, "--json"}, 1, `"code": "E223"`},
		{"lint as SARIF", []string{"lint", broken, "--format", "sarif"}, 1, `"ruleId": "E223"`},
		{"run of a broken project", []string{"run", broken}, 1, "did you mean respond?"},
		{"a folder that is not there", []string{"lint", "nowhere"}, 2, "there is no folder nowhere"},
		{"a file instead of a folder", []string{"lint", "main.go"}, 2, "is a file"},
		{"no folder", []string{"run"}, 2, "name one project folder"},
		{"an unknown flag", []string{"run", ".", "--nope"}, 2, "unknown flag"},
		{"data that is not JSON", []string{"events", "publish", "a.b", "--data", "{"}, 2, "not JSON"},
		{"a file of data that is not there", []string{"events", "publish", "a.b", "--data", "@nothing.json"}, 2, "no such file"},
		{"a header without a value", []string{"events", "publish", "a.b", "--header", "x"}, 2, "name=value"},
		{"a project without data", []string{"objects", "find", "c", "../../pipelines/quickstart"}, 2, "no data yet"},
		{"a since that is none", []string{"executions", "list", ".", "--since", "yesterday"}, 2, "--since"},
		{"version", []string{"version"}, 0, "pipelined "},
		{"version as JSON", []string{"version", "--json"}, 0, `"version"`},
		{"help", []string{"run", "--help"}, 0, "Examples:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, errs, code := output(t, tt.args...)
			if code != tt.code || !strings.Contains(out+errs, tt.says) {
				t.Errorf("exit %d, want %d, with %q\n%s%s", code, tt.code, tt.says, out, errs)
			}
		})
	}
}

// commandsProject has an event pipeline that fails for some input.
const commandsProject = `pipeline: work
trigger: { event: { types: [job.new] } }
steps:
  - when: input.n < 0
    fail: { type: job/negative, title: Negative, detail: "n is ${{ input.n }}" }
  - object_store.put: { collection: done, id: "${{ event.key }}", document: { n: "${{ input.n }}", password: secret } }
`

func TestCommandsOnARunningAndAStoppedProject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"work.yaml": commandsProject, "pipelined.yaml": "project: demo\nhistory: all\nevents: { job.new: { key: string(data.n) } }\nredact: [password]\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := launch(t, dir)
	publish := func(data string) string {
		out, errs, code := output(t, "events", "publish", "job.new", dir, "--data", data, "--header", "from=test")
		if code != 0 {
			t.Fatalf("publish: %s", errs)
		}
		return strings.TrimSpace(out)
	}
	ask := func(v any, args ...string) {
		t.Helper()
		out, errs, code := output(t, append(args, "--json")...)
		if code != 0 || json.Unmarshal([]byte(out), v) != nil {
			t.Fatalf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
	publish(`{"n":1}`)
	publish(`{"n":-1}`)
	p.eventually("both ran", 10*time.Second, func() bool { return len(p.objects("done")) == 1 && len(p.objects("dead_letters")) == 1 })
	look := func() {
		t.Helper()
		var list []struct{ ID, Pipeline, Status, Key string }
		ask(&list, "executions", "list", dir, "--pipeline", "work", "--since", "1h")
		if len(list) != 2 {
			t.Fatalf("%+v", list)
		}
		for _, x := range list {
			var one struct {
				Status  string
				Problem struct{ Type, Detail string }
				Input   struct{ N int }
			}
			ask(&one, "executions", "show", x.ID, dir)
			if one.Status == "failed" && (one.Problem.Type != "job/negative" || one.Input.N != -1 || x.Key != "-1") {
				t.Errorf("%+v", one)
			}
		}
		if found := p.objects("done", "--where", "doc.n == 1"); len(found) != 1 || found[0]["password"] != "***" {
			t.Errorf("%v", found)
		}
		var versions struct {
			Versions     []struct{ Password string }
			Exists, Kept bool
		}
		if ask(&versions, "objects", "versions", "done", "1", dir); len(versions.Versions) != 1 || versions.Versions[0].Password != "***" || !versions.Exists || versions.Kept {
			t.Errorf("%+v", versions)
		}
	}
	look()
	if out, _, code := output(t, "executions", "list", dir, "--status", "failed"); code != 0 || !strings.Contains(out, "n is -1") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, errs, code := output(t, "objects", "versions", "done", "1", dir); code != 0 || !strings.Contains(errs, "history: true") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if out, errs, code := output(t, "objects", "find", "done", dir, "--where", "dok.n == 1"); code != 2 || !strings.Contains(errs, "did you mean doc?") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if _, errs, code := output(t, "executions", "show", "nobody", dir); code != 2 || !strings.Contains(errs, "not found") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if _, errs, code := output(t, "events", "publish", "Not A Type", dir); code != 2 || !strings.Contains(errs, "not an event type") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if _, errs, code := output(t, "run", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"); code != 3 || !strings.Contains(errs, "in use by another process") {
		t.Errorf("a second process: exit %d: %s", code, errs)
	}
	if code := p.stop(); code != 0 {
		t.Fatalf("exit %d\n%s", code, tail(p.log.String()))
	}
	look()
	publish(`{"n":2}`) // waits for the next start
	p.start()
	p.eventually("what was published while it was stopped ran", 10*time.Second, func() bool { return len(p.objects("done")) == 2 })
}

func TestAdminListener(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"work.yaml": commandsProject, "pipelined.yaml": "admin: { token: \"${{ env.ADMIN_TOKEN }}\" }\nevents: { job.new: {} }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ADMIN_TOKEN", "s3cret")
	p := launch(t, dir)
	text, err := os.ReadFile(filepath.Join(dir, ".pipelined", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Admin string }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	get := func(path, token string) int {
		req, err := http.NewRequest(http.MethodGet, "http://"+file.Admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/api/status": 401, "/metrics": 401} {
		if got := get(path, ""); got != want {
			t.Errorf("%s without a token: %d", path, got)
		}
	}
	for path, want := range map[string]int{"/api/status": 200, "/metrics": 200, "/nowhere": 404, "/api/executions?limit=x": 400, "/api/executions?since=x": 400, "/api/objects/done?where=doc.": 400} {
		if got := get(path, "s3cret"); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if out, errs, code := output(t, "events", "publish", "job.new", dir, "--data", `{"n":1}`, "--key", "k"); code != 0 || out == "" {
		t.Errorf("publish with a token: exit %d: %s", code, errs)
	}
	if strings.Contains(p.log.String(), "s3cret") {
		t.Error("the token is in the log")
	}
}
