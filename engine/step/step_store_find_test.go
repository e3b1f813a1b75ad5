package step_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pipelined"
	"pipelined/internal/store"
)

// full is a room with n documents in many, of which half have k: 1.
func full(t *testing.T, n int, steps string) *play {
	t.Helper()
	p := stage(t, files("steps:\n"+steps))
	b := &store.Batch{}
	for i := range n {
		b.Documents = append(b.Documents, store.Write{Collection: "many", ID: fmt.Sprintf("d%05d", i), Document: fmt.Sprintf(`{"n":%d,"k":%d}`, i, i%2)})
	}
	p.Commit(b)
	return p.again(0)
}

// TestFindSaysWhatItsLimitLeavesOut: exact around the limit, with an offset, with
// documents of the execution's own among the stored ones.
func TestFindSaysWhatItsLimitLeavesOut(t *testing.T) {
	t.Parallel()
	const own = "  - object_store.put: { collection: many, id: a-first, document: { n: -1, k: 0 } }\n  - object_store.delete: { collection: many, id: d00003 }\n"
	tests := []struct {
		n            int
		before, find string
		count        int
		more         bool
	}{
		{3, "", "limit: 5", 3, false},
		{5, "", "limit: 5", 5, false},
		{6, "", "limit: 5", 5, true},
		{6, "", "limit: 5, offset: 1", 5, false},
		{6, "", "limit: 5, offset: 9", 0, false},
		{0, "", "limit: 1", 0, false},
		{10, "", "limit: 5, where: doc.k == 1", 5, false},
		{12, "", "limit: 5, where: doc.k == 1", 5, true},
		{12, "", "limit: \"${{ input.n }}\"", 7, true},
		{1001, "", "limit: 0", 1001, false},
		{1001, "", "limit: 1000", 1000, true},
		{1001, "", "limit: 1000, offset: 1", 1000, false},
		{1000, "", "offset: 0", 1000, false},
		{1001, "", "where: doc.k == 1", 500, false},
		{6, own, "limit: 6", 6, false}, // one more and one less
		{6, own, "limit: 5", 5, true},
		{0, own, "limit: 1", 1, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.n, " ", tt.before != "", " ", tt.find), func(t *testing.T) {
			t.Parallel()
			p := full(t, tt.n, tt.before+it(2, "object_store.find: { collection: many, "+tt.find+" }")+
				list(2, "probe: { do: say, with: \"${{ [steps.it.count, len(steps.it.documents), steps.it.more] }}\" }")).ok()
			if want := fmt.Sprintf("[[%d,%d,%v]]", tt.count, tt.count, tt.more); fmt.Sprint(p.said) != want {
				t.Errorf("it says %v, want %s", p.said, want)
			}
		})
	}
}

// TestAFindWithoutALimitIsNeverCut: beyond 1000 it is an error that says what to write,
// whoever would have read the list; a stream is all there is.
func TestAFindWithoutALimitIsNeverCut(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]string{
		"foreach": "foreach: steps.it.documents\nsteps: []", "first": "set: { a: \"${{ first(steps.it.documents) }}\" }",
		"a count": "respond: { body: \"${{ steps.it.count }}\" }", "nobody": "log: { message: hi }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := full(t, 1001, it(2, "object_store.find: { collection: many }")+list(2, then)).failed("object_store/too-many", 500)
			for _, says := range []string{"1000", "many", "limit:", "stream: true"} {
				if !strings.Contains(q.Detail, says) {
					t.Errorf("it does not say %s: %s", says, q.Detail)
				}
			}
			if q.Step != "it" || q.Retriable || q.Told() != 500 {
				t.Errorf("it is told as %+v", q)
			}
		})
	}
	p := full(t, 1001, it(2, "object_store.find: { collection: many, stream: true }")+list(2, "name: all\nforeach: steps.it.documents\nsteps: []")+list(2, "probe: { do: say, with: \"${{ steps.all.total }}\" }")).ok()
	if fmt.Sprint(p.said) != "[1001]" {
		t.Errorf("a stream gave %v", p.said)
	}
	p = full(t, 9, it(2, "object_store.find: { collection: many, stream: true, limit: 4, offset: 2, order_by: [-n] }")+list(2, "foreach: steps.it.documents\nsteps: [ { probe: { do: say, with: \"${{ item.n }}\" } } ]")).ok()
	if fmt.Sprint(p.said) != "[6 5 4 3]" {
		t.Errorf("a part of a stream is %v", p.said)
	}
}

// TestTheDocumentThatOnlyTellsThatThereAreMore is not one that the execution has read: who
// changes it meanwhile makes no conflict.
func TestTheDocumentThatOnlyTellsThatThereAreMore(t *testing.T) {
	t.Parallel()
	p := stage(t, files("steps:\n"+it(2, "object_store.find: { collection: many, limit: 1 }")+list(2, "probe: { do: meanwhile }")+
		list(2, "object_store.put: { collection: many, id: b, document: { mine: true } }")))
	p.Seed("many", "a", `{}`)
	p.Seed("many", "b", `{}`)
	p.Probe.On("meanwhile", func(context.Context, any) (any, error) { p.Seed("many", "b", `{"n":1}`); return nil, nil })
	p.again(0).ok()
	if p.Probe.Calls("meanwhile") != 1 || p.Documents("many")["b"]["mine"] != true {
		t.Errorf("%d runs, and it is %v", p.Probe.Calls("meanwhile"), p.Documents("many")["b"])
	}
}

// TestAFindThatComputesItsBounds takes whole numbers from 0 and nothing else.
func TestAFindThatComputesItsBounds(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"input.text", "-1", "1.5", "nil", "input.list", "true"} {
		for _, key := range []string{"limit", "offset"} {
			p := full(t, 1, it(2, fmt.Sprintf("object_store.find: { collection: many, stream: true, %s: \"${{ [%s][0] }}\" }", key, v)))
			if q := p.failed(pipelined.TypeExpression, 500); !strings.Contains(q.Title, key+" is not a count") {
				t.Errorf("%s: %s is told as %s", key, v, p.outcome())
			}
		}
	}
}
