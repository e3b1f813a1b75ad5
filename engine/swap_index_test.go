package engine_test

import (
	"runtime"
	"testing"

	"pipelined/internal/store"
)

// TestAUniqueFieldGoesWithTheFilesThatDeclareIt: what the files before had is dropped when
// nothing runs by them any more; what the new ones have holds from the start.
func TestAUniqueFieldGoesWithTheFilesThatDeclareIt(t *testing.T) {
	t.Parallel()
	files := func(field string) string {
		return "-- pipelined.yaml --\nproject: p\ncollections: { people: { unique: [" + field + "] } }\n" +
			"-- a.yaml --\npipeline: a\ntrigger: { http: { method: GET, path: /a } }\nsteps: [ { respond: { body: 1 } } ]\n"
	}
	h := start(t, files("mail"))
	insert := func(id string) error {
		_, err := h.store.Commit(t.Context(), &store.Batch{Documents: []store.Write{{Collection: "people", ID: id, Document: `{"mail":"x","name":"y"}`}}})
		return err
	}
	if err := insert("first"); err != nil {
		t.Fatal(err)
	}
	if err := insert("second"); err == nil {
		t.Fatal("a value that is taken is taken again")
	}
	h.write(files("phone"))
	if err := h.engine.Swap(t.Context(), h.compile()); err != nil {
		t.Fatal(err)
	}
	for insert("second") != nil { // until nothing runs by the files before
		runtime.Gosched()
	}
	h.write(files("name"))
	if err := h.engine.Swap(t.Context(), h.compile()); err == nil {
		t.Fatal("documents that collide are accepted as unique")
	}
	if err := insert("third"); err != nil {
		t.Errorf("files that were refused leave something behind: %v", err)
	}
}
