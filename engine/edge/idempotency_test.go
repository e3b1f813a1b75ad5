package edge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// pay is a pipeline with keys; it pays once for each time it runs.
func pay(settings, rest string) string {
	idempotency := "idempotency: { ttl: 1h }"
	if strings.Contains(settings, "required") {
		idempotency, settings = "idempotency: { ttl: 1h, required: true }", strings.TrimPrefix(settings, "required")
	}
	return web(strings.TrimPrefix(settings+", "+idempotency, ", "), rest)
}

const paid = "steps:\n  - probe: { do: pay }\n" + writes + "  - respond: { status: 201, headers: { x-account: a }, body: { paid: true } }\n"

// both are the two ways of answering: when it has run, and when it is accepted.
var both = map[string]string{"waited for": "", "accepted": "respond: accepted"}

// ran is how often the pipeline ran, or was to.
func (b *bench) ran(way string) int {
	b.Helper()
	if way == "accepted" {
		return len(b.Events("pipelined.http.web"))
	}
	return len(b.Documents("done"))
}

// TestKeys: what a request gets, by the key it has, if any, and what is known of that.
func TestKeys(t *testing.T) {
	t.Parallel()
	first := func(b *bench) { b.post("/web?a=1", `{"n":1}`, "Idempotency-Key", "k-1") }
	tests := []struct {
		name, settings string
		before         func(b *bench)
		path, body     string
		key            []string
		status         map[string]int
		says           string
		runs           int // in all
		replayed       bool
	}{
		{"none, which need not be", "", nil, "/web", `{}`, nil, told(201, 202), "", 1, false},
		{"none, which must be", "required", nil, "/web", `{}`, nil, told(400, 400), "idempotency-key-missing", 0, false},
		{"an empty one, which must be", "required", nil, "/web", `{}`, []string{"Idempotency-Key", ""}, told(400, 400), "idempotency-key-missing", 0, false},
		{"one that is too long", "", nil, "/web", `{}`, []string{"Idempotency-Key", strings.Repeat("x", 256)}, told(400, 400), "1 to 255 printable", 0, false},
		{"one that is as long as it may be", "", nil, "/web", `{}`, []string{"Idempotency-Key", strings.Repeat("x", 255)}, told(201, 202), "", 1, false},
		{"one that is not printable", "", nil, "/web", `{}`, []string{"Idempotency-Key", "a\x01"}, told(400, 400), "1 to 255 printable", 0, false},
		{"quotes around nothing", "", nil, "/web", `{}`, []string{"Idempotency-Key", `""`}, told(400, 400), "1 to 255 printable", 0, false},
		{"a new one", "", first, "/web?a=1", `{"n":1}`, []string{"Idempotency-Key", "k-2"}, told(201, 202), "", 2, false},
		{"the same", "", first, "/web?a=1", `{"n":1}`, []string{"Idempotency-Key", "k-1"}, told(201, 202), "", 1, true},
		{"the same, in quotes", "", first, "/web?a=1", `{"n":1}`, []string{"Idempotency-Key", `"k-1"`}, told(201, 202), "", 1, true},
		{"the same, with blanks around it", "", first, "/web?a=1", `{"n":1}`, []string{"Idempotency-Key", "  k-1 "}, told(201, 202), "", 1, true},
		{"the same, for another body", "", first, "/web?a=1", `{"n":2}`, []string{"Idempotency-Key", "k-1"}, told(422, 422), "idempotency-key-reused", 1, false},
		{"the same, for another query", "", first, "/web?a=2", `{"n":1}`, []string{"Idempotency-Key", "k-1"}, told(422, 422), "idempotency-key-reused", 1, false},
		{"the same, when it is forgotten", "", func(b *bench) { first(b); b.Clock.Advance(time.Hour + time.Second) }, "/web?a=1", `{"n":1}`, []string{"Idempotency-Key", "k-1"}, told(201, 202), "", 2, false},
		{"the same, a moment before that", "", func(b *bench) { first(b); b.Clock.Advance(time.Hour - time.Second) }, "/web?a=1", `{"n":1}`, []string{"Idempotency-Key", "k-1"}, told(201, 202), "", 1, true},
		{"the same, in the next process", "", func(b *bench) { first(b); b.Reopen() }, "/web?a=1", `{"n":1}`, []string{"Idempotency-Key", "k-1"}, told(201, 202), "", 1, true},
	}
	for _, tt := range tests {
		for way, settings := range both {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, pay(tt.settings+settings, paid))
				if tt.before != nil {
					tt.before(b)
				}
				a := b.post(tt.path, tt.body, tt.key...)
				if a.Code != tt.status[way] || !strings.Contains(a.Body.String(), tt.says) || (a.Header().Get("Idempotency-Replayed") == "true") != tt.replayed {
					t.Errorf("it gets %d %v %s", a.Code, a.Header(), a.Body)
				}
				if n := b.ran(way); n != tt.runs {
					t.Errorf("it ran %d times", n)
				}
			})
		}
	}
}

func told(waited, accepted int) map[string]int {
	return map[string]int{"waited for": waited, "accepted": accepted}
}

// TestTheSameAnswerIsGiven, byte for byte, with its headers and its execution.
func TestTheSameAnswerIsGiven(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]string{
		"an answer":              paid,
		"none":                   "steps:\n" + writes,
		"one of on_error":        "steps: [ { fail: { type: x } } ]\non_error:\n" + writes + "  - respond: { status: 409, body: { sorry: true } }\n",
		"one of another type":    "steps:\n" + writes + "  - respond: { headers: { content-type: text/plain }, body: \"hello\" }\n",
		"an answer without body": "steps:\n" + writes + "  - respond: { status: 202 }\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, pay("", rest))
			one := b.post("/web", `{}`, "Idempotency-Key", "k")
			two := b.post("/web", `{}`, "Idempotency-Key", "k")
			if one.Code != two.Code || one.Body.String() != two.Body.String() || one.Header().Get("Idempotency-Replayed") != "" || two.Header().Get("Idempotency-Replayed") != "true" {
				t.Errorf("%d %s, then %d %s", one.Code, one.Body, two.Code, two.Body)
			}
			two.Header().Del("Idempotency-Replayed")
			if fmt.Sprint(one.Header()) != fmt.Sprint(two.Header()) {
				t.Errorf("%v, then %v", one.Header(), two.Header())
			}
			if n := len(b.Documents("done")); n != 1 {
				t.Errorf("it ran %d times", n)
			}
		})
	}
}

// TestWhatFailedMayBeTriedAgain: a key is used by an answer, not by a failure that left
// nothing, whoever's fault it was.
func TestWhatFailedMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		hinder  func(b *bench)
		status  int
		let     func(b *bench)
		accepts bool // it can happen where the request is accepted, too
	}{
		{"it failed", func(b *bench) { b.Probe.On("pay", fails(errors.New("broken"))) }, 502, func(b *bench) { b.Probe.On("pay", nil) }, false},
		{"it was the caller's fault", func(b *bench) {
			b.Probe.On("pay", fails(&pipelined.Problem{Type: "x", Title: "X", Status: 422, Own: true, Rejected: true}))
		}, 422, func(b *bench) { b.Probe.On("pay", nil) }, false},
		{"it was cut off", func(b *bench) { b.Probe.On("pay", fails(pipelined.ErrStopping)) }, 503, func(b *bench) { b.Probe.On("pay", nil) }, false},
		{"nothing could be stored", func(b *bench) { b.Store.Refuse(store.ErrUnavailable) }, 503, func(*bench) {}, true},
		{"the key could not be read", func(b *bench) { b.Store.Break("Get", errors.New("the disk does not answer")) }, 503, func(b *bench) { b.Store.Break("Get", nil) }, true},
	}
	for _, tt := range tests {
		for way, settings := range both {
			if way == "accepted" && !tt.accepts {
				continue
			}
			t.Run(tt.name+", "+way, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, pay(settings, paid))
				tt.hinder(b)
				if a := b.post("/web", `{}`, "Idempotency-Key", "k"); a.Code != tt.status || b.ran(way) > 0 {
					t.Errorf("at first it gets %d %s; it ran %d times", a.Code, a.Body, b.ran(way))
				}
				tt.let(b)
				if a := b.post("/web", `{}`, "Idempotency-Key", "k"); a.Code >= 300 || a.Header().Get("Idempotency-Replayed") != "" || b.ran(way) != 1 {
					t.Errorf("then it gets %d %s; it ran %d times", a.Code, a.Body, b.ran(way))
				}
			})
		}
	}
}

// TestAKeyInUse: while the first request with it runs, a second is told to wait, whatever
// it asks for; another key, and another pipeline's, is not concerned.
func TestAKeyInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := strings.NewReplacer("web", "other").Replace(pay("", paid))
		b := newBench(t, pay("", paid)+other)
		goOn := make(chan struct{})
		b.Probe.On("pay", func(context.Context, any) (any, error) {
			if b.Probe.Calls("pay") == 1 {
				<-goOn
			}
			return nil, nil
		})
		answered := make(chan int, 1)
		go func() { answered <- b.post("/web", `{}`, "Idempotency-Key", "k").Code }()
		synctest.Wait()
		for _, body := range []string{`{}`, `{"n":2}`} {
			if a := b.post("/web", body, "Idempotency-Key", `"k"`); a.Code != 409 || a.Header().Get("Retry-After") != "1" || !strings.Contains(a.Body.String(), "idempotency-key-in-progress") {
				t.Errorf("a second gets %d %s", a.Code, a.Body)
			}
		}
		for path, key := range map[string]string{"/web": "k-2", "/other": "k"} {
			if a := b.post(path, `{}`, "Idempotency-Key", key); a.Code != 201 {
				t.Errorf("%s with %s gets %d %s", path, key, a.Code, a.Body)
			}
		}
		close(goOn)
		if code := <-answered; code != 201 {
			t.Errorf("the first gets %d", code)
		}
		if a := b.post("/web", `{}`, "Idempotency-Key", "k"); a.Code != 201 || a.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("afterwards one gets %d %s", a.Code, a.Body)
		}
	})
}

// TestAnAnswerThatSomebodyElseStored while this one ran is what its caller gets, and what
// it did here is dropped. It ran once.
func TestAnAnswerThatSomebodyElseStored(t *testing.T) {
	t.Parallel()
	for way, settings := range both {
		for name, same := range map[string]bool{"for the same request": true, "for another request": false} {
			t.Run(way+", "+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, pay(settings, paid))
				b.post("/web", `{"n":1}`, "Idempotency-Key", "k-0")
				doc, err := b.Store.Get(t.Context(), "_idempotency", "web/k-0")
				if err != nil || doc == nil {
					t.Fatal(doc, err)
				}
				before := b.ran(way)
				theirs := strings.NewReplacer("true", "elsewhere", `"id-`, `"x-`, `\"id-`, `\"x-`).Replace(doc.Body)
				b.Store.Before(func(batch *store.Batch) error { // another process is a moment faster
					b.Store.Before(nil)
					_, err := b.Store.Store.Commit(t.Context(), &store.Batch{Documents: []store.Write{{Collection: "_idempotency", ID: "web/k-1", Document: theirs}}})
					return err
				})
				body := `{"n":1}`
				if !same {
					body = `{"n":2}`
				}
				calls := b.Probe.Calls("pay")
				a := b.post("/web", body, "Idempotency-Key", "k-1")
				if n := b.ran(way) - before; n != 0 {
					t.Errorf("%d of it happened here", n)
				}
				if way == "waited for" && (b.Probe.Calls("pay") != calls+1 || b.Stats("web").Taken != 1) {
					t.Errorf("it ran %d times, %+v", b.Probe.Calls("pay")-calls, b.Stats("web"))
				}
				if same != (a.Header().Get("Idempotency-Replayed") == "true") || !same && (a.Code != 422 || !strings.Contains(a.Body.String(), "reused")) {
					t.Errorf("it gets %d %s", a.Code, a.Body)
				}
				if same && !strings.Contains(a.Body.String(), "elsewhere") && !strings.Contains(a.Body.String(), "x-") {
					t.Errorf("it gets %s", a.Body)
				}
			})
		}
	}
}
