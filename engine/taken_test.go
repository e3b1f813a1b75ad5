package engine_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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
	held, err := h.store.Acquire(t.Context(), "work")
	if err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	if _, err := h.store.Commit(t.Context(), &store.Batch{Acks: []store.Ack{{Subscription: "work", Epoch: held[0].Epoch, Seq: 1}}}); err != nil {
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

// TestATickThatIsDoneDoesNotRun has the moment of a schedule come that is done already,
// as after the clock was set back, and one that somebody else claims while it runs.
func TestATickThatIsDoneDoesNotRun(t *testing.T) {
	t.Parallel()
	var h *harness
	calls := 0
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if calls++; calls == 1 {
			claim(t, h, epoch.Add(90*time.Minute))
		}
	}))
	t.Cleanup(service.Close)
	h = start(t, strings.ReplaceAll(`pipeline: hourly
trigger: { cron: { schedule: "0 * * * *" } }
steps:
  - rest: { url: "URL" }
  - object_store.insert: { collection: ticks, id: "${{ schedule.time }}", document: {} }
`, "URL", service.URL))
	done := claim(t, h, epoch.Add(30*time.Minute))
	if _, err := h.store.Commit(t.Context(), &store.Batch{Claims: []store.Claim{done.Claim}}); err != nil {
		t.Fatal(err)
	}
	h.advance(3*time.Hour, 10*time.Minute)
	if n := len(h.docs("ticks")); n != 1 || calls != 2 { // ten was done, eleven is another's, twelve runs
		t.Errorf("%d ticks, %d calls\n%s", n, calls, h.log)
	}
	if s := h.engine.View().Pipelines; len(s) != 1 || s[0].Taken != 2 || s[0].OK != 1 {
		t.Errorf("%+v", s)
	}
}

// claim acquires a tick of hourly, as another process would.
func claim(t *testing.T, h *harness, at time.Time) store.Claimed {
	t.Helper()
	got, err := h.store.Claim(t.Context(), []store.Claim{store.Tick{Pipeline: "hourly", Scheduled: at}.Claim()})
	if err != nil || got[0].Err != nil {
		t.Error(got, err)
		return store.Claimed{}
	}
	return got[0]
}
