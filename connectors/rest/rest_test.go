package rest_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pipelined/connectors/connectortest"
	"pipelined/connectors/rest"
	"pipelined/internal/value"
)

// service is what most cases talk to.
func service(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/status/", func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/status/%d", &status)
		for _, name := range []string{"Retry-After", "Location", "Content-Type"} {
			if v := r.URL.Query().Get(name); v != "" {
				w.Header().Set(name, v)
			}
		}
		w.Header().Set("Set-Cookie", "session=hidden")
		w.WriteHeader(status)
		io.WriteString(w, r.URL.Query().Get("body"))
	})
	mux.HandleFunc("/body", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header()["Content-Type"] = q["type"]
		io.WriteString(w, q.Get("text"))
	})
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0, 0xff, 1}) })
	mux.HandleFunc("/latin", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=ISO-8859-1")
		w.Write([]byte{0xe9})
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/plain")
		z := gzip.NewWriter(w)
		io.WriteString(z, strings.Repeat("a", 1<<20))
		z.Close()
	})
	mux.HandleFunc("/twice", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Tag"] = []string{"a", "b"}
		w.WriteHeader(204)
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "short")
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/echo/") { // before the mux, which cleans paths
			echo(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	headers := map[string]string{}
	for name := range r.Header {
		headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "uri": r.RequestURI, "host": r.Host, "headers": headers, "body": string(body)})
}

func TestConnector(t *testing.T) {
	t.Parallel()
	s := service(t)
	conn := "base_url: " + s.URL + "\nheaders: { X-From: connection, X-Both: connection }\n"
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "a step reads JSON below its connection", Connection: conn, Params: "path: /echo/a",
			Want: `{"status": 200, "headers": {"content-type": "application/json"}, "body": {"method": "GET", "uri": "/echo/a", "body": "",
			        "headers": {"user-agent": "pipelined", "x-from": "connection"}}}`},
		{Name: "a step reads a url without a connection", Params: "url: " + s.URL + "/echo/a?x=1 2", Want: `{"body": {"uri": "/echo/a?x=1%202"}}`},
		{Name: "the step's headers are over the connection's", Connection: conn, Params: "path: /echo/\nheaders: { x-both: step, accept: text/csv, host: other.example }",
			Want: `{"body": {"host": "other.example", "headers": {"x-both": "step", "x-from": "connection", "accept": "text/csv"}}}`},
		{Name: "data is one segment, whatever is in it", Connection: conn, Params: "path: /echo/${{ urlEncode(input.id) }}/x", Input: value.Raw(`{"id": "a/b?c#d e"}`),
			Want: `{"body": {"uri": "/echo/a%2Fb%3Fc%23d%20e/x"}}`},
		{Name: "what is written in a path is escaped where it must be", Connection: conn, Params: "path: /echo/ä b//c;v=1/%41?q=ö&r=100%", Want: `{"body": {"uri": "/echo/%C3%A4%20b//c;v=1/%41?q=%C3%B6&r=100%25"}}`},
		{Name: "query parameters repeat, keep numbers exact and leave null out", Connection: conn,
			Params: "path: /echo/?a=1\nquery: { b: [x, \"${{ input.n }}\"], c: null, d: a&b, e: \"${{ input.none }}\" }", Input: value.Raw(`{"n": 12345678901234567890.10}`),
			Want: `{"body": {"uri": "/echo/?a=1&b=x&b=12345678901234567890.10&d=a%26b"}}`},
		{Name: "a JSON body goes out as it is", Connection: conn, Params: "method: POST\npath: /echo/\nbody: \"${{ input }}\"", Input: value.Raw(`{"price":  1.10}`),
			Want: `{"body": {"method": "POST", "body": "{\"price\":  1.10}", "headers": {"content-type": "application/json"}}}`},
		{Name: "a form", Connection: conn, Params: "method: POST\npath: /echo/\nform: { a: [1, 2], b: x y }",
			Want: `{"body": {"body": "a=1&a=2&b=x+y", "headers": {"content-type": "application/x-www-form-urlencoded"}}}`},
		{Name: "a text, with a type of its own", Connection: conn, Params: "method: PUT\npath: /echo/\ntext: <a/>\nheaders: { content-type: application/xml }",
			Want: `{"body": {"body": "<a/>", "headers": {"content-type": "application/xml"}}}`},
		{Name: "bytes from base64", Connection: conn, Params: "method: POST\npath: /echo/\nbinary: aGk=", Want: `{"body": {"body": "hi", "headers": {"content-type": "application/octet-stream"}}}`},
		{Name: "bytes as they are", Connection: conn, Params: "method: POST\npath: /echo/\nbinary: \"${{ input }}\"", Input: []byte("hi"), Want: `{"body": {"body": "hi"}}`},
		{Name: "an idempotency key of the author's", Connection: conn, Params: "method: POST\npath: /echo/\nidempotency_key: k-1", Want: `{"body": {"headers": {"idempotency-key": "k-1"}}}`},
		{Name: "an idempotency key of the step's", Connection: conn + "idempotency: true", Params: "method: POST\npath: /echo/", Want: `{"body": {"headers": {"idempotency-key": "idempotency-1"}}}`},

		{Name: "JSON keeps its digits", Connection: conn, Params: "path: /body\nquery: { type: application/problem+json, text: '{\"n\":9007199254740993}' }", Want: `{"body": {"n": 9007199254740993}}`},
		{Name: "JSON where the service does not say so", Connection: conn, Params: "path: /body\nquery: { type: text/plain, text: '[1]' }\nresponse: json", Want: `{"body": [1]}`},
		{Name: "a byte order mark is no part of JSON", Connection: conn, Params: "path: /body\nquery: { type: application/json, text: \"\\uFEFF[1]\" }", Want: `{"body": [1]}`},
		{Name: "text of another charset", Connection: conn, Params: "path: /latin", Want: `{"body": "é"}`},
		{Name: "text that is none", Connection: conn, Params: "path: /bytes\nresponse: text", Want: `{"body": "\u0000\ufffd\u0001"}`},
		{Name: "bytes are base64 in a document", Connection: conn, Params: "path: /bytes", Want: `{"body": "AP8B"}`},
		{Name: "an empty body is null", Connection: conn, Params: "path: /twice", Want: `{"status": 204, "body": null, "headers": {"x-tag": ["a", "b"]}}`},
		{Name: "an empty body that should be JSON is null", Connection: conn, Params: "path: /twice\nresponse: json", Want: `{"body": null}`},
		{Name: "a body nobody wants is not read", Connection: conn, Params: "path: /cut\nresponse: none", Want: `{"status": 200, "body": null}`},
		{Name: "a compressed body within the limit", Connection: conn, Params: "path: /gzip\nmax_response: 1MB\nresponse: none", Want: `{"status": 200}`},
		{Name: "a compressed body counts as what it becomes", Connection: conn, Params: "path: /gzip\nmax_response: 10KB", Problem: "rest/too-large", Status: 502, Detail: "max_response"},
		{Name: "JSON that is none", Connection: conn, Params: "path: /body\nquery: { type: application/json, text: '{' }", Problem: "rest/body", Status: 502, Detail: "line 1"},
		{Name: "a charset nobody knows", Connection: conn, Params: "path: /body\nquery: { type: text/plain; charset=klingon, text: x }", Problem: "rest/body", Detail: "response: binary"},
		{Name: "an answer that breaks off", Connection: conn, Params: "path: /cut", Problem: "rest/connection", Retriable: true},

		{Name: "a 404 is an error with the service's status", Connection: conn, Params: "path: /status/404\nquery: { body: '{\"why\":1.10}', Content-Type: application/json }",
			Problem: "rest/status", Status: 404, Detail: "404 Not Found", Data: `{"status": 404, "headers": {"content-type": "application/json"}, "body": {"why": 1.10}}`},
		{Name: "a 404 that is no error", Connection: conn, Params: "path: /status/404\nsuccess: 200-299, 404", Want: `{"status": 404}`},
		{Name: "a 503 is retriable", Connection: conn, Params: "path: /status/503", Problem: "rest/status", Status: 503, Retriable: true},
		{Name: "a 429 is retriable", Connection: conn, Params: "path: /status/429", Problem: "rest/status", Status: 429, Retriable: true},
		{Name: "a 501 is not", Connection: conn, Params: "path: /status/501", Problem: "rest/status", Status: 501},
		{Name: "an error's broken JSON is told as text", Connection: conn, Params: "path: /status/400\nquery: { body: '{', Content-Type: application/json }", Problem: "rest/status", Status: 400, Data: `{"body": "{"}`},
		{Name: "a success outside of success is an error too", Connection: conn, Params: "path: /status/202\nsuccess: 200", Problem: "rest/status", Status: 502},

		{Name: "a path with dot segments", Connection: conn, Params: "path: /echo/../status/200", Problem: "rest/request", Detail: ".."},
		{Name: "a path with hidden dot segments", Connection: conn, Params: "path: /echo/%2e%2E/x", Problem: "rest/request", Status: 500},
		{Name: "a path with a fragment", Connection: conn, Params: "path: \"/echo/a#b\"", Problem: "rest/request", Detail: "urlEncode"},
		{Name: "a path with half an escape", Connection: conn, Params: "path: /echo/100%", Problem: "rest/request", Detail: "%20"},
		{Name: "a path that looks like another host stays below", Connection: conn, Params: "path: //evil.example/x\nsuccess: 404", Want: `{"status": 404}`},
		{Name: "a url where there is a connection", Connection: conn, Params: "url: http://other.example", Problem: "rest/request", Detail: "exclude"},
		{Name: "neither url nor connection", Params: "path: /a", Problem: "rest/request", Detail: "absolute url"},
		{Name: "a url of another kind", Params: "url: file:///etc/passwd", Problem: "rest/request", Detail: "http"},
		{Name: "binary that is none", Connection: conn, Params: "path: /echo/\nbinary: \"***\"", Problem: "rest/request", Detail: "base64"},
		{Name: "a header with a line end", Connection: conn, Params: "path: /echo/\nheaders: { x-a: \"1\\r\\nX-Evil: 2\" }", Problem: "rest/request", Detail: "x-a"},
		{Name: "a header whose name is none", Connection: conn, Params: "path: /echo/\nheaders: { \"x a\": b }", Problem: "rest/request"},
	})
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		file := r.MultipartForm.File["doc"][0]
		f, err := file.Open()
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		content, _ := io.ReadAll(f)
		json.NewEncoder(w).Encode([]string{r.FormValue("note"), file.Filename, file.Header.Get("Content-Type"), string(content)})
	}))
	t.Cleanup(s.Close)
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "fields and files", Params: "method: POST\nurl: " + s.URL + "\nresponse: json\nmultipart:\n- { name: note, text: hi }\n- { name: doc, binary: aGk=, filename: \"a\\\"b.txt\", content_type: text/plain }",
			Want: `{"body": ["hi", "a%22b.txt", "text/plain", "hi"]}`},
		{Name: "a file without a type", Params: "method: POST\nurl: " + s.URL + "\nresponse: json\nmultipart: [{ name: doc, binary: aGk=, filename: f }]",
			Want: `{"body": ["", "f", "application/octet-stream", "hi"]}`},
		{Name: "a file that is none", Params: "method: POST\nurl: " + s.URL + "\nmultipart: [{ name: doc, binary: 7 }]", Problem: "rest/request"},
	})
}

func TestFailedConnections(t *testing.T) {
	t.Parallel()
	plain := service(t)
	secure := httptest.NewTLSServer(http.HandlerFunc(echo))
	secure.Config.ErrorLog = quiet()
	t.Cleanup(secure.Close)
	slow, _ := silent(t)
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "a service that is away is retriable", Params: "url: http://" + closedPort(t) + "/a?key=hidden", Problem: "rest/connection", Status: 502, Retriable: true, Detail: "refused"},
		{Name: "a host nobody knows", Params: "url: http://no.such.host.invalid/", Problem: "rest/connection", Status: 502, Retriable: true},
		{Name: "a certificate nobody vouches for is not", Params: "url: " + secure.URL, Problem: "rest/tls", Status: 502},
		{Name: "a service that speaks no TLS", Params: "url: " + strings.Replace(plain.URL, "http:", "https:", 1), Problem: "rest/tls", Status: 502},
		{Name: "insecure_skip_verify takes any certificate", Connection: "base_url: " + secure.URL + "\ntls: { insecure_skip_verify: true }", Params: "path: /echo/", Want: `{"status": 200}`},
		{Name: "a service that does not answer in time", Params: "url: " + slow.URL + "\ntimeout: 30ms", Problem: "rest/timeout", Status: 504, Retriable: true},
		{Name: "a connection's timeout", Connection: "base_url: " + slow.URL + "\ntimeout: 30ms", Problem: "rest/timeout", Status: 504, Retriable: true},
	})
}

func TestACallIsCancelledWhileItWaits(t *testing.T) {
	t.Parallel()
	slow, waiting := silent(t)
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "for the answer", Params: "url: " + slow.URL, Reached: waiting},
	})
}

// silent is a service that never answers, and tells when it is asked.
func silent(t *testing.T) (s *httptest.Server, asked <-chan struct{}) {
	t.Helper()
	waiting := make(chan struct{}, 100)
	s = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	return s, waiting
}

// closedPort is an address nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestFindings(t *testing.T) {
	t.Parallel()
	connectortest.Golden(t, rest.Connector, "testdata/findings.txt")
	if len(rest.Codes()) != 2 {
		t.Errorf("codes: %v", rest.Codes())
	}
}
