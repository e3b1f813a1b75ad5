package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipelined/internal/admin"
)

const fragile = `pipeline: fragile
trigger: { event: { types: [job.new] } }
on_failure: { collection: failures }
steps:
  - when: (input.country ?? "") == ""
    fail: { type: job/country, title: No country, status: 422 }
  - object_store.put: { collection: done, id: "${{ event.id }}", document: { country: "${{ input.country }}", attempt: "${{ event.attempt }}" } }
`

const careless = `pipeline: careless
trigger: { event: { types: [job.new] } }
steps:
  - when: (input.country ?? "") == ""
    fail: { type: job/country, title: No country, status: 422 }
  - object_store.put: { collection: careless, id: "${{ event.id }}", document: { password: "${{ input.password }}" } }
`

// again tells lint who works the records off; it never runs in the test.
const again = `pipeline: again
trigger: { cron: { schedule: "0 0 1 1 *" } }
steps:
  - reprocess: { collection: failures, max_attempts: 3, exhausted: [ { log: { message: over } } ] }
`

// errors runs a command on error records and decodes what it prints.
func (p *process) errors(v any, args ...string) {
	p.t.Helper()
	out, errs, code := output(p.t, append([]string{"errors"}, append(args, "--json")...)...)
	if code != 0 {
		p.t.Fatalf("%v: exit %d: %s%s", args, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		p.t.Fatalf("%v: %s: %v", args, out, err)
	}
}

func TestErrorRecordsAreWorkedOffByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"fragile.yaml": fragile, "careless.yaml": careless, "again.yaml": again, "pipelined.yaml": "project: x\nredact: [password]\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := launch(t, dir)
	publish := func(data string) string {
		t.Helper()
		out, errs, code := output(t, "events", "publish", "job.new", dir, "--data", data)
		if code != 0 {
			t.Fatal(errs)
		}
		return strings.TrimSpace(out)
	}
	publish(`{"n":0,"country":"DE"}`)
	first, second, third := publish(`{"n":1,"password":"secret"}`), publish(`{"n":2}`), publish(`{"n":3}`)
	list := func(want int, args ...string) *admin.Failures {
		t.Helper()
		var l admin.Failures
		p.errors(&l, append([]string{"list", dir}, args...)...)
		if l.Total != want {
			t.Errorf("%v: %d records, want %d: %+v", args, l.Total, want, l.Records)
		}
		return &l
	}
	p.eventually("six failures", 10*time.Second, func() bool {
		return len(p.objects("failures")) == 3 && len(p.objects("dead_letters")) == 3
	})
	all := list(6)
	if len(all.Aging) != 2 || all.Aging[0].Collection != "dead_letters" || all.Aging[1].ByStatus["pending"] != 3 || all.Aging[1].Oldest.IsZero() {
		t.Errorf("aging: %+v", all.Aging)
	}
	list(3, "--collection", "failures")
	list(3, "--pipeline", "careless")
	list(2, "--where", "doc.input.n == 2")
	list(0, "--status", "exhausted")
	list(6, "--since", "1h")
	if out, _, code := output(t, "errors", "list", dir); code != 0 || !strings.Contains(out, "job/country") && !strings.Contains(out, "No country") || !strings.Contains(out, "failures: 3 pending; the oldest open one") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, _, code := output(t, "errors", "show", first, dir); code != 0 || !strings.Contains(out, `"password": "***"`) || strings.Contains(out, "secret") {
		t.Errorf("exit %d: %s", code, out)
	}

	// Sent again as it is, it fails again; mended, it passes, for the one pipeline.
	var done admin.Changes
	p.errors(&done, "redrive", first, dir, "--collection", "failures", "--dry-run")
	if len(done.Records) != 1 || done.Records[0].Did != "redriven" || !done.DryRun || len(p.objects("failures", "--where", `doc.status == "pending"`)) != 3 {
		t.Errorf("%+v", done)
	}
	p.errors(&done, "redrive", first, dir, "--collection", "failures")
	p.eventually("it failed again", 10*time.Second, func() bool { return len(p.objects("failures", "--where", `doc.attempts == 2`)) == 1 })
	p.errors(&done, "edit", first, dir, "--collection", "failures", "--set", `{"country":"FR"}`, "--redrive")
	p.eventually("it passed", 10*time.Second, func() bool { return len(p.objects("done", "--where", `doc.country == "FR" and doc.attempt == 3`)) == 1 })
	record := p.objects("failures", "--where", `doc.status == "resolved"`)
	if len(record) != 1 {
		t.Fatalf("resolved: %v", record)
	}
	var what []string
	for _, h := range record[0]["history"].([]any) {
		what = append(what, h.(map[string]any)["what"].(string))
	}
	if got := strings.Join(what, " "); got != "failed redriven failed edited redriven resolved" {
		t.Errorf("history: %s", got)
	}
	if n := len(p.objects("careless")); n != 1 {
		t.Errorf("the other pipeline ran %d times", n)
	}

	// Many at a time; what was given up is left alone.
	p.errors(&done, "discard", second, dir, "--collection", "failures", "--reason", "cancelled")
	if done.Records[0].Did != "discarded" {
		t.Errorf("%+v", done)
	}
	p.stop() // a stopped project keeps the event for its next start
	p.errors(&done, "edit", dir, "--pipeline", "careless", "--set", `{"country":"IT"}`, "--redrive")
	if len(done.Records) != 3 {
		t.Errorf("%+v", done)
	}
	p.errors(&done, "redrive", dir, "--all", "--collection", "failures")
	if len(done.Records) != 1 || done.Records[0].ID != third {
		t.Errorf("%+v", done)
	}
	p.start()
	p.eventually("the dead letters are processed", 10*time.Second, func() bool { return len(p.objects("careless")) == 4 })
	p.eventually("the last record failed again", 10*time.Second, func() bool {
		return len(p.objects("failures", "--where", `doc.attempts == 2 and doc.status == "pending"`)) == 1
	})
	list(3, "--collection", "dead_letters", "--status", "resolved")

	for says, args := range map[string][]string{
		"say which records":                {"redrive", dir},
		"there is no such record":          {"discard", "nobody", dir},
		"holds no error records":           {"list", dir, "--collection", "done"},
		"give either --input or --set":     {"edit", first, dir},
		"did you mean doc?":                {"list", dir, "--where", "dok.n == 1"},
		"there is no error record nobody":  {"show", "nobody", dir},
		"--set is not JSON":                {"edit", first, dir, "--collection", "failures", "--set", "{"},
		"name records, and the project fo": {"redrive"},
	} {
		if out, errs, code := output(t, append([]string{"errors"}, args...)...); code != 2 || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
}
