package step_test

import (
	"fmt"
	"strings"
	"testing"
)

// readers are all that can read a stream: steps that end well with one that is fresh.
var readers = map[string]string{
	"foreach":             "foreach: %s\nsteps: []",
	"foreach, concurrent": "foreach: %s\nconcurrency: 2\nsteps: []",
	"csv.format":          "csv.format: { rows: \"${{ %s }}\", columns: [n] }",
	"db.batch":            "db.batch: { connection: local, sql: \"insert into t (n) values (:n)\", items: \"${{ %s }}\" }",
}

// strangers are what cannot read one: each says so, instead of writing something else.
var strangers = map[string]string{
	"json.format":           "json.format: { value: \"${{ %s }}\" }",
	"a body":                "respond: { body: \"${{ %s }}\" }",
	"a text":                "respond: { headers: { a: \"x ${{ %s }}\" } }",
	"the data of an event":  "publish: { event: job.done, data: \"${{ %s }}\" }",
	"within data":           "publish: { event: job.done, data: { rows: \"${{ %s }}\" } }",
	"a document":            "object_store.put: { collection: c, id: a, document: { rows: \"${{ %s }}\" } }",
	"merge":                 "object_store.update: { collection: c, id: a, merge: { rows: \"${{ %s }}\" } }",
	"a log line":            "log: { message: hi, fields: { rows: \"${{ %s }}\" } }",
	"a function of a list":  "set: { a: \"${{ len(%s) }}\" }",
	"a loop of expressions": "set: { a: \"${{ map(%s, #) }}\" }",
	"toJSON":                "set: { a: \"${{ toJSON(%s) }}\" }",
	"an index":              "set: { a: \"${{ %s[input.n] }}\" }",
	"first":                 "set: { a: \"${{ first(%s) }}\" }",
	"arguments of SQL":      "db.exec: { connection: local, sql: \"insert into t (n) values (:n)\", args: { n: \"${{ %s }}\" } }",
}

// makers are the steps that make one, and where it is in their result.
var makers = map[string][2]string{
	"object_store.find": {"object_store.find: { collection: many, stream: true, order_by: [n] }", "steps.it.documents"},
	"a connector":       {"probe: { do: stream, with: [ { n: 1 }, { n: 2 } ] }", "steps.it.rows"},
	"db.query":          {"db.query: { connection: local, sql: \"select 1 as n union select 2\", stream: true }", "steps.it.rows"},
}

const local = "-- pipelined.yaml --\nproject: shop\nconnections: { local: { db: { driver: sqlite, path: local.db, create: true } } }\n-- work.yaml --\npipeline: work\nsteps:\n" +
	"  - db.exec: { connection: local, sql: create table if not exists t (n integer) }\n"

// staged is a room in which steps read a stream of two rows.
func staged(t *testing.T, steps string) *play {
	t.Helper()
	p := stage(t, local+steps)
	p.Seed("many", "a", `{"n":1}`)
	p.Seed("many", "b", `{"n":2}`)
	return p.again(0)
}

// TestAStreamIsReadOnce: the second reader, whichever and after whichever, is told, with
// the step that made the stream and what to do; it never takes it for an empty one.
func TestAStreamIsReadOnce(t *testing.T) {
	t.Parallel()
	for maker, made := range makers {
		for first, one := range readers {
			t.Run(maker+", "+first, func(t *testing.T) {
				t.Parallel()
				staged(t, it(2, made[0])+list(2, fmt.Sprintf(one, made[1]))).ok()
				for second, two := range readers {
					p := staged(t, it(2, made[0])+list(2, fmt.Sprintf(one, made[1]))+list(2, "name: second\n"+fmt.Sprintf(two, made[1])))
					q := p.failed("engine/stream", 500)
					if q.Step != "second" || !strings.Contains(q.Detail, "of the step it (pipeline work, line 5)") || !strings.Contains(q.Detail, "run that step again") || q.Retriable {
						t.Errorf("%s: it is told as %s", second, p.outcome())
					}
				}
			})
		}
	}
}

// TestAStreamCannotBeWritten, by anything that is no reader.
func TestAStreamCannotBeWritten(t *testing.T) {
	t.Parallel()
	for what, body := range strangers {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := staged(t, it(2, makers["a connector"][0])+list(2, "name: second\n"+fmt.Sprintf(body, "steps.it.rows")))
			if p.Problem == nil || p.Problem.Step != "second" || !strings.Contains(p.Problem.Title+p.Problem.Detail, "stream") {
				t.Errorf("it ended %s", p.outcome())
			}
		})
	}
}

// TestAStreamElsewhere: branches, a called pipeline, a retry and a reader that gave up see
// the one stream there is.
func TestAStreamElsewhere(t *testing.T) {
	t.Parallel()
	stream := it(2, makers["a connector"][0])
	tests := map[string]struct{ steps, problem, detail string }{
		"two branches": {stream + "  - parallel:\n      a: [ { foreach: steps.it.rows, steps: [ { delay: 1s } ] } ]\n      b: [ { foreach: steps.it.rows, steps: [ { delay: 1s } ] } ]", "engine/stream", "was read before"},
		"a called pipeline": {stream + "  - call: { pipeline: reads, with: \"${{ steps.it }}\" }\n  - foreach: steps.it.rows\n    steps: []\n-- reads.yaml --\npipeline: reads\nsteps:\n  - foreach: input.rows\n    steps: []",
			"engine/stream", "of the step it (pipeline work, line 5)"},
		"a reader that stopped in the middle": {stream + "  - try:\n      - foreach: steps.it.rows\n        steps: [ { fail: { type: job/broken } } ]\n    catch:\n      - foreach: steps.it.rows\n        steps: []", "engine/stream", "was read before"},
		"a retry of the reader":               {stream + "  - foreach: steps.it.rows\n    steps: [ { fail: { type: job/broken } } ]\n    retry: { attempts: 3, when: \"true\", initial: 1s }", "engine/stream", "was read before"},
		"a retry of both": {"  - retry: { attempts: 2, when: \"true\", initial: 1s }\n    on_error: continue\n    finally: []\n    try:\n" + it(6, makers["a connector"][0]) +
			"      - foreach: steps.it.rows\n        steps: [ { probe: { do: say, with: \"${{ item.n }}\" } } ]\n      - fail: { type: job/broken }", "", ""},
		"each turn its own": {"  - foreach: 1..3\n    steps:\n" + it(6, makers["a connector"][0]) + "      - foreach: steps.it.rows\n        as: row\n        steps: [ { probe: { do: say, with: \"${{ row.n }}\" } } ]", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := staged(t, tt.steps)
			if tt.problem == "" {
				p.ok()
				if n := len(p.said); n != map[string]int{"a retry of both": 4, "each turn its own": 6}[name] {
					t.Errorf("%d rows were read: %v", n, p.said)
				}
				return
			}
			if q := p.failed(tt.problem, 500); !strings.Contains(q.Detail, tt.detail) {
				t.Errorf("it is told as %s", p.outcome())
			}
			if name == "a retry of the reader" && (p.Problem.Cause == nil || p.Problem.Cause.Type != "job/broken") {
				t.Errorf("what the first try failed of is not told: %s", p.outcome())
			}
		})
	}
}

// TestNoStreamIsLeftOpen, whether it was read, read in part, or not at all.
func TestNoStreamIsLeftOpen(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]string{
		"read":     "  - foreach: steps.it.rows\n    steps: []",
		"in part":  "  - foreach: steps.it.rows\n    steps: [ { stop: true } ]",
		"not":      "  - log: { message: hi }",
		"a panic":  "  - probe: { do: panic }\n    on_error: continue",
		"by a csv": "  - csv.format: { rows: \"${{ steps.it.rows }}\" }\n    on_error: continue",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := stage(t, files("steps:\n"+it(2, "probe: { do: rows }")+steps))
			r := p.rows(1, 2, 3)
			if p.again(0).ok(); r.closed == 0 {
				t.Error("it is open")
			}
		})
	}
}
