package step_test

import (
	"testing"

	"pipelined/engine/step"
	"pipelined/internal/value"
)

// member is a key of a step in one of its forms, in what goes well, what fails and what
// takes an hour. Where one of them is empty the key has none.
type member struct {
	key, form string
	ok, want  string // what it does, and its result as JSON
	ends      bool   // it ends the list it stands in
	fail      string // what fails, after it wrote what must not stay
	problem   string // type of that
	status    int
	at        string // the step that is told; empty: it
	connector string // the key that is told; empty: that of the member
	slow      string // what takes an hour, and goes well then
}

// inner are steps inside of others: one that writes, and one that fails or waits.
const (
	fails = "- object_store.put: { collection: out, id: dropped, document: {} }\n- { name: inner, fail: { type: job/broken, status: 503, retriable: true } }"
	waits = "- object_store.put: { collection: slow, id: part, document: {} }\n- { name: inner, delay: 1h }"
	echo  = "- { name: one, probe: { do: echo, with: 1 } }"
)

// block is a key with lines of steps below it.
func block(key, steps string) string {
	out := key + ":\n"
	for _, line := range lines(steps) {
		out += "  " + line + "\n"
	}
	return out
}

func lines(s string) (out []string) {
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != '\n' {
			i++
		}
		out = append(out, s[:i])
		s = s[min(i+1, len(s)):]
	}
	return out
}

// called are the pipelines that members call.
const called = `
-- good.yaml --
pipeline: good
steps:
  - respond: { body: { got: "${{ input.n }}" } }
-- bad.yaml --
pipeline: bad
steps:
  - object_store.put: { collection: out, id: dropped, document: {} }
  - { name: inner, fail: { type: job/broken, status: 503, retriable: true } }
-- slow.yaml --
pipeline: slow
steps:
  - object_store.put: { collection: slow, id: part, document: {} }
  - { name: inner, delay: 1h }
`

// within is a member that is made of steps: what is below it, three times.
func within(key, form, head, want string) member {
	m := member{key: key, form: form, want: want, problem: "job/broken", status: 503, at: "inner", connector: "fail"}
	m.ok, m.fail, m.slow = head+block("steps", echo), head+block("steps", fails), head+block("steps", waits)
	if key == "while" { // a variable that a try has set is there in the next
		turn := "- set: { turned: \"${{ (vars.turned ?? 0) + 1 }}\" }\n"
		m.ok = "while: (vars.turned ?? 0) < 1\n" + block("steps", turn+echo)
		m.fail, m.slow = head+block("steps", turn+fails), head+block("steps", turn+waits)
	}
	return m
}

// counted is a member whose result counts turns.
const counted = `{"failed":0,"items":[{"one":1}],"succeeded":1,"total":1}`

// members are all keys there are, in all their forms.
func members() []member {
	return append(append(flow(), plain()...), documents()...)
}

// flow are the keys that are made of steps.
func flow() []member {
	return []member{
		{key: "switch", ok: "switch:\n- { when: \"false\", steps: [ { fail: { type: no } } ] }\n" + "- when: input.n == 7\n" + indent(block("steps", echo)), want: "null",
			fail: "switch:\n- when: input.n == 7\n" + indent(block("steps", fails)), problem: "job/broken", status: 503, at: "inner", connector: "fail",
			slow: "switch:\n- else:\n" + indent(indent(waits))},
		{key: "switch", form: "a condition that fails", fail: "switch:\n- when: 1 / input.zero > 1\n  steps: []", problem: "expression/failed", status: 500},
		within("foreach", "", "foreach: \"[1]\"\n", counted),
		within("foreach", "concurrent", "foreach: \"[1]\"\nconcurrency: 2\n", counted),
		{key: "foreach", form: "no list", fail: "foreach: input.n\nsteps: []", problem: "expression/failed", status: 500},
		within("while", "", "while: (vars.turned ?? 0) < 3\n", `{"items":[{"one":1}],"total":1}`),
		{key: "while", form: "too often", fail: "while: \"true\"\nmax_iterations: 3\nsteps: []", problem: "engine/iterations", status: 500},
		within("until", "", "until: \"true\"\n", `{"items":[{"one":1}],"total":1}`),
		{key: "until", form: "too often", fail: "until: \"false\"\nmax_iterations: 3\nsteps: []", problem: "engine/iterations", status: 500},
		{key: "parallel", ok: "parallel:\n  left:\n" + indent(indent(echo)) + "  right: [ { delay: 1s } ]", want: `{"left":{"one":1},"right":{}}`,
			fail: "parallel:\n  left:\n" + indent(indent(fails)) + "  right: [ { delay: 1h } ]", problem: "job/broken", status: 503, at: "inner", connector: "fail",
			slow: "parallel:\n  left:\n" + indent(indent(waits)) + "  right: [ { delay: 1s } ]"},
		{key: "try", ok: block("try", fails) + block("catch", echo), want: "null",
			fail: block("try", fails) + "finally: [ { delay: 1s } ]", problem: "job/broken", status: 503, at: "inner", connector: "fail",
			slow: block("try", waits) + "finally: [ { set: { cleaned: true } } ]"},
		{key: "try", form: "catch", fail: "try: [ { fail: { type: job/first } } ]\n" + block("catch", fails), problem: "job/broken", status: 503, at: "inner", connector: "fail",
			slow: "try: [ { fail: { type: job/first } } ]\n" + block("catch", waits)},
		{key: "try", form: "finally", fail: "try: []\n" + block("finally", fails), problem: "job/broken", status: 503, at: "inner", connector: "fail"},
		{key: "call", ok: "call: { pipeline: good, with: { n: 3 } }", want: `{"got":3}`,
			fail: "call: { pipeline: bad }", problem: "job/broken", status: 503, at: "inner", connector: "fail", slow: "call: { pipeline: slow }"},
		{key: "reprocess", ok: "reprocess: { collection: errs, max_attempts: 3, exhausted: [] }", want: `{"exhausted":0,"republished":0}`},
	}
}

func indent(s string) string {
	out := ""
	for _, line := range lines(s) {
		out += "  " + line + "\n"
	}
	return out
}

// plain are the keys that are not made of steps, and connectors of each kind: outside,
// pure, and one that gives a stream.
func plain() []member {
	const zero = "\"${{ 1 / input.zero }}\""
	return []member{
		{key: "set", ok: `set: { a: "${{ input.n }}" }`, want: "null", fail: "set: { a: " + zero + " }", problem: "expression/failed", status: 500},
		{key: "respond", ok: "respond: { status: 201, body: hi }", want: "null", fail: "respond: { status: \"${{ input.n }}\" }", problem: "expression/failed", status: 500},
		{key: "respond", form: "problem", ok: "respond: { problem: { title: Hm } }", want: "null", fail: "respond: { problem: \"${{ input.n }}\" }", problem: "expression/failed", status: 500},
		{key: "stop", ok: "stop: true", ends: true},
		{key: "fail", fail: "fail: { type: job/broken, status: 409, detail: \"${{ input.id }}\" }", problem: "job/broken", status: 409},
		{key: "fail", form: "a type of the runtime's", fail: "fail: { type: \"${{ 'engine/' + input.text }}\" }", problem: "fail/type", status: 500},
		{key: "delay", ok: "delay: 1s", want: "null", fail: "delay: \"${{ input.text }}\"", problem: "expression/failed", status: 500, slow: "delay: 1h"},
		{key: "assert", ok: "assert: input.n == 7", want: "null", fail: "assert: input.n == 8\nstatus: 422", problem: "engine/assert", status: 422},
		{key: "publish", ok: "publish: { event: job.done, id: e-9 }", want: `{"event_id":"e-9"}`, fail: "publish: { event: job.done, id: \"${{ input.missing }}\" }", problem: "publish/id", status: 500},
		{key: "log", ok: "log: { message: hello }", want: "null", fail: "log: { message: " + zero + " }", problem: "expression/failed", status: 500},
		{key: "probe", ok: "probe: { do: echo, with: \"${{ input.list }}\" }", want: "[1,2,3]", fail: "probe: { do: fail }", problem: "engine/internal", status: 500, slow: "probe: { do: wait }"},
		{key: "json.format", ok: "json.format: { value: \"${{ input.list }}\" }", want: `"[1,2,3]"`, fail: "json.parse: { text: \"{\" }", problem: "json/parse", status: 422, connector: "json.parse"},
		{key: "csv.format", ok: "csv.format: { rows: \"${{ [input] }}\", columns: [n, id] }", want: `{"count":1,"text":"n,id\n7,a\n"}`, fail: "csv.format: { rows: 7 }", problem: "csv/rows", status: 500},
	}
}

// documents are the keys of the object store.
func documents() []member {
	const empty = "\"${{ input.missing ?? '' }}\""
	id := func(op, more string) string { return op + ": { collection: c, id: " + empty + more + " }" }
	where := func(op, more string) string {
		return op + ": { collection: kept, where: 1 / (doc.n - 1) > 0" + more + " }"
	}
	bad := func(m member) member { m.problem, m.status = "object_store/document", 500; return m }
	wrong := func(m member) member { m.problem, m.status = "expression/failed", 500; return m }
	return []member{
		bad(member{key: "object_store.put", ok: "object_store.put: { collection: c, id: a, document: { n: 1 } }", want: `{"_id":"a","_version":1}`, fail: id("object_store.put", ", document: {}")}),
		{key: "object_store.put", form: "a version that is not there", fail: "object_store.put: { collection: kept, id: a, document: {}, if_version: 7 }", problem: "object_store/conflict", status: 409},
		{key: "object_store.put", form: "no document", fail: "object_store.put: { collection: c, id: a, document: 7 }", problem: "object_store/document", status: 400},
		bad(member{key: "object_store.insert", ok: "object_store.insert: { collection: c, id: a, document: { n: 1 } }", want: `{"_id":"a","_version":1}`, fail: id("object_store.insert", ", document: {}")}),
		{key: "object_store.insert", form: "an id that exists", fail: "object_store.insert: { collection: kept, id: a, document: {} }", problem: "object_store/conflict", status: 409},
		bad(member{key: "object_store.get", ok: "object_store.get: { collection: c, id: none }", want: "null", fail: id("object_store.get", "")}),
		wrong(member{key: "object_store.find", ok: "object_store.find: { collection: kept, where: doc.n == 3, limit: 1 }", want: `{"count":0,"documents":[],"more":false}`, fail: where("object_store.find", ", limit: 5")}),
		wrong(member{key: "object_store.find", form: "limit", fail: "object_store.find: { collection: kept, limit: \"${{ input.text }}\" }"}),
		bad(member{key: "object_store.update", ok: "object_store.update: { collection: kept, id: a, merge: { m: 1 } }", want: `{"updated":1}`, fail: id("object_store.update", ", merge: {}")}),
		wrong(member{key: "object_store.update", form: "where", ok: "object_store.update: { collection: kept, where: doc.n == 3, merge: {} }", want: `{"updated":0}`, fail: where("object_store.update", ", merge: {}")}),
		bad(member{key: "object_store.delete", ok: "object_store.delete: { collection: kept, id: a }", want: `{"deleted":1}`, fail: id("object_store.delete", "")}),
		wrong(member{key: "object_store.delete", form: "where", ok: "object_store.delete: { collection: kept, where: doc.n == 3 }", want: `{"deleted":0}`, fail: where("object_store.delete", "")}),
		wrong(member{key: "object_store.count", ok: "object_store.count: { collection: kept }", want: `{"count":1}`, fail: where("object_store.count", "")}),
		wrong(member{key: "object_store.distinct", ok: "object_store.distinct: { collection: kept, field: n }", want: `{"values":[1]}`, fail: where("object_store.distinct", ", field: n")}),
	}
}

// set up is what members find: one document.
func (p *play) furnished() *play {
	p.Helper()
	p.Seed("kept", "a", `{"n":1}`)
	return p
}

// TestEveryKeyIsAMember: a key without a row here would be in none of the tests that run
// over the rows.
func TestEveryKeyIsAMember(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, m := range members() {
		have[m.key] = true
		if _, err := value.ParseString(m.want); m.ok != "" && !m.ends && err != nil {
			t.Errorf("%s %s: the result %q is not JSON: %v", m.key, m.form, m.want, err)
		}
	}
	for _, c := range step.Controls() {
		if !have[c.Key] {
			t.Errorf("%s has no row among the members", c.Key)
		}
	}
}
