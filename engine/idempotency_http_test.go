package engine_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const payments = `
-- pay.yaml --
pipeline: pay
trigger: { http: { method: POST, path: "/pay/{account}", idempotency: { ttl: 1h, required: true } } }
steps:
  - when: input.fail == true
    fail: { type: pay/broken, title: Broken, status: 500 }
  - when: input.refuse == true
    fail: { type: pay/refused, title: Refused, status: 422 }
  - when: input.slow == true
    rest: { url: "URL" }
  - object_store.put: { collection: payments, document: "${{ input }}" }
  - name: all
    object_store.count: { collection: payments }
  - publish: { event: payment.made }
  - respond: { status: 201, headers: { x-account: "${{ request.params.account }}" }, body: { number: "${{ steps.all.count }}" } }
-- later.yaml --
pipeline: later
trigger: { http: { method: POST, path: /later, respond: accepted, idempotency: {} } }
steps:
  - object_store.put: { collection: later, document: "${{ input }}" }
-- silent.yaml --
pipeline: silent
trigger: { http: { method: POST, path: /silent, idempotency: { header: X-Request-Id } } }
steps:
  - object_store.put: { collection: silent, document: {} }
`

// keyed posts with a header.
func (h *harness) keyed(path, header, key, body string) answer {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set(header, key)
	}
	w := httptest.NewRecorder()
	h.engine.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func (h *harness) pay(key, body string) answer {
	h.t.Helper()
	return h.keyed("/pay/a", "Idempotency-Key", key, body)
}

func TestARepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	h := start(t, payments)
	first := h.pay(`"k-1"`, `{"amount":1}`)
	if first.status != 201 || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	for _, repeat := range []answer{h.pay(`"k-1"`, `{"amount":1}`), h.pay(`k-1`, `{"amount":1}`)} {
		if repeat.status != 201 || repeat.body != first.body || repeat.header.Get("X-Account") != "a" ||
			repeat.header.Get("Content-Type") != first.header.Get("Content-Type") || repeat.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%d %s %v", repeat.status, repeat.body, repeat.header)
		}
	}
	h.crash() // the answer is part of the commit
	if again := h.pay(`k-1`, `{"amount":1}`); again.body != first.body {
		t.Errorf("after a crash: %d %s", again.status, again.body)
	}
	if n := len(h.docs("payments")); n != 1 {
		t.Errorf("%d payments", n)
	}
	if n := len(h.events("payment.made")); n != 1 {
		t.Errorf("%d events", n)
	}
	h.clock.Advance(2 * time.Hour)
	if late := h.pay(`k-1`, `{"amount":1}`); late.status != 201 || late.body == first.body {
		t.Errorf("a key that is forgotten: %d %s", late.status, late.body)
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	h := start(t, payments)
	h.pay("k", `{"amount":1}`)
	for name, c := range map[string]struct {
		got    answer
		status int
		says   string
	}{
		"none":             {h.pay("", `{"amount":1}`), 400, "idempotency-key-missing"},
		"empty":            {h.pay(`""`, `{"amount":1}`), 400, "1 to 255 printable"},
		"long":             {h.pay(strings.Repeat("x", 256), `{"amount":1}`), 400, "1 to 255 printable"},
		"not printable":    {h.pay("schlüssel", `{"amount":1}`), 400, "1 to 255 printable"},
		"another body":     {h.pay("k", `{"amount":2}`), 422, "idempotency-key-reused"},
		"another path":     {h.keyed("/pay/b", "Idempotency-Key", "k", `{"amount":1}`), 422, "idempotency-key-reused"},
		"another query":    {h.keyed("/pay/a?x=1", "Idempotency-Key", "k", `{"amount":1}`), 422, "idempotency-key-reused"},
		"another pipeline": {h.keyed("/later", "Idempotency-Key", "k", `{"amount":1}`), 202, "id"},
		"need not be":      {h.keyed("/later", "Idempotency-Key", "", `{}`), 202, "id"},
	} {
		if c.got.status != c.status || !strings.Contains(c.got.body, c.says) {
			t.Errorf("%s: %d %s", name, c.got.status, c.got.body)
		}
	}
	if n := len(h.docs("payments")); n != 1 {
		t.Errorf("%d payments", n)
	}
}

// TestFailuresRunAgain repeats requests that had no effects.
func TestFailuresRunAgain(t *testing.T) {
	t.Parallel()
	h := start(t, payments)
	for key, body := range map[string]string{"k-500": `{"fail":true}`, "k-422": `{"refuse":true}`} {
		for range 2 {
			if a := h.pay(key, body); a.status < 400 || a.header.Get("Idempotency-Replayed") != "" {
				t.Errorf("%s: %d %s", key, a.status, a.body)
			}
		}
	}
}

func TestAcceptedAndSilentRequestsAreKnownToo(t *testing.T) {
	t.Parallel()
	h := start(t, payments)
	one, two := h.keyed("/later", "Idempotency-Key", "k", `{"n":1}`), h.keyed("/later", "Idempotency-Key", "k", `{"n":1}`)
	if one.status != 202 || two.status != 202 || one.body != two.body {
		t.Errorf("%d %s, %d %s", one.status, one.body, two.status, two.body)
	}
	h.settle()
	if n := len(h.docs("later")); n != 1 {
		t.Errorf("%d accepted", n)
	}
	one, two = h.keyed("/silent", "X-Request-Id", "k", ""), h.keyed("/silent", "X-Request-Id", "k", "")
	if one.status != 204 || two.status != 204 || two.header.Get("Idempotency-Replayed") == "" || len(h.docs("silent")) != 1 {
		t.Errorf("%d, %d %v, %d documents", one.status, two.status, two.header, len(h.docs("silent")))
	}
}

// TestOneKeyRunsOnce sends the same request while the first one runs, and many at
// a time.
func TestOneKeyRunsOnce(t *testing.T) {
	t.Parallel()
	url, asked := stuck(t)
	h := start(t, strings.ReplaceAll(payments, "URL", url))
	go h.pay("slow", `{"slow":true}`)
	<-asked
	if a := h.pay("slow", `{"slow":true}`); a.status != 409 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "idempotency-key-in-progress") {
		t.Errorf("%d %s", a.status, a.body)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	bodies := map[string]bool{}
	for range 20 {
		wg.Go(func() {
			a := h.pay("many", `{"amount":5}`)
			mu.Lock()
			defer mu.Unlock()
			if answers[a.status]++; a.status == 201 {
				bodies[a.body] = true
			}
		})
	}
	wg.Wait()
	if answers[201] == 0 || answers[201]+answers[409] != 20 || len(bodies) != 1 || len(h.docs("payments")) != 1 {
		t.Errorf("%v %v, %d payments", answers, bodies, len(h.docs("payments")))
	}
}
