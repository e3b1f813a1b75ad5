package engine_test

import (
	"strings"
	"testing"

	"pipelined/internal/store"
)

// TestWhatIsTakenIsDropped has an event acknowledged behind the engine's back while its
// delivery waits: what comes of it leaves nothing, and it does not run again.
func TestWhatIsTakenIsDropped(t *testing.T) {
	t.Parallel()
	h := start(t, `pipeline: work
trigger: { event: { types: [job.new] } }
steps:
  - object_store.put: { collection: done, document: { n: 1 } }
`)
	h.publish("job.new", `{}`)
	if _, err := h.store.Commit(t.Context(), &store.Batch{Acks: []store.Ack{{Subscription: "work", Epoch: 1, Seq: 1}}}); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if s := h.engine.View().Pipelines; len(s) != 1 || s[0].Taken != 1 || s[0].OK != 0 {
		t.Errorf("%+v", s)
	}
	h.restart()
	h.settle()
	if n := len(h.docs("done")) + len(h.docs("dead_letters")); n != 0 || !strings.Contains(h.log.String(), "what came of an event is dropped") {
		t.Errorf("%d outcomes\n%s", n, h.log)
	}
}
