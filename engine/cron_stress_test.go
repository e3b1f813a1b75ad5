package engine_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"pipelined/internal/store"
)

// everyMinute inserts a document for each tick: a doubled one would fail and leave a
// dead letter.
const everyMinute = `pipeline: minute
trigger: { cron: { schedule: "* * * * *", missed: %MISSED%, overlap: %OVERLAP% } }
steps:
  - object_store.insert: { collection: ticks, id: "${{ schedule.time }}", document: {} }
`

func minutely(missed, overlap string) string {
	return strings.NewReplacer("%MISSED%", missed, "%OVERLAP%", overlap).Replace(everyMinute)
}

// count is how many documents a collection holds.
func (h *harness) count(collection string) int {
	h.t.Helper()
	n, err := h.store.Count(h.t.Context(), collection, store.Exact)
	if err != nil {
		h.t.Fatal(err)
	}
	return int(n)
}

func (h *harness) noDeadLetters() {
	h.t.Helper()
	if list := h.docs("dead_letters"); len(list) > 0 {
		h.t.Errorf("%d dead letters, such as %v", len(list), list[0])
	}
}

func TestTheClockJumps(t *testing.T) {
	t.Parallel()
	for missed, want := range map[string]struct{ forward, down int }{
		"skip":   {1, 0}, // the tick of the very moment is on time
		"latest": {1, 1},
		"all":    {1440, 90},
	} {
		t.Run(missed, func(t *testing.T) {
			t.Parallel()
			h := start(t, minutely(missed, "skip"))
			h.advance(10*time.Minute, time.Minute)
			if n := h.count("ticks"); n != 10 {
				t.Fatalf("%d ticks in ten minutes", n)
			}
			h.clock.Advance(24 * time.Hour)
			h.settle()
			if n := h.count("ticks") - 10; n != want.forward {
				t.Errorf("a day forward: %d ticks, want %d", n, want.forward)
			}
			n := h.count("ticks")
			h.clock.Advance(-time.Hour) // what was is not again
			h.settle()
			h.advance(59*time.Minute, time.Minute)
			h.restart()
			h.settle()
			if more := h.count("ticks") - n; more != 0 {
				t.Errorf("an hour back: %d ticks again", more)
			}
			h.advance(6*time.Minute, time.Minute)
			if more := h.count("ticks") - n; more != 5 {
				t.Errorf("past where it was: %d ticks, want 5", more)
			}
			n = h.count("ticks")
			h.engine.Close()
			h.store.Close()
			h.clock.Advance(90*time.Minute + 30*time.Second)
			h.open()
			h.settle()
			if more := h.count("ticks") - n; more != want.down {
				t.Errorf("90 minutes down: %d ticks, want %d", more, want.down)
			}
			h.noDeadLetters()
		})
	}
}

// TestMoreIsMissedThanFitsInMemory makes up for more ticks than wait in memory.
func TestMoreIsMissedThanFitsInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs twenty thousand ticks; -short leaves it out")
	}
	t.Parallel()
	for _, overlap := range []string{"skip", "allow"} {
		t.Run(overlap, func(t *testing.T) {
			t.Parallel()
			h := start(t, minutely("all", overlap))
			h.advance(time.Minute, time.Minute)
			const down = 11_000
			h.engine.Close()
			h.store.Close()
			h.clock.Advance(down * time.Minute)
			h.open()
			h.settle()
			if n := h.count("ticks"); n != 1+down {
				t.Errorf("%d ticks, want %d", n, 1+down)
			}
			h.noDeadLetters()
		})
	}
}

// TestAReloadAtTheVeryInstantOfATick replaces the definition when a tick is due and
// has not run: it runs once, whether the schedule changed or not.
func TestAReloadAtTheVeryInstantOfATick(t *testing.T) {
	t.Parallel()
	h := start(t, minutely("skip", "skip"))
	swap := func(text string) {
		t.Helper()
		h.write(text)
		if err := h.engine.Swap(t.Context(), h.compile()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		h.clock.Advance(time.Minute)
		swap(minutely("skip", "skip") + fmt.Sprintf("  - log: { message: revision %d }\n", i))
		h.settle()
		swap(minutely("skip", "skip"))
		h.settle()
	}
	if n := h.count("ticks"); n != 10 {
		t.Errorf("%d ticks of 10", n)
	}
	h.noDeadLetters()
}

// TestManySchedulesAtTheSameSecond has ten thousand pipelines due at once.
func TestManySchedulesAtTheSameSecond(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles ten thousand pipelines; -short leaves it out")
	}
	t.Parallel()
	const n = 10_000
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "-- p%d.yaml --\npipeline: p%d\ntrigger: { cron: { schedule: \"0 * * * *\" } }\nsteps:\n  - object_store.insert: { collection: ticks, id: \"p%d ${{ schedule.time }}\", document: {} }\n", i, i, i)
	}
	h := start(t, b.String())
	before := runtime.NumGoroutine()
	for hour := 1; hour <= 2; hour++ {
		h.clock.Advance(30 * time.Minute)
		h.settle()
		h.clock.Advance(30 * time.Minute)
		h.settle()
		if got := h.count("ticks"); got != hour*n {
			t.Errorf("%d ticks after %d hours, want %d", got, hour, hour*n)
		}
	}
	if after := runtime.NumGoroutine(); after > before+100 {
		t.Errorf("%d goroutines more", after-before)
	}
	h.noDeadLetters()
}

// TestOverlap has ticks come while the one before still runs.
func TestOverlap(t *testing.T) {
	t.Parallel()
	for overlap, want := range map[string]struct{ during, after int }{
		"skip":  {1, 1}, // the ticks that came meanwhile do not take place
		"queue": {1, 3}, // they take place one after the other
		"allow": {3, 3}, // they run beside it
	} {
		t.Run(overlap, func(t *testing.T) {
			t.Parallel()
			over, asked := make(chan struct{}), make(chan struct{}, 10)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked <- struct{}{}
				<-over
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(s.Close)
			h := start(t, strings.Replace(minutely("all", overlap), "steps:\n", "steps:\n  - rest: { url: \""+s.URL+"\" }\n", 1))
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- h.engine.Run(ctx) }()
			h.sleeping(2) // the scheduler and the housekeeping
			began := func(n int) {
				t.Helper()
				for range n {
					select {
					case <-asked:
					case <-time.After(10 * time.Second):
						t.Fatalf("a tick does not begin\n%s", h.log)
					}
				}
			}
			for i := range 3 {
				h.clock.Advance(time.Minute)
				if i == 0 || overlap == "allow" {
					began(1)
				}
				h.sleeping(2)
			}
			if len(asked) > 0 {
				t.Errorf("more than %d began", want.during)
			}
			close(over)
			began(want.after - want.during)
			for deadline := time.Now().Add(10 * time.Second); h.count("ticks") < want.after && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if n := h.count("ticks"); n != want.after {
				t.Errorf("%d ticks, want %d", n, want.after)
			}
			skipped := int64(3 - want.after)
			if st := h.engine.View().Pipelines; len(st) != 1 || st[0].SkippedTicks != skipped {
				t.Errorf("%+v, want %d skipped", st, skipped)
			}
		})
	}
}

// sleeping waits until at least n timers of the clock are waited for.
func (h *harness) sleeping(n int) {
	h.t.Helper()
	for deadline := time.After(10 * time.Second); ; {
		have, changed := h.clock.Timers()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			h.t.Fatalf("%d timers, want %d", have, n)
		}
	}
}

// TestOneRunMakesUpForAnyNumber: however many ticks passed, latest runs once and skip not
// at all.
func TestOneRunMakesUpForAnyNumber(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]int{"latest": 2, "skip": 1} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			h := start(t, `pipeline: minutes
trigger: { cron: { schedule: "* * * * *", missed: `+policy+` } }
steps: [ { object_store.put: { collection: runs, document: {} } } ]
`)
			h.clock.Advance(time.Minute)
			h.settle()
			h.engine.Close()
			h.clock.Advance(20*24*time.Hour + 30*time.Second)
			h.restart()
			h.settle()
			h.settle()
			if n := len(h.docs("runs")); n != want {
				t.Errorf("%d runs, want %d", n, want)
			}
			if s := h.stats("minutes"); s.MissedTicks != int64(20*24*60+1-want) || s.SkippedTicks != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}
