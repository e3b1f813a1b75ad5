package edge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"pipelined"
	"pipelined/engine/edge"
	"pipelined/engine/enginetest"
	"pipelined/engine/revision"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// bench is an edge in a room.
type bench struct {
	*enginetest.Room
	edge  *edge.Edge
	ready error
	work  context.Context
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{Room: enginetest.New(t, text), work: t.Context()}
	b.edge = &edge.Edge{Runner: b.Runner, Current: &b.Current, MaxRequests: 3, Ready: func() error { return b.ready },
		Complete: func(ev *pipelined.Event) *pipelined.Event {
			ev.ID, ev.Time, ev.Source, ev.Attempt = b.NewID(), b.Clock.Now(), "/test", 1
			return ev
		}}
	b.route(b.Current.Load())
	return b
}

// route gives a revision its routes, before it is in use.
func (b *bench) route(rev *revision.Revision) {
	b.Helper()
	var err error
	if rev.Routes, err = b.edge.Routes(b.work, rev); err != nil {
		b.Fatal(err)
	}
}

// swap puts another project in use.
func (b *bench) swap(text string) {
	b.Helper()
	next := b.Prepare(text)
	b.route(next)
	b.Current.Use(next).Unpin()
}

// post posts to a path, with headers in pairs.
func (b *bench) post(path, body string, headers ...string) *httptest.ResponseRecorder {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.edge.ServeHTTP(w, r)
	return w
}

// web is a pipeline that answers POST /web; rest is everything from its steps on.
func web(settings, rest string) string {
	if settings != "" {
		settings = ", " + settings
	}
	return "-- web.yaml --\npipeline: web\ntrigger: { http: { method: POST, path: /web" + settings + " } }\n" + rest
}

const writes = "  - object_store.put: { collection: done, document: { n: 1 } }\n"

// TestWhatACallerIsTold: what becomes of an attempt is an answer, and of what happened
// inside it says nothing.
func TestWhatACallerIsTold(t *testing.T) {
	t.Parallel()
	outside := &pipelined.Problem{Type: "rest/status", Title: "Refused", Status: 401, Detail: "key of shop@db.internal", Outside: true}
	tests := []struct {
		name, rest string
		prepare    func(b *bench)
		status     int
		body       string // a part of it
		retry      string // Retry-After
		kept       int    // documents
	}{
		{"what it responded", "steps:\n" + writes + "  - respond: { status: 201, headers: { x-id: \"7\" }, body: { id: 7 } }\n", nil, 201, `{"id":7}`, "", 1},
		{"nothing, if it responded nothing", "steps:\n" + writes, nil, 204, "", "", 1},
		{"what the author says is its fault", "steps:\n" + writes + "  - fail: { type: web/empty, title: Empty, status: 422, detail: no lines }\n", nil, 422, `"detail":"no lines"`, "", 0},
		{"a failure, without its details", "steps:\n" + writes + "  - probe: { do: fail }\n", func(b *bench) { b.Probe.On("fail", fails(errors.New("db.internal is down"))) }, 502, `"An unexpected error happened"`, "", 0},
		{"what a service said to us is ours", "steps: [ { probe: { do: fail } } ]\n", func(b *bench) { b.Probe.On("fail", fails(outside)) }, 502, `"Refused"`, "", 0},
		{"what on_error responded", "steps: [ { fail: { type: x } } ]\non_error:\n" + writes + "  - respond: { status: 418, body: tea }\n", nil, 418, `"tea"`, "", 1},
		{"the failure, if on_error responded nothing", "steps: [ { fail: { type: web/closed, title: Closed, status: 503 } } ]\non_error:\n" + writes, nil, 503, `"Closed"`, "", 1},
		{"that its time is over", "timeout: 5ms\nsteps:\n  - probe: { do: wait }\n", func(b *bench) {
			b.Probe.On("wait", func(ctx context.Context, _ any) (any, error) { <-ctx.Done(); return nil, context.Cause(ctx) })
		}, 504, `"engine/timeout`, "", 0},
		{"that nothing can be stored", "steps:\n" + writes, func(b *bench) { b.Store.Refuse(fmt.Errorf("%w: /var/lib is full", store.ErrUnavailable)) }, 503, `"Nothing can be stored now`, "1", 0},
		{"that it is not known whether it is stored", "steps:\n" + writes, func(b *bench) { b.Store.Refuse(store.ErrInDoubt) }, 503, `"It is not known`, "", 0},
		{"that the runtime stops", "steps:\n" + writes + "  - probe: { do: fail }\n", func(b *bench) { b.Probe.On("fail", fails(pipelined.ErrStopping)) }, 503, `"The runtime is stopping"`, "", 0},
		{"that no work is taken now", "steps:\n" + writes, func(b *bench) {
			b.ready = pipelined.NewProblem(pipelined.TypeUnavailable, "The runtime is recovering", 503, "").Transient()
		}, 503, `"The runtime is recovering"`, "1", 0},
		{"that the engine has let go of its revision", "steps:\n" + writes, func(b *bench) { b.Current.Load().Unpin() }, 503, `"The runtime is stopping"`, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, web("", tt.rest))
			if tt.prepare != nil {
				tt.prepare(b)
			}
			a := b.post("/web", `{}`)
			body := a.Body.String()
			if a.Code != tt.status || !strings.Contains(body, strings.Trim(tt.body, `"`)) || a.Header().Get("Retry-After") != tt.retry {
				t.Errorf("it is told %d %v %s", a.Code, a.Header(), body)
			}
			if strings.Contains(body, "internal") && !strings.Contains(body, "engine/internal") || strings.Contains(body, "db.internal") || strings.Contains(body, "/var/lib") {
				t.Errorf("it is told of what is inside: %s", body)
			}
			if n := len(b.Documents("done")); n != tt.kept {
				t.Errorf("%d documents are there", n)
			}
			if list := b.Runner.Recent.List(); len(list) == 1 && a.Code >= 400 && strings.Contains(a.Header().Get("Content-Type"), "problem") && !strings.Contains(body, `"run":"`+list[0].ID) {
				t.Errorf("it is not told which execution: %s", body)
			}
		})
	}
}

func fails(err error) enginetest.Call {
	return func(context.Context, any) (any, error) { return nil, err }
}

// TestNoAnswerBeforeTheCommit (I2): neither to who waits, nor to whom it is enough that the
// request is accepted.
func TestNoAnswerBeforeTheCommit(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"", "respond: accepted", "idempotency: {}", "respond: accepted, idempotency: {}"} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, web(settings, "steps:\n"+writes))
				goOn := make(chan struct{})
				b.Store.Before(func(*store.Batch) error { <-goOn; return nil })
				answered := make(chan int, 1)
				go func() { answered <- b.post("/web", `{}`, "Idempotency-Key", "k").Code }()
				synctest.Wait()
				if len(answered) > 0 {
					t.Fatalf("it is answered %d", <-answered)
				}
				close(goOn)
				if code := <-answered; code != 204 && code != 202 {
					t.Errorf("it is answered %d", code)
				}
			})
		})
	}
}

// TestOnlySoManyAtATime: one more is told when to come again, and a place is free as soon
// as one has its answer.
func TestOnlySoManyAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, web("", "steps: [ { probe: { do: wait } }, { respond: { body: fine } } ]\n"))
		goOn := make(chan struct{})
		b.Probe.On("wait", func(context.Context, any) (any, error) { <-goOn; return nil, nil })
		answered := make(chan int, 3)
		for range 3 {
			go func() { answered <- b.post("/web", `{}`).Code }()
		}
		synctest.Wait()
		for range 2 {
			if a := b.post("/web", `{}`); a.Code != 503 || a.Header().Get("Retry-After") != "1" || !strings.Contains(a.Body.String(), "engine/overloaded") {
				t.Errorf("one more is told %d %s", a.Code, a.Body)
			}
		}
		close(goOn)
		for range 3 {
			if code := <-answered; code != 200 {
				t.Errorf("one of them is told %d", code)
			}
		}
		if a := b.post("/web", `{}`); a.Code != 200 {
			t.Errorf("afterwards one is told %d", a.Code)
		}
		if n := b.Probe.Calls("wait"); n != 4 {
			t.Errorf("%d ran", n)
		}
	})
}

// TestARequestKeepsItsRevision to the end, and not longer; the next one has the new one.
func TestARequestKeepsItsRevision(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		version := func(name string) string {
			return web("", "steps: [ { probe: { do: wait } }, { respond: { body: "+name+" } } ]\n") +
				"-- only.yaml --\npipeline: only\ntrigger: { http: { method: POST, path: /" + name + " } }\nsteps: [ { respond: { body: only } } ]\n"
		}
		b := newBench(t, version("old"))
		old := b.Current.Load()
		goOn := make(chan struct{})
		b.Probe.On("wait", func(context.Context, any) (any, error) { <-goOn; return nil, nil })
		answered := make(chan string, 1)
		go func() { answered <- b.post("/web", `{}`).Body.String() }()
		synctest.Wait()
		b.swap(version("new"))
		for path, want := range map[string]int{"/old": 404, "/new": 200} {
			if a := b.post(path, `{}`); a.Code != want {
				t.Errorf("after the swap %s is %d", path, a.Code)
			}
		}
		select {
		case <-old.Gone():
			t.Error("its revision is gone while it runs")
		default:
		}
		close(goOn)
		if got := <-answered; got != `"old"` {
			t.Errorf("it is answered %s", got)
		}
		<-old.Gone()
		if got := b.post("/web", `{}`).Body.String(); got != `"new"` {
			t.Errorf("the next one is answered %s", got)
		}
	})
}

// TestACallerWhoLeavesCutsNothingOff: what it began is done to its end.
func TestACallerWhoLeavesCutsNothingOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, web("", "steps:\n  - probe: { do: leave }\n"+writes))
	ctx, leave := context.WithCancel(t.Context())
	b.Probe.On("leave", func(ctx context.Context, _ any) (any, error) { leave(); return nil, ctx.Err() })
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/web", strings.NewReader("{}"))
	b.edge.ServeHTTP(httptest.NewRecorder(), r)
	if n := len(b.Documents("done")); n != 1 || b.Stats("web").OK != 1 {
		t.Errorf("%d documents are there, %+v", n, b.Stats("web"))
	}
}

// TestAnAcceptedRequestIsOneEvent, with all of the request in it, when the caller is told
// its id; nothing has run by then.
func TestAnAcceptedRequestIsOneEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t, web("respond: accepted", "steps:\n"+writes))
	a := b.post("/web?a=1", `{"big":9007199254740993}`, "X-Trace", "t-1")
	list := b.Events("pipelined.http.web")
	if a.Code != 202 || len(list) != 1 || a.Body.String() != `{"id":"`+list[0].ID+`"}` || len(b.Documents("done")) > 0 {
		t.Fatalf("it is told %d %s; there are %+v", a.Code, a.Body, list)
	}
	for path, want := range map[string]string{"input.big": "9007199254740993", "request.method": `"POST"`, "request.path": `"/web"`, "request.query.a": `"1"`, "request.headers.x-trace": `"t-1"`} {
		v, err := value.JSON(value.Get(value.Raw(list[0].Data), value.NewPath(strings.Split(path, ".")...)))
		if err != nil || string(v) != want {
			t.Errorf("%s is %s, %v", path, v, err)
		}
	}
	for name, hinder := range map[string]func(){
		"the commit is refused": func() { b.Store.Refuse(store.ErrUnavailable) },
		"no work is taken":      func() { b.ready = pipelined.NewProblem(pipelined.TypeStopping, "Stopping", 503, "") },
	} {
		hinder()
		if a := b.post("/web", `{}`); a.Code != 503 || len(b.Events("pipelined.http.web")) != 1 {
			t.Errorf("%s: it is told %d %s", name, a.Code, a.Body)
		}
	}
}

// TestRoutesOfARevision: those of http triggers alone, and what clashes is an error that
// names the pipelines.
func TestRoutesOfARevision(t *testing.T) {
	t.Parallel()
	b := newBench(t, web("", "steps: [ { stop: true } ]\n")+"-- ev.yaml --\npipeline: ev\ntrigger: { event: { types: [a.b] } }\nsteps: [ { stop: true } ]\n")
	for path, want := range map[string]int{"/web": 204, "/ev": 404, "/": 404} {
		if a := b.post(path, `{}`); a.Code != want {
			t.Errorf("%s is %d", path, a.Code)
		}
	}
	rev := b.Prepare(web("", "steps: [ { stop: true } ]\n"))
	rev.Pipelines = append(rev.Pipelines, rev.Pipelines[0])
	if _, err := b.edge.Routes(t.Context(), rev); err == nil || !strings.Contains(err.Error(), "web") {
		t.Errorf("it says %v", err)
	}
}
