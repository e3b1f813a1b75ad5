package program_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pipelined"
	"pipelined/engine/program"
	"pipelined/internal/diag"
	"pipelined/internal/store"
)

// project is a folder by its files' names.
type project map[string]string

func (p project) with(name, text string) project {
	out := project{name: text}
	for n, t := range p {
		if n != name {
			out[n] = t
		}
	}
	return out
}

// compile lints a project that has no errors.
func (p project) compile(t *testing.T) (*program.Program, []diag.Diagnostic) {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range p {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	text, findings, compiled := lint(t, files)
	if compiled == nil {
		t.Fatal(text)
	}
	return compiled, findings
}

// whole is a project with something of everything.
var whole = project{
	"pipelined.yaml": `project: shop
collections:
  orders: { unique: [number], index: [customer.id], retain: 30d, history: true }
  audit: {}
events:
  order.placed: { schema: schemas/order.json, key: data.id, retain: 9d, dedupe: 1h }
  order.paid: {}
connections:
  crm: { rest: { base_url: http://127.0.0.1:1, timeout: 5s } }
`,
	"schemas/order.json": `{"type":"object","properties":{"id":{"type":"string","minLength":2},"total":{"type":"number"}},"required":["id"]}`,
	"place.yaml": `pipeline: place
trigger: { http: { method: POST, path: /orders, body: { schema: schemas/order.json } } }
steps:
  - publish: { event: order.placed, data: "${{ input }}" }
  - respond: { body: "${{ input.id }}" }
`,
	"ship.yaml": `pipeline: ship
trigger: { event: { types: [order.placed] } }
on_failure: { collection: failures, permanent: error.status == 404 }
steps:
  - rest: { connection: crm, method: POST, path: /ship, body: "${{ input }}" }
`,
	"again.yaml": `pipeline: again
trigger: { cron: { schedule: "0 * * * *" } }
steps:
  - reprocess: { collection: failures, max_attempts: 4, backoff: { initial: 2m, max: 1h }, exhausted: [ { log: { message: gone } } ] }
`,
	"bill.yaml": `pipeline: bill
trigger: { event: { types: [order.paid, "billing.*"] } }
steps: [ { call: { pipeline: note } } ]
`,
	"note.yaml": `pipeline: note
steps: [ { object_store.put: { collection: audit, id: "${{ run.id }}", document: { at: 1 } } } ]
`,
	"notes.txt": "not a part of it",
}

func TestWhatAProjectIsMadeOf(t *testing.T) {
	t.Parallel()
	p, _ := whole.compile(t)
	var names []string
	for _, q := range p.Pipelines {
		names = append(names, q.Name)
		if p.Pipeline(q.Name) != q || p.Callee(q.Name).Name != q.Name {
			t.Errorf("%s is not found by its name", q.Name)
		}
	}
	if !slices.IsSorted(names) || len(names) != 5 || p.Name != "shop" || p.Pipeline("nobody") != nil {
		t.Errorf("%s: %v", p.Name, names)
	}
	if got := p.Collections(); fmt.Sprint(got) != fmt.Sprint([]store.Collection{{Name: "audit"},
		{Name: "orders", Index: []string{"customer.id"}, Unique: []string{"number"}, Retain: 30 * 24 * time.Hour, History: true}}) {
		t.Errorf("%+v", got)
	}
	keep := p.Retention()
	for what, days := range map[string]time.Duration{"order.placed": 9, "order.paid": 7, "never.declared": 7} {
		if keep.Event(what) != days*24*time.Hour {
			t.Errorf("%s is kept for %s", what, keep.Event(what))
		}
	}
	if keep.Versions["orders"] != 30*24*time.Hour || keep.Versions["audit"] != 0 {
		t.Errorf("%+v", keep.Versions)
	}
	if got := p.Collection("orders"); !slices.Equal(got.Unique, []string{"number"}) || !got.History || p.Collection("nothing").Unique != nil {
		t.Errorf("%+v", got)
	}
	if f := p.Pipeline("ship").OnFailure; f.Collection != "failures" || f.MaxAttempts != 4 || f.Backoff.Initial != 2*time.Minute || f.Backoff.Max != time.Hour {
		t.Errorf("what drains failures decides when they come again: %+v", f)
	}
	for _, tt := range []struct {
		pipeline, event string
		takes           bool
	}{
		{"ship", "order.placed", true}, {"ship", "order.paid", false}, {"bill", "order.paid", true}, {"bill", "billing.late", true},
		{"bill", "billing", false}, {"place", "order.placed", false}, {"nobody", "order.placed", false},
	} {
		if p.Takes(tt.pipeline, tt.event) != tt.takes {
			t.Errorf("%s takes %s: %v", tt.pipeline, tt.event, !tt.takes)
		}
	}
}

// TestTheRevisionTellsProjectsApart by what they are made of, and by nothing else.
func TestTheRevisionTellsProjectsApart(t *testing.T) {
	t.Parallel()
	p, _ := whole.compile(t)
	seen := map[string]string{p.Revision: "the project"}
	for name, text := range whole {
		changed, _ := whole.with(name, text+" ").compile(t)
		if name == "notes.txt" {
			if changed.Revision != p.Revision {
				t.Errorf("%s is no part of the project and changes its revision", name)
			}
			continue
		}
		if other := seen[changed.Revision]; other != "" {
			t.Errorf("a change of %s has the revision of %s", name, other)
		}
		seen[changed.Revision] = "a change of " + name
	}
	if same, _ := whole.with("notes.txt", "").compile(t); same.Revision != p.Revision || len(p.Revision) != 12 {
		t.Errorf("%s, then %s", p.Revision, same.Revision)
	}
}

// TestConnectionsShareAClientIfTheySayTheSame: whatever is said where, also by an alias.
func TestConnectionsShareAClientIfTheySayTheSame(t *testing.T) {
	t.Parallel()
	fingerprint := func(declared string) string {
		t.Helper()
		p, _ := project{"pipelined.yaml": declared, "a.yaml": "pipeline: a\ntrigger: { cron: { schedule: \"@daily\" } }\nsteps:\n  - rest: { connection: crm, method: GET, path: / }\n"}.compile(t)
		return p.Connections[0].Fingerprint
	}
	first := fingerprint("connections:\n  crm: { rest: { base_url: http://a.test, timeout: 5s } }\n")
	for name, declared := range map[string]string{
		"other lines":  "connections:\n  crm:\n    rest:\n      base_url: \"http://a.test\"\n      timeout: 5s\n",
		"a comment":    "connections:\n  # ours\n  crm: { rest: { base_url: http://a.test, timeout: 5s } } # theirs\n",
		"by an alias":  "globals: { base: &base http://a.test }\nconnections:\n  crm: { rest: { base_url: *base, timeout: 5s } }\n",
		"one beside":   "project: x\nconnections:\n  crm: { rest: { base_url: http://a.test, timeout: 5s } }\n  erp: { rest: { base_url: http://b.test } }\n",
		"the same all": "connections:\n  crm: { rest: { base_url: http://a.test, timeout: 5s } }\n",
	} {
		if fingerprint(declared) != first {
			t.Errorf("%s: another client", name)
		}
	}
	for name, declared := range map[string]string{
		"another address":             "connections:\n  crm: { rest: { base_url: http://b.test, timeout: 5s } }\n",
		"another timeout":             "connections:\n  crm: { rest: { base_url: http://a.test, timeout: 6s } }\n",
		"nothing said of a timeout":   "connections:\n  crm: { rest: { base_url: http://a.test } }\n",
		"what an alias stands for":    "globals: { base: &base http://b.test }\nconnections:\n  crm: { rest: { base_url: *base, timeout: 5s } }\n",
		"a header that was not there": "connections:\n  crm: { rest: { base_url: http://a.test, timeout: 5s, headers: { x: y } } }\n",
	} {
		if fingerprint(declared) == first {
			t.Errorf("%s: the old client stays", name)
		}
	}
}

// TestWhatIsReadIsBuilt: a part of the scope that some expression reads, wherever it is
// written, and none that nobody does.
func TestWhatIsReadIsBuilt(t *testing.T) {
	t.Parallel()
	places := map[string]string{
		"a step":         "steps:\n  - set: { x: \"${{ string(%s.%s) }}\" }\n",
		"a condition":    "steps:\n  - when: string(%s.%s) != \"\"\n    stop: true\n",
		"a branch":       "steps:\n  - parallel: { a: [ { log: { message: \"${{ string(%s.%s) }}\" } } ], b: [ { log: { message: b } } ] }\n",
		"an error block": "steps: [ { log: { message: x } } ]\non_error:\n  - log: { message: \"${{ string(%s.%s) }}\" }\n",
	}
	for what, member := range map[string]string{"event": "id", "run": "id", "request": "path"} {
		trigger := "trigger: { event: { types: [order.placed] } }\n"
		if what == "request" {
			trigger = "trigger: { http: { method: GET, path: /x } }\n"
		}
		for place, format := range places {
			p, _ := project{"a.yaml": "pipeline: a\n" + trigger + fmt.Sprintf(format, what, member)}.compile(t)
			got := p.Pipeline("a").Uses
			if want := (program.Uses{Event: what == "event", Run: what == "run", Request: what == "request"}); got != want {
				t.Errorf("%s read in %s: %+v", what, place, got)
			}
		}
	}
	p, _ := project{"a.yaml": "pipeline: a\ntrigger: { event: { types: [a.b], where: 'event.attempt < 3' } }\nsteps: [ { log: { message: x } } ]\n"}.compile(t)
	if !p.Pipeline("a").Uses.Event {
		t.Error("the trigger's own expression reads the event, which is not built")
	}
}

// TestEventsFromOutsideAreCompleted as publish does: checked, and given their key.
func TestEventsFromOutsideAreCompleted(t *testing.T) {
	t.Parallel()
	p, _ := whole.compile(t)
	for _, tt := range []struct {
		event, data, key, given, says string
	}{
		{"order.placed", `{"id":"A-1"}`, "A-1", "", ""},
		{"order.placed", `{"id":"A-1"}`, "mine", "mine", ""},
		{"order.placed", `{"id":"A"}`, "", "", "/id"},
		{"order.placed", `{"total":1}`, "", "", "the whole document"},
		{"order.paid", `{"anything":1}`, "", "", ""},
		{"never.declared", `[1]`, "", "", ""},
	} {
		ev := &pipelined.Event{Type: tt.event, Data: tt.data, Key: tt.given}
		err := p.CompleteEvent(ev)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) || err == nil && ev.Key != tt.key {
			t.Errorf("%s %s: key %q, %v", tt.event, tt.data, ev.Key, err)
		}
	}
}

// TestEventLoopsAreSeen: in random projects, a loop is reported exactly where one can go
// from an event round to itself.
func TestEventLoopsAreSeen(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		n := 2 + r.IntN(5)
		edge := make([][]bool, n) // pipeline i publishes what j takes
		files := project{}
		for i := range n {
			edge[i] = make([]bool, n)
			steps := "  - log: { message: x }\n"
			for j := range n {
				if r.IntN(4) == 0 {
					edge[i][j] = true
					steps += fmt.Sprintf("  - publish: { event: to.p%d, data: {} }\n", j)
				}
			}
			files[fmt.Sprintf("p%d.yaml", i)] = fmt.Sprintf("pipeline: p%d\ntrigger: { event: { types: [to.p%d] } }\nsteps:\n%s", i, i, steps)
		}
		for k := range n { // what reaches what
			for i := range n {
				for j := range n {
					edge[i][j] = edge[i][j] || edge[i][k] && edge[k][j]
				}
			}
		}
		_, findings := files.compile(t)
		told := map[string]bool{}
		for _, d := range findings {
			if d.Code.ID != program.CodeEventLoop.ID {
				continue
			}
			_, way, _ := strings.Cut(d.Summary, ": ")
			for _, name := range strings.Split(way, " → ") {
				told[name] = true
			}
		}
		for i := range n {
			if name := fmt.Sprintf("p%d", i); edge[i][i] != told[name] {
				t.Errorf("%s goes round: %v, told: %v\n%v", name, edge[i][i], told[name], files)
			}
		}
	}
}
