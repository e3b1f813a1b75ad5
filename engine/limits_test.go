package engine_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
)

// TestWhatIsTooMuch runs what would take for ever or fill the memory, and wants an
// error that says what it was, soon.
func TestWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		piece := make([]byte, 64<<10)
		for range (2 << 30) / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	long := strings.Repeat("7", 1_000_000)
	for name, c := range map[string]struct {
		steps, input string
		status       int
		logged, says string
	}{
		"an endless while": {"  - while: true\n    steps: [ { set: { x: 1 } } ]\n", `{}`, 500, "1000", ""},
		"a while that is allowed to go on": {"  - while: true\n    max_iterations: 10000000\n    timeout: 100ms\n    steps: [ { set: { x: 1 } } ]\n", `{}`, 504,
			"engine/timeout", ""},
		"loops in loops":        {"  - set: { x: \"${{ count(1..4000, count(1..4000, true) > 0) }}\" }\n", `{}`, 500, "makes too much", ""},
		"a long list in itself": {"  - set: { x: \"${{ count(input.l, count(input.l, true) > 0) }}\" }\n", `{"l":[` + strings.Repeat("1,", 5000) + `1]}`, 500, "takes too long", ""},
		"a text that doubles":   {"  - set: { x: \"${{ reduce(1..60, #acc + #acc, 'xxxxxxxx') }}\" }\n", `{}`, 500, "larger than 10 MB", ""},
		"a text repeated":       {"  - set: { x: \"${{ repeat('x', 1000000000) }}\" }\n", `{}`, 500, "larger than 10 MB", ""},
		"a long range":          {"  - set: { x: \"${{ 1..1000000000 }}\" }\n", `{}`, 500, "x", ""},
		"a pattern that backtracks elsewhere": {"  - set: { x: \"${{ input.s matches '^(a+)+$' }}\" }\n  - respond: { body: \"${{ vars.x }}\" }\n",
			`{"s":"` + strings.Repeat("a", 50_000) + `!"}`, 200, "", "false"},
		"2 GB from a service":            {"  - rest: { url: \"" + endless.URL + "\", max_response: 1MB }\n", `{}`, 502, "1", ""},
		"a deep body":                    {"", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), 400, "", "deep"},
		"a body that is too large":       {"", `"` + strings.Repeat("x", 2<<20) + `"`, 413, "", "too-large"},
		"a number of a million digits":   {"", `{"n":` + long + `}`, 400, "", "more than 1000 digits"},
		"the largest number computed on": {"  - respond: { body: \"${{ input.n + 1 }}\" }\n", `{"n":` + long[:900] + `}`, 500, "too large", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := c.steps
			if steps == "" {
				steps = "  - respond: { body: ok }\n"
			}
			h := start(t, "pipeline: run\ntrigger: { http: { method: POST, path: /run } }\nsteps:\n"+steps)
			begun := time.Now()
			a := h.post("/run", c.input)
			if a.status != c.status || !strings.Contains(a.body, c.says) || !strings.Contains(h.log.String(), c.logged) {
				t.Errorf("%d %.300s\n%.600s", a.status, a.body, h.log)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestTooManyRequestsAtATime answers with when to come again.
func TestTooManyRequestsAtATime(t *testing.T) {
	t.Parallel()
	url, asked := stuck(t)
	h := start(t, "pipeline: run\ntrigger: { http: { method: POST, path: /run } }\nsteps:\n  - rest: { url: \""+url+"\" }\n")
	h.limit(4)
	for range 4 {
		go h.post("/run", `{}`)
		<-asked
	}
	a := h.post("/run", `{}`)
	if a.status != 503 || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, "Too many requests are running") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestABacklogOfAnySizeTakesTheSameMemory publishes far more than a subscription
// keeps in memory while it is stuck.
func TestABacklogOfAnySizeTakesTheSameMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it publishes 200,000 events; -short leaves it out")
	}
	url, asked := stuck(t)
	h := (&harness{t: t, disk: enginetest.NewFile(t)}).begin("pipeline: slow\ntrigger: { event: { types: [go], concurrency: 2 } }\nsteps:\n  - rest: { url: \"" + url + "\", timeout: 1h }\n")
	publish := func(n int) {
		t.Helper()
		pad := strings.Repeat("x", 1000)
		var failed atomic.Int64
		for i := 0; i < n; i += 500 {
			b := &store.Batch{}
			for k := range 500 {
				b.Events = append(b.Events, &pipelined.Event{ID: fmt.Sprint(n, "-", i+k), Type: "go", Time: epoch, Data: `{"pad":"` + pad + `"}`, Attempt: 1})
			}
			if _, err := h.engine.Commit(t.Context(), b); err != nil {
				failed.Add(1)
			}
		}
		if failed.Load() > 0 {
			t.Fatalf("%d batches failed", failed.Load())
		}
	}
	go func() { _ = h.engine.Run(t.Context()) }()
	publish(20_000)
	<-asked
	heap := func() uint64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
			time.Sleep(50 * time.Millisecond)
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	publish(180_000)
	if after := heap(); after > before+40<<20 {
		t.Errorf("the heap grew from %d to %d MB with 180 MB of events", before>>20, after>>20)
	}
	st := h.engine.View().Subscriptions[0]
	if st.Lag < 150_000 || st.Ready > 5000 {
		t.Errorf("%+v", st)
	}
}

// TestASlowBodyTakesNoPlace holds no place for a caller that sends
// nothing.
func TestASlowBodyTakesNoPlace(t *testing.T) {
	t.Parallel()
	h := start(t, "pipeline: run\ntrigger: { http: { method: POST, path: /run } }\nsteps:\n  - respond: { body: ok }\n")
	h.limit(1)
	body, feed := io.Pipe()
	t.Cleanup(func() { feed.Close() })
	answered := make(chan int, 1)
	go func() {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/run", body)
		w := httptest.NewRecorder()
		h.engine.ServeHTTP(w, r)
		answered <- w.Code
	}()
	if _, err := feed.Write([]byte(`{"n":`)); err != nil {
		t.Fatal(err)
	}
	if a := h.post("/run", `{}`); a.status != 200 {
		t.Errorf("another caller got %d %s", a.status, a.body)
	}
	if _, err := feed.Write([]byte(`1}`)); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if code := <-answered; code != 200 {
		t.Errorf("the slow caller got %d", code)
	}
}
