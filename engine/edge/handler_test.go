package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/schema"
	"pipelined/internal/value"
	"pipelined/triggers"
)

type runFunc = func(ctx context.Context, r *Request) (*pipelined.Reply, error)

func newHandler(t testing.TB, endpoints ...Endpoint) http.Handler {
	t.Helper()
	h, err := NewHandler(endpoints, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// at makes an endpoint; route is "POST /orders".
func at(route string, run runFunc) Endpoint {
	method, path, _ := strings.Cut(route, " ")
	return Endpoint{Route: &triggers.Route{Method: method, Path: path}, Pipeline: "p", Run: run}
}

// named replies with a name and the parameters.
func named(name string) runFunc {
	return func(_ context.Context, r *Request) (*pipelined.Reply, error) {
		return &pipelined.Reply{Body: fmt.Sprint(name, " ", r.Params)}, nil
	}
}

func do(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("content type %q, body %s", got, w.Body)
	}
	if got := w.Header().Get("Content-Length"); got != fmt.Sprint(w.Body.Len()) {
		t.Errorf("content length %s of %d bytes", got, w.Body.Len())
	}
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["status"] != float64(w.Code) {
		t.Errorf("status %v in the document, %d on the wire", doc["status"], w.Code)
	}
	return doc
}

func TestRouting(t *testing.T) {
	t.Parallel()
	h := newHandler(t,
		at("GET /", named("root")),
		at("GET /orders", named("list")),
		at("POST /orders", named("create")),
		at("GET /orders/new", named("form")),
		at("GET /orders/{id}", named("read")),
		at("DELETE /orders/{order}", named("delete")),
		at("GET /orders/{id}/lines/{line:[0-9]+}", named("line")),
		at("GET /kinds/{kind:a|bc}", named("kind")),
		at("GET /files/{tenant}/*", named("file")),
		at("GET /café/{name}", named("café")),
		at("PUT /{doc}.json", named("put")),
	)
	tests := []struct{ name, method, target, want string }{
		{"the root", "GET", "/", "root map[]"},
		{"a text", "GET", "/orders", "list map[]"},
		{"another method", "POST", "/orders", "create map[]"},
		{"a text wins over a parameter", "GET", "/orders/new", "form map[]"},
		{"a parameter", "GET", "/orders/o-1", "read map[id:o-1]"},
		{"its name belongs to the route", "DELETE", "/orders/o-1", "delete map[order:o-1]"},
		{"a pattern", "GET", "/orders/o-1/lines/12", "line map[id:o-1 line:12]"},
		{"a pattern that does not fit", "GET", "/orders/o-1/lines/x", "404"},
		{"a pattern is anchored at both ends of every alternative", "GET", "/kinds/abc", "404"},
		{"an alternative of a pattern", "GET", "/kinds/bc", "kind map[kind:bc]"},
		{"the rest", "GET", "/files/t/a/b", "file map[rest:a/b tenant:t]"},
		{"an empty rest", "GET", "/files/t/", "file map[rest: tenant:t]"},
		{"a slash too many", "GET", "/orders/", "list map[]"},
		{"a slash too many after a parameter", "GET", "/orders/o-1/", "read map[id:o-1]"},
		{"two slashes too many", "GET", "/orders//", "404"},
		{"an empty parameter", "GET", "/orders//lines/1", "404"},
		{"an escaped parameter is decoded", "GET", "/orders/o%201", "read map[id:o 1]"},
		{"an escaped slash stays in its segment", "GET", "/orders/a%2Fb%252F%2fc", "read map[id:a/b%2F/c]"},
		{"a text with an umlaut", "GET", "/caf%C3%A9/x", "café map[name:x]"},
		{"a text with an umlaut beside an escaped slash", "GET", "/caf%C3%A9/x%2Fy", "café map[name:x/y]"},
		{"a literal percent sign", "GET", "/orders/100%25", "read map[id:100%]"},
		{"a parameter before a text", "PUT", "/report.json", "put map[doc:report]"},
		{"an unknown path", "GET", "/nothing", "404"},
		{"case matters", "GET", "/Orders", "404"},
		{"HEAD is answered like GET", "HEAD", "/orders/o-1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := do(h, tt.method, tt.target, "")
			got := w.Body.String()
			if w.Code != 200 {
				got = fmt.Sprint(w.Code)
			}
			if got != tt.want {
				t.Errorf("%s %s: got %s, want %s", tt.method, tt.target, got, tt.want)
			}
		})
	}
}

func TestUnroutedRequests(t *testing.T) {
	t.Parallel()
	h := newHandler(t, at("GET /orders/{id}", named("a")), at("DELETE /orders/{id}", named("b")), at("POST /orders", named("c")))
	tests := []struct {
		name, method, target, allow, typ string
		status                           int
	}{
		{"a path nobody has", "GET", "/x%20y?a=b", "", "https://pipelined.dev/errors/request/not-found", 404},
		{"a method the path has not", "POST", "/orders/1", "DELETE, GET, HEAD", "https://pipelined.dev/errors/request/method", 405},
		{"a method nobody has heard of", "BREW", "/orders/1/", "DELETE, GET, HEAD", "https://pipelined.dev/errors/request/method", 405},
		{"HEAD where there is no GET", "HEAD", "/orders", "POST", "", 405},
		{"OPTIONS", "OPTIONS", "/orders", "POST", "https://pipelined.dev/errors/request/method", 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := do(h, tt.method, tt.target, "")
			if w.Code != tt.status || w.Header().Get("Allow") != tt.allow {
				t.Errorf("got %d, Allow %q", w.Code, w.Header().Get("Allow"))
			}
			if tt.method == "HEAD" {
				if w.Body.Len() != 0 {
					t.Error("HEAD has a body")
				}
				return
			}
			path, _, _ := strings.Cut(tt.target, "?")
			if doc := problemOf(t, w); doc["type"] != tt.typ || doc["instance"] != path || doc["retriable"] != false {
				t.Errorf("got %v", doc)
			}
		})
	}
}

const lineSchema = `{"type":"object","required":["sku"],"properties":{"sku":{"type":"string"},"qty":{"type":"integer","minimum":1}}}`

func TestBodies(t *testing.T) {
	t.Parallel()
	checked, err := schema.Compile("schemas/line.json", []byte(lineSchema), nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen any
	keep := func(_ context.Context, r *Request) (*pipelined.Reply, error) { seen = r.Input; return nil, nil }
	open, strict, small, required := at("POST /open", keep), at("POST /strict", keep), at("POST /small", keep), at("POST /required", keep)
	strict.Schema = checked
	small.Route.MaxSize = 10
	required.Route.Required = true
	h := newHandler(t, open, strict, small, required)
	multipartBody := "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n2\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n3\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"raw\"\r\n\r\n\xff\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\r\n--B--\r\n"
	tests := []struct {
		name, path, typ, body string
		want                  any // input; a text that begins with a number is status and detail
	}{
		{"JSON stays as it came", "/open", "application/json", ` {"n": 1.10} `, value.Raw(`{"n": 1.10} `)},
		{"JSON with parameters", "/open", "application/json; charset=utf-8", `1e3`, value.Raw(`1e3`)},
		{"a +json type", "/open", "application/cloudevents+json", `[]`, value.Raw(`[]`)},
		{"no type is JSON", "/open", "", `"a"`, value.Raw(`"a"`)},
		{"no body is nothing", "/open", "application/json", "", nil},
		{"a form", "/open", "application/x-www-form-urlencoded", "a=1&b=x+y&b=%C3%A4", map[string]any{"a": "1", "b": []any{"x y", "ä"}}},
		{"a broken form", "/open", "application/x-www-form-urlencoded", "a=%zz", "400 the form cannot be read"},
		{"a multipart form", "/open", "multipart/form-data; boundary=B", multipartBody, map[string]any{
			"a": []any{"1", "2", "3"}, "raw": []byte{0xff},
			"f": map[string]any{"filename": "x.csv", "content_type": "text/csv", "content": []byte("a,b")}}},
		{"a broken multipart form", "/open", "multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1", "400 the form cannot be read"},
		{"something that is no multipart form", "/open", "multipart/form-data; boundary=B", "x", "400 the form cannot be read"},
		{"a multipart form of too many fields", "/open", "multipart/form-data; boundary=B", strings.Repeat("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n", maxParts) + "--B--\r\n", "400 the form has too many fields"},
		{"text", "/open", "text/plain; charset=UTF-8", "grün", "grün"},
		{"XML", "/open", "application/xml", "<a/>", "<a/>"},
		{"text that is not UTF-8", "/open", "text/plain", "gr\xfcn", "400 the text is not UTF-8"},
		{"text of another charset", "/open", "text/plain; charset=iso-8859-1", "x", "415 send text as UTF-8"},
		{"anything else is bytes", "/open", "application/pdf", "\xff\x00", []byte("\xff\x00")},
		{"a type that cannot be read", "/open", "a b/c;", "x", "415 the Content-Type cannot be read"},
		{"broken JSON", "/open", "application/json", "{\n  \"a\": ]\n}", "400 the body is not valid JSON: invalid character ']' looking for beginning of value at line 2, column 8"},
		{"blank JSON", "/open", "application/json", "  ", "400 the body is not valid JSON: the text is empty at line 1, column 1"},
		{"a body within the limit", "/small", "", `"12345678"`, value.Raw(`"12345678"`)},
		{"a body over the limit", "/small", "", `"123456789"`, "413 the limit is 10 bytes"},
		{"an empty body where one is required", "/required", "", "", "400 the body is empty"},
		{"an empty body where there is a schema", "/strict", "", "", "400 the body is empty"},
		{"a body that fits the schema", "/strict", "application/json", `{"sku":"a"}`, value.Raw(`{"sku":"a"}`)},
		{"a form where there is a schema", "/strict", "application/x-www-form-urlencoded", `sku=a`, "415 send application/json"},
		{"a body that violates the schema", "/strict", "", `{"qty":0}`, "400 the body does not fit the schema"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, length := range []string{"announced", "chunked"} {
				seen = "nothing ran"
				r := httptest.NewRequest("POST", tt.path, strings.NewReader(tt.body))
				r.Header.Set("Content-Type", tt.typ)
				if length == "chunked" {
					r.ContentLength = -1
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				got := seen
				if w.Code != http.StatusNoContent {
					if seen != "nothing ran" {
						t.Error("the pipeline ran all the same")
					}
					got = fmt.Sprint(w.Code, " ", problemOf(t, w)["detail"])
				}
				if !reflect.DeepEqual(got, tt.want) {
					t.Errorf("%s: got %#v, want %#v", length, got, tt.want)
				}
			}
		})
	}
	t.Run("violations are listed", func(t *testing.T) {
		doc := problemOf(t, do(h, "POST", "/strict", `{"qty":0}`))
		got, _ := json.Marshal(doc["violations"])
		if string(got) != `[{"keyword":"required","message":"\"sku\" is missing","pointer":""},{"keyword":"minimum","message":"it must be at least 1","pointer":"/qty"}]` {
			t.Errorf("got %s", got)
		}
	})
	t.Run("a compressed body", func(t *testing.T) {
		if w := do(h, "POST", "/open", "x", "Content-Encoding", "gzip"); w.Code != 415 {
			t.Errorf("got %d", w.Code)
		}
		if w := do(h, "POST", "/open", "1", "Content-Encoding", "identity"); w.Code != 204 {
			t.Errorf("identity: got %d", w.Code)
		}
	})
}

// cut is a body that ends with an error.
type cut struct {
	io.Reader
	err error
}

func (c cut) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if err == io.EOF {
		err = c.err
	}
	return n, err
}

func TestBodiesThatDoNotArrive(t *testing.T) {
	t.Parallel()
	h := newHandler(t, at("POST /", named("ran")))
	tests := []struct {
		name   string
		body   io.Reader
		length int64
		want   string
	}{
		{"a body shorter than announced", strings.NewReader("{"), 5, "400 the body ended before it was complete"},
		{"a connection that breaks", cut{strings.NewReader("{"), errors.New("reset by 10.0.0.1")}, -1, "400 the body ended before it was complete"},
		{"a limit of the server", cut{strings.NewReader("{"), &http.MaxBytesError{Limit: 1}}, -1, "413 the limit is 1048576 bytes"},
		{"a length over the limit is refused before reading", cut{strings.NewReader(""), errors.New("was read")}, 1 << 40, "413 the limit is 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", tt.body)
			r.ContentLength = tt.length
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := fmt.Sprint(w.Code, " ", problemOf(t, w)["detail"]); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	run := named("ran")
	body := strings.Repeat(" ", 99) + "1" // 100 bytes
	tests := []struct {
		name                 string
		config, route, point int64
		want                 int
	}{
		{"the default is a mebibyte", 0, 0, 0, 200},
		{"of all", 99, 0, 0, 413},
		{"of the route", 99, 100, 0, 200},
		{"of the endpoint", 200, 200, 99, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := at("POST /", run)
			e.Route.MaxSize, e.MaxBody = tt.route, tt.point
			h, err := NewHandler([]Endpoint{e}, Config{MaxBody: tt.config})
			if err != nil {
				t.Fatal(err)
			}
			if w := do(h, "POST", "/", body); w.Code != tt.want {
				t.Errorf("got %d", w.Code)
			}
		})
	}
	t.Run("a body beyond the first chunk", func(t *testing.T) {
		t.Parallel()
		e := at("POST /", func(_ context.Context, r *Request) (*pipelined.Reply, error) {
			return &pipelined.Reply{Body: fmt.Sprint(len(r.Input.(value.Raw)))}, nil
		})
		e.MaxBody = 8 << 20
		long := `"` + strings.Repeat("x", 3<<20) + `"`
		if w := do(newHandler(t, e), "POST", "/", long); w.Body.String() != fmt.Sprint(len(long)) {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

func TestReplies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		reply   *pipelined.Reply
		status  int
		headers map[string]string // "" means absent
		body    string
	}{
		{"JSON by default", &pipelined.Reply{Body: `{"a":1.10}`}, 200, map[string]string{"Content-Type": "application/json", "Content-Length": "10"}, `{"a":1.10}`},
		{"a type of its own", &pipelined.Reply{Status: 201, ContentType: "text/plain", Body: "ok"}, 201, map[string]string{"Content-Type": "text/plain"}, "ok"},
		{"a type among the headers", &pipelined.Reply{Headers: map[string]string{"content-type": "text/csv", "x-a": "b"}, Body: "1"}, 200, map[string]string{"Content-Type": "text/csv", "X-A": "b"}, "1"},
		{"an empty body", &pipelined.Reply{Status: 202}, 202, map[string]string{"Content-Type": "", "Content-Length": "0"}, ""},
		{"no content", &pipelined.Reply{Status: 204, Body: "x"}, 204, map[string]string{"Content-Type": "", "Content-Length": ""}, ""},
		{"how a message is framed is not the pipeline's to say", &pipelined.Reply{Headers: map[string]string{"Content-Length": "99", "transfer-encoding": "x", "Connection": "close"}, Body: "1"}, 200, map[string]string{"Content-Length": "1", "Transfer-Encoding": "", "Connection": ""}, "1"},
		{"what is no header is left out", &pipelined.Reply{Headers: map[string]string{"a b": "1", "": "1", "X-Split": "a\r\nSet-Cookie: x", "X-Fine": "1"}, Body: "1"}, 200, map[string]string{"a b": "", "X-Split": "", "X-Fine": "1"}, "1"},
		{"no reply", nil, 204, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHandler(t, at("GET /", func(context.Context, *Request) (*pipelined.Reply, error) { return tt.reply, nil }))
			w := do(h, "GET", "/", "")
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
			for name, want := range tt.headers {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestAcceptedWithoutReplyIs202(t *testing.T) {
	t.Parallel()
	e := at("POST /", func(context.Context, *Request) (*pipelined.Reply, error) { return nil, nil })
	e.Route.Accepted = true
	if w := do(newHandler(t, e), "POST", "/", ""); w.Code != 202 {
		t.Errorf("got %d", w.Code)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	const secret = "db.internal:5432 refused user shop"
	inside := pipelined.NewProblem("rest/status", "The service did not answer well", 503, secret)
	inside.Data, inside.Cause, inside.Connector, inside.Step = json.RawMessage(`"`+secret+`"`), inside.Clone(), "rest", secret
	inside.RetryAfter = 1500 * time.Millisecond
	inside.Retriable = true
	below := inside.Clone()
	below.Status, below.Outside, below.RetryAfter = 401, true, 0
	pure := pipelined.NewProblem("csv/parse", "Not CSV", 422, "row 3")
	own := pipelined.NewProblem("out-of-stock", "Nothing left", 503, "sku A-1 is sold out")
	own.Own = true
	uri := pipelined.NewProblem("urn:shop:closed", "Closed", 0, "")
	odd := pipelined.NewProblem("x", "X", 200, "")
	tests := []struct {
		name   string
		err    error
		status int
		retry  string
		want   string
	}{
		{"a connector's failure keeps its details inside", fmt.Errorf("step x: %w", inside), 503, "2",
			`{"type":"https://pipelined.dev/errors/rest/status","title":"The service did not answer well","status":503,"instance":"/a","retriable":true,"run":"r-1"}`},
		{"what a service says of our request is not the caller's", below, 502, "",
			`{"type":"https://pipelined.dev/errors/rest/status","title":"The service did not answer well","status":502,"instance":"/a","retriable":true,"run":"r-1"}`},
		{"nor what only we can have done wrong", pure, 500, "",
			`{"type":"https://pipelined.dev/errors/csv/parse","title":"Not CSV","status":500,"instance":"/a","retriable":false,"run":"r-1"}`},
		{"an author's failure is told in full", own, 503, "",
			`{"type":"https://pipelined.dev/errors/out-of-stock","title":"Nothing left","status":503,"detail":"sku A-1 is sold out","instance":"/a","retriable":false,"run":"r-1"}`},
		{"a type that is a URI stays one", uri, 500, "",
			`{"type":"urn:shop:closed","title":"Closed","status":500,"instance":"/a","retriable":false,"run":"r-1"}`},
		{"a problem about the request", pipelined.NewProblem(pipelined.TypeInput, "No", 400, "which and why"), 400, "",
			`{"type":"https://pipelined.dev/errors/request/invalid","title":"No","status":400,"detail":"which and why","instance":"/a","retriable":false,"run":"r-1"}`},
		{"a status that is no failure", odd, 500, "",
			`{"type":"https://pipelined.dev/errors/x","title":"X","status":500,"instance":"/a","retriable":false,"run":"r-1"}`},
		{"an error that is no problem", errors.New(secret), 500, "",
			`{"type":"https://pipelined.dev/errors/engine/internal","title":"An unexpected error happened","status":500,"instance":"/a","retriable":false,"run":"r-1"}`},
		{"a stop", pipelined.ErrStopping, 503, "",
			`{"type":"https://pipelined.dev/errors/engine/stopping","title":"The runtime is stopping","status":503,"instance":"/a","retriable":true,"run":"r-1"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHandler(t, at("GET /a", func(_ context.Context, r *Request) (*pipelined.Reply, error) {
				r.RunID = "r-1"
				return nil, tt.err
			}))
			w := do(h, "GET", "/a", "")
			problemOf(t, w)
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || got != tt.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, tt.status, tt.want)
			}
			if got := w.Header().Get("Retry-After"); got != tt.retry {
				t.Errorf("Retry-After %q, want %q", got, tt.retry)
			}
		})
	}
}

func TestUnusableReplyStatusIsLoggedAndA500(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := at("GET /", func(context.Context, *Request) (*pipelined.Reply, error) {
		return &pipelined.Reply{Status: 99, Body: "secret"}, nil
	})
	h, err := NewHandler([]Endpoint{e}, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	w := do(h, "GET", "/", "")
	if problemOf(t, w); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "pipeline=p") || strings.Contains(log.String(), "secret") {
		t.Errorf("log %s", &log)
	}
}

func TestRequestScope(t *testing.T) {
	t.Parallel()
	var got, again any
	var id string
	h := newHandler(t, at("GET /orders/{id}", func(_ context.Context, r *Request) (*pipelined.Reply, error) {
		got, again, id = r.Value(), r.Value(), r.RemoteAddr
		return nil, nil
	}))
	do(h, "GET", "http://shop.test/orders/o-1?a=1&b=2&b=3&c", "", "X-Trace", "t", "Accept", "a")
	want := map[string]any{
		"method": "GET", "path": "/orders/o-1", "params": map[string]any{"id": "o-1"},
		"query":   map[string]any{"a": "1", "b": []any{"2", "3"}, "c": ""},
		"headers": map[string]any{"x-trace": "t", "accept": "a", "host": "shop.test"}, "remote_addr": id,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if reflect.ValueOf(got).Pointer() != reflect.ValueOf(again).Pointer() {
		t.Error("the scope is built twice")
	}
	r := &Request{Header: http.Header{"X-Many": {"a", "b"}}}
	if got := r.Value().(map[string]any)["headers"].(map[string]any)["x-many"]; got != "a, b" {
		t.Errorf("several values of a header: %v", got)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  func(ctx context.Context) error
	}{
		{"told as the context's error", func(ctx context.Context) error { return ctx.Err() }},
		{"told as the context's cause", context.Cause},
		{"told as a problem", func(ctx context.Context) error { return pipelined.AsProblem(ctx.Err()) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := clock.NewFake(time.Unix(0, 0))
			e := at("GET /", func(ctx context.Context, _ *Request) (*pipelined.Reply, error) {
				now.Advance(5 * time.Second)
				<-ctx.Done()
				return nil, tt.err(ctx)
			})
			e.Route.Timeout = 5 * time.Second
			h, err := NewHandler([]Endpoint{e}, Config{Clock: now})
			if err != nil {
				t.Fatal(err)
			}
			w := do(h, "GET", "/", "")
			if doc := problemOf(t, w); w.Code != 504 || doc["type"] != "https://pipelined.dev/errors/engine/timeout" || doc["retriable"] != true {
				t.Errorf("got %d %v", w.Code, doc)
			}
		})
	}
	t.Run("a failure of its own is not hidden by it", func(t *testing.T) {
		t.Parallel()
		e := at("GET /", func(ctx context.Context, _ *Request) (*pipelined.Reply, error) {
			p := pipelined.NewProblem("mine", "Mine", 422, "")
			p.Own = true
			return nil, p
		})
		e.Route.Timeout = time.Hour
		if w := do(newHandler(t, e), "GET", "/", ""); w.Code != 422 {
			t.Errorf("got %d", w.Code)
		}
	})
	t.Run("an accepted request has none", func(t *testing.T) {
		t.Parallel()
		now := clock.NewFake(time.Unix(0, 0))
		e := at("POST /", func(ctx context.Context, _ *Request) (*pipelined.Reply, error) {
			waiting, _ := now.Timers()
			return &pipelined.Reply{Body: fmt.Sprint(waiting)}, nil
		})
		e.Route.Timeout, e.Route.Accepted = time.Second, true
		h, err := NewHandler([]Endpoint{e}, Config{Clock: now})
		if err != nil {
			t.Fatal(err)
		}
		if w := do(h, "POST", "/", ""); w.Body.String() != "0" {
			t.Errorf("%s timers wait", w.Body)
		}
	})
}

func TestNewHandlerRefuses(t *testing.T) {
	t.Parallel()
	second := func(route string) Endpoint {
		e := at(route, named("b"))
		e.Pipeline = "q"
		return e
	}
	tests := []struct {
		name string
		b    Endpoint
		want string
	}{
		{"the same route", second("GET /a/{id}"), "route GET /a/{id} of q: p answers the same requests"},
		{"a route that differs in a name", second("GET /a/{x}"), "route GET /a/{x} of q: p answers the same requests"},
		{"a path that cannot be routed", second("GET a"), `route GET a of q: path "a" does not begin with /`},
		{"a method that does not exist", second("BREW /b"), "route BREW /b of q: no such method"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewHandler([]Endpoint{at("GET /a/{id}", named("a")), tt.b}, Config{})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// On a real connection: framing, HEAD, a caller that leaves.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	left := make(chan struct{})
	started := make(chan struct{})
	srv := httptest.NewServer(newHandler(t,
		at("GET /long", func(context.Context, *Request) (*pipelined.Reply, error) {
			return &pipelined.Reply{ContentType: "text/plain", Body: long}, nil
		}),
		at("GET /wait", func(ctx context.Context, _ *Request) (*pipelined.Reply, error) {
			close(started)
			<-ctx.Done()
			close(left)
			return nil, ctx.Err()
		}),
		at("POST /echo", func(_ context.Context, r *Request) (*pipelined.Reply, error) {
			return &pipelined.Reply{Body: string(r.Input.(value.Raw))}, nil
		}),
	))
	t.Cleanup(srv.Close)
	for _, method := range []string{"GET", "HEAD"} {
		req, _ := http.NewRequestWithContext(t.Context(), method, srv.URL+"/long", nil)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.ContentLength != int64(len(long)) || len(resp.TransferEncoding) > 0 || (method == "GET") != (string(b) == long) {
			t.Errorf("%s: length %d, encoding %v, %d bytes, %v", method, resp.ContentLength, resp.TransferEncoding, len(b), err)
		}
	}
	resp, err := srv.Client().Post(srv.URL+"/echo", "application/json", io.MultiReader(strings.NewReader(`{"a":`), strings.NewReader(`1}`))) // chunked
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(b) != `{"a":1}` {
		t.Errorf("echo: %s", b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/wait", nil)
	go func() { <-started; cancel() }()
	if _, err := srv.Client().Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-left
}
