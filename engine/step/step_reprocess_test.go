package step_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined/engine/enginetest"
)

// record is an error record, due so long after the beginning.
func record(id string, attempts int, due time.Duration, more string) string {
	at := enginetest.Epoch.Add(due).Format("2006-01-02T15:04:05.000000Z")
	return fmt.Sprintf(`{"id":%q,"pipeline":"other","step":"s","status":"pending","attempts":%d,"next_attempt_at":%q,"first_failed_at":%q,"last_failed_at":%q,
		"error":{"type":"a/b","title":"T"},"event":{"id":%q,"type":"order.new","source":"/x","data":{"n":%d}},"input":{"n":%d},"history":[]%s}`, id, attempts, at, at, at, id, attempts, attempts, more)
}

const reprocessing = "  - name: it\n    reprocess:\n      collection: errs\n      max_attempts: 3\n%s      exhausted:\n%s"

// TestReprocess: what is due is published again or given up, what is not waits, and the
// state of a record says which.
func TestReprocess(t *testing.T) {
	t.Parallel()
	p := stage(t, files("steps:\n"+fmt.Sprintf(reprocessing, "", say(8, "[item.id, input.id, error.type]")+list(8, "object_store.put: { collection: out, id: \"${{ item.id }}\", document: {} }"))+say(2, "steps.it")))
	p.Seed("errs", "r1", record("r1", 1, 0, ""))
	p.Seed("errs", "r2", record("r2", 2, -time.Hour, ""))
	p.Seed("errs", "later", record("later", 1, time.Minute, ""))
	p.Seed("errs", "limit", record("limit", 3, 0, ""))
	p.Seed("errs", "never", record("never", 1, 0, `,"permanent":true`))
	p.Seed("errs", "done", strings.Replace(record("done", 1, 0, ""), "pending", "resolved", 1))
	p.again(0).ok()
	status := map[string]string{}
	for id, d := range p.Documents("errs") {
		status[id] = fmt.Sprint(d["status"])
	}
	if want := "map[done:resolved later:pending limit:exhausted never:exhausted r1:reprocessing r2:reprocessing]"; fmt.Sprint(status) != want {
		t.Errorf("the records are %v, want %s", status, want)
	}
	if want := `["limit","limit","a/b"] ["never","never","a/b"] {"exhausted":2,"republished":2}`; strings.Join(p.said, " ") != want {
		t.Errorf("said is %v, want %s", p.said, want)
	}
	var events []string
	for _, ev := range p.Room.Events("order.new") {
		events = append(events, fmt.Sprint(ev.ID, ev.Attempt))
	}
	if fmt.Sprint(events) != "[r22 r12]" && fmt.Sprint(events) != "[r23 r12]" {
		t.Errorf("published again are %v", events)
	}
	if left := p.left("out"); left != `{"out/limit":{},"out/never":{}}` {
		t.Errorf("exhausted left %s", left)
	}
	p.said = nil
	if p.again(0).ok(); strings.Join(p.said, " ") != `{"exhausted":0,"republished":0}` {
		t.Errorf("a second run says %v", p.said)
	}
}

// TestReprocessTakesABatch, those that are due longest first, and goes on with the rest.
func TestReprocessTakesABatch(t *testing.T) {
	t.Parallel()
	p := stage(t, files("steps:\n"+fmt.Sprintf(reprocessing, "      batch: 2\n      republish: order.again\n", "        []\n")+say(2, "steps.it.republished")))
	for i := range 5 {
		p.Seed("errs", fmt.Sprint("r", i), record(fmt.Sprint("r", i), 1, -time.Duration(i)*time.Minute, ""))
	}
	for range 3 {
		p.again(0).ok()
	}
	var ids []string
	for _, ev := range p.Room.Events("order.again") {
		ids = append(ids, ev.ID)
	}
	if fmt.Sprint(p.said, ids) != "[2 2 1] [r4 r3 r2 r1 r0]" {
		t.Errorf("%v %v", p.said, ids)
	}
}

// TestReprocessThatFails leaves the records as they were.
func TestReprocessThatFails(t *testing.T) {
	t.Parallel()
	p := stage(t, files("steps:\n"+fmt.Sprintf(reprocessing, "", "        - { name: inner, fail: { type: job/broken } }\n")))
	p.Seed("errs", "limit", record("limit", 3, 0, ""))
	p.again(0)
	if q := p.failed("job/broken", 500); q.Step != "inner" || p.Documents("errs")["limit"]["status"] != "pending" {
		t.Errorf("it ended %s, the record is %v", p.outcome(), p.Documents("errs")["limit"])
	}
	p = stage(t, files("steps:\n"+fmt.Sprintf(reprocessing, "", "        []\n")))
	p.Seed("errs", "x", `{"status":"pending","next_attempt_at":"2020-01-01T00:00:00.000000Z","attempts":"many"}`)
	if q := p.again(0).failed("reprocess/record", 500); !strings.Contains(q.Detail, "errs") {
		t.Errorf("it is told as %s", p.outcome())
	}
}
