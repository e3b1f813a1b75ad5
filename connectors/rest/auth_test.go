package rest_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/connectors/connectortest"
	"pipelined/connectors/rest"
	"pipelined/internal/clock"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := service(t)
	conn := "base_url: " + s.URL + "\nauth: "
	// The echoing 400 is a service that repeats what it was sent.
	repeat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Echo", r.Header.Get("Authorization")+r.Header.Get("X-Key"))
		w.WriteHeader(400)
		json.NewEncoder(w).Encode([]string{r.Header.Get("Authorization"), r.RequestURI, r.Header.Get("X-Key")})
	}))
	t.Cleanup(repeat.Close)
	at := "base_url: " + repeat.URL + "\nauth: "
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "basic", Connection: conn + "{ basic: { username: me, password: secret word } }", Params: "path: /echo/", Want: `{"body": {"headers": {"authorization": "Basic bWU6c2VjcmV0IHdvcmQ="}}}`},
		{Name: "bearer", Connection: conn + "{ bearer: tok-123 }", Params: "path: /echo/", Want: `{"body": {"headers": {"authorization": "Bearer tok-123"}}}`},
		{Name: "a key in a header", Connection: conn + "{ api_key: { header: X-Key, value: key-123 } }", Params: "path: /echo/", Want: `{"body": {"headers": {"x-key": "key-123"}}}`},
		{Name: "a key in the query", Connection: conn + "{ api_key: { query: key, value: k&y-1 } }", Params: "path: /echo/?a=1", Want: `{"body": {"uri": "/echo/?a=1&key=k%26y-1"}}`},
		{Name: "basic is not in an error", Connection: at + "{ basic: { username: me, password: secret word } }", Problem: "rest/status", Status: 400, Data: `{"body": ["Basic ***", "/", ""], "headers": {"x-echo": "Basic ***"}}`},
		{Name: "a bearer token is not in an error", Connection: at + "{ bearer: 'tok\"123' }", Problem: "rest/status", Status: 400, Data: `{"body": ["Bearer ***", "/", ""]}`},
		{Name: "a key is not in an error", Connection: at + "{ api_key: { query: key, value: k&y-1 } }", Problem: "rest/status", Status: 400, Data: `{"body": ["", "/?key=***", ""]}`},
		{Name: "nor is it when nobody answers", Connection: "base_url: http://" + closedPort(t) + "\nauth: { api_key: { query: key, value: key-123 } }", Problem: "rest/connection", Retriable: true},
		{Name: "nor is the password of a base_url", Connection: "base_url: " + strings.Replace(repeat.URL, "://", "://me:secret-word@", 1), Problem: "rest/status", Status: 400, Data: `{"body": ["Basic bWU6c2VjcmV0LXdvcmQ=", "/", ""]}`},
	})
}

// A redirect to another host takes along nothing that was meant for the first.
func TestRedirects(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if back := r.URL.Query().Get("back"); back != "" {
			http.Redirect(w, r, back, http.StatusTemporaryRedirect)
			return
		}
		echo(w, r)
	}))
	t.Cleanup(other.Close)
	var home *httptest.Server
	home = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL+"/echo/", http.StatusTemporaryRedirect)
		case "/there-and-back":
			http.Redirect(w, r, other.URL+"/?back="+url.QueryEscape(home.URL+"/echo/"), http.StatusTemporaryRedirect)
		case "/near":
			http.Redirect(w, r, "/echo/near", http.StatusFound)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		default:
			echo(w, r)
		}
	}))
	t.Cleanup(home.Close)
	conn := "base_url: " + home.URL + "\nheaders: { X-Token: tok-1 }\nauth: { api_key: { header: X-Key, value: key-123 } }\n"
	query := "base_url: " + home.URL + "\nauth: { api_key: { query: key, value: key-123 } }\n"
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "a redirect on the same host is followed", Connection: conn, Params: "path: /near", Want: `{"body": {"uri": "/echo/near", "headers": {"x-key": "key-123", "x-token": "tok-1"}}}`},
		{Name: "with the key in the query", Connection: query, Params: "path: /near", Want: `{"body": {"uri": "/echo/near?key=key-123"}}`},
		{Name: "one to another host is not", Connection: conn, Params: "path: /away", Problem: "rest/status", Status: 502, Detail: "follow_redirects"},
		{Name: "unless it may", Connection: conn, Params: "method: POST\npath: /away\nbody: 1\nfollow_redirects: all\nheaders: { Authorization: mine, Cookie: c=1, X-Mine: x }",
			Want: `{"body": {"method": "POST", "body": "1", "headers": {"content-type": "application/json"}}}`},
		{Name: "none at all, taken as a result", Connection: conn, Params: "path: /near\nfollow_redirects: none\nsuccess: 200-399", Want: `{"status": 302, "headers": {"location": "/echo/near"}}`},
		{Name: "a circle ends", Connection: conn, Params: "path: /circle", Problem: "rest/redirects", Status: 502},
	})
	for _, path := range []string{"/away", "/there-and-back"} {
		got := callOnce(t, conn, "path: "+path+"\nfollow_redirects: all\nheaders: { Authorization: mine, Cookie: c=1, X-Mine: x }")
		for _, secret := range []string{"key-123", "tok-1", "mine", "c=1", "x-mine", "referer"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: %q went to another host: %s", path, secret, got)
			}
		}
	}
	if got := callOnce(t, query, "path: /away\nfollow_redirects: all"); strings.Contains(got, "key-123") {
		t.Errorf("the key of the query went to another host: %s", got)
	}
}

// callOnce returns the answer's body as text.
func callOnce(t *testing.T, conn, params string) string {
	t.Helper()
	result, err := connectortest.Call(t, rest.Connector, conn, params, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(result.(map[string]any)["body"])
}

// tokenService hands out tokens t-1, t-2 …; the API takes the newest only.
type tokenService struct {
	*httptest.Server
	asked  atomic.Int64
	valid  atomic.Int64
	broken atomic.Int64 // status to answer with instead
}

func newTokenService(t *testing.T) *tokenService {
	t.Helper()
	s := &tokenService{}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if status := s.broken.Load(); status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "/token/elsewhere")
			w.WriteHeader(int(status))
			io.WriteString(w, `{"error":"invalid_client","error_description":"wrong client-secret"}`)
			return
		}
		if id, secret, _ := r.BasicAuth(); id != "client-1" || secret != "client-secret" || r.FormValue("scope") != "a b" {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		n := s.asked.Add(1)
		s.valid.Store(n)
		fmt.Fprintf(w, `{"access_token":"t-%d","token_type":"Bearer","expires_in":3600}`, n)
	})
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t-%d", s.valid.Load()) {
			w.WriteHeader(401)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *tokenService) connection() string {
	return "base_url: " + s.URL + "\nauth: { oauth2: { token_url: " + s.URL + "/token, client_id: client-1, client_secret: client-secret, scopes: [a, b] } }\n"
}

func TestOAuth2(t *testing.T) {
	t.Parallel()
	s := newTokenService(t)
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "a token is had and sent", Connection: s.connection(), Params: "method: POST\npath: /api\ntext: hi\nresponse: text", Want: `{"body": "hi"}`, Once: true},
	})
	t.Run("one token serves many calls, and a refused one is renewed once", func(t *testing.T) {
		t.Parallel()
		s := newTokenService(t)
		c := connectortest.Open(t, rest.Connector, s.connection())
		for range 3 {
			if _, err := c.Call(t.Context(), "path: /api", nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("%d tokens for three calls", n)
		}
		s.valid.Store(-1) // revoked
		if _, err := c.Call(t.Context(), "method: POST\npath: /api\ntext: again", nil); err != nil {
			t.Errorf("a revoked token is not renewed: %v", err)
		}
		if n := s.asked.Load(); n != 2 {
			t.Errorf("%d tokens, want 2", n)
		}
	})
	t.Run("a token service that refuses is told without its words", func(t *testing.T) {
		t.Parallel()
		for status, retriable := range map[int64]bool{401: false, 503: true, 307: false} {
			s := newTokenService(t)
			s.broken.Store(status)
			_, err := connectortest.Call(t, rest.Connector, s.connection(), "path: /api", nil)
			p := pipelined.AsProblem(err)
			if p == nil || p.Type != "rest/token" || p.Retriable != retriable || strings.Contains(p.Error(), "client-secret") {
				t.Errorf("%d: %v", status, p)
			}
		}
	})
	t.Run("a token service that is away is retriable", func(t *testing.T) {
		t.Parallel()
		conn := strings.Replace(newTokenService(t).connection(), "token_url: http://127.0.0.1:", "token_url: http://"+closedPort(t)+"/", 1)
		_, err := connectortest.Call(t, rest.Connector, conn, "path: /api", nil)
		if p := pipelined.AsProblem(err); p == nil || p.Type != "rest/token" || !p.Retriable {
			t.Errorf("%v", p)
		}
	})
	t.Run("waiting for another call's token ends with the context", func(t *testing.T) {
		t.Parallel()
		asked, release := make(chan struct{}, 10), make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			asked <- struct{}{}
			<-release
		}))
		t.Cleanup(slow.Close)
		conn := "base_url: " + slow.URL + "\nauth: { oauth2: { token_url: " + slow.URL + ", client_id: a, client_secret: client-secret } }\n"
		c := connectortest.Open(t, rest.Connector, conn)
		first := make(chan error, 1)
		go func() { _, err := c.Call(t.Context(), "path: /", nil); first <- err }()
		<-asked
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(pipelined.ErrStopping)
		if _, err := c.Call(ctx, "path: /", nil); !strings.Contains(fmt.Sprint(err), "stopping") {
			t.Errorf("%v", err)
		}
		close(release)
		if err := <-first; err == nil {
			t.Error("a token out of nothing")
		}
	})
}

func TestTLSFiles(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(echo))
	s.Config.ErrorLog = quiet()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for name, text := range map[string][]byte{"ca.pem": ca, "empty.pem": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	conn := "base_url: " + s.URL + "\ntls: "
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "an authority of one's own, in a file of the project", Dir: dir, Connection: conn + "{ ca_file: ca.pem }", Params: "path: /a", Want: `{"status": 200}`},
		{Name: "in a file somewhere else", Connection: conn + "{ ca_file: " + filepath.Join(dir, "ca.pem") + " }", Params: "path: /a", Want: `{"status": 200}`},
		{Name: "a certificate for another name", Dir: dir, Connection: conn + "{ ca_file: ca.pem, server_name: other.test }", Params: "path: /a", Problem: "rest/tls", Detail: "another host"},
	})
	for name, settings := range map[string]string{
		"a file that is not there":      "{ ca_file: none.pem }",
		"a file without a certificate":  "{ ca_file: empty.pem }",
		"a certificate without its key": "{ cert_file: ca.pem, key_file: '' }",
		"a key that does not fit":       "{ cert_file: ca.pem, key_file: ca.pem }",
	} {
		if err := connectortest.OpenError(t, rest.Connector, conn+settings, dir); err == nil || !strings.Contains(err.Error(), "tls.") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const base = "base_url: http://a.example\n"
	for name, conn := range map[string]string{
		"a base_url of another kind": "base_url: ftp://a.example",
		"a base_url without a host":  "base_url: http:///a",
		"a token that is empty":      base + "auth: { bearer: '' }",
		"a key in no place":          base + "auth: { api_key: { header: '', value: key-123 } }",
		"a proxy that is no url":     base + "proxy: \"::\"",
		"a proxy without a scheme":   base + "proxy: secret-host",
	} {
		err := connectortest.OpenError(t, rest.Connector, conn, "")
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "123") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProxyIsUsed(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "through the proxy to ", r.Host) }))
	t.Cleanup(proxy.Close)
	connectortest.Run(t, rest.Connector, []connectortest.Case{
		{Name: "requests go through it", Connection: "base_url: http://far.invalid\nproxy: " + proxy.URL, Params: "path: /a", Want: `{"body": "through the proxy to far.invalid"}`},
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)
	tests := []struct {
		name, header string
		want         time.Duration
	}{
		{"seconds", "120", 2 * time.Minute},
		{"a date", "Sun, 08 Mar 2026 09:31:00 GMT", time.Minute},
		{"a date that has passed", "Sun, 08 Mar 2026 09:29:00 GMT", 0},
		{"none", "", 0},
		{"a negative number", "-5", 0},
		{"nonsense", "soon", 0},
		{"more than anyone waits", "99999999999999999999", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := service(t)
			client, err := rest.Connector.Open(t.Context(), nil, connectors.Env{Clock: clock.NewFake(now)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = rest.Connector.Operations[0].Call(t.Context(), client, rest.Params(s.URL+"/status/503?Retry-After="+url.QueryEscape(tt.header)))
			if p := pipelined.AsProblem(err); p.Type != "rest/status" || p.RetryAfter != tt.want {
				t.Errorf("%q: %v, %v; want %v", tt.header, p, p.RetryAfter, tt.want)
			}
		})
	}
}

func TestAFailedAnswerIsReadAsFarAsItIsTold(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(500)
		io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	t.Cleanup(s.Close)
	_, err := connectortest.Call(t, rest.Connector, "", "url: "+s.URL+"\nmax_response: 1KB", nil)
	p := pipelined.AsProblem(err)
	if p == nil || p.Type != "rest/status" || len(p.Data) < 64<<10 || len(p.Data) > 65<<10 {
		t.Errorf("%v with %d bytes of data", p, len(p.Data))
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/a", "a//b", "../x", "%2e%2e/", "/a%2Fb?q=1#f", "//evil", "/\\evil", "?q", "/ä b", "/%", "/..%2f..", "http://evil/", "/;a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := rest.Below("https://me:secret@shop.example/api/v1", path)
		if err != nil {
			return
		}
		again, err := url.Parse(u)
		if err != nil {
			t.Fatalf("%q gives %q: %v", path, u, err)
		}
		if again.Host != "shop.example" || again.Scheme != "https" || !strings.HasPrefix(again.EscapedPath()+"/", "/api/v1/") || again.Fragment != "" {
			t.Fatalf("%q leads out of base_url: %s", path, u)
		}
		for s := range strings.SplitSeq(again.EscapedPath(), "/") {
			if plain, _ := url.PathUnescape(s); plain == ".." || plain == "." {
				t.Fatalf("%q has a dot segment: %s", path, u)
			}
		}
		if strings.ContainsAny(again.RequestURI(), " \r\n\t\"<>\\^`{|}") {
			t.Fatalf("%q gives a request line that is none: %q", path, again.RequestURI())
		}
	})
}

func FuzzStatuses(f *testing.F) {
	for _, s := range []string{"200", "200-299,404", " 200 - 299 , 301", "", "-", "200-", "99", "600", "1e2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, n := range rest.StatusesIn(text) {
			if n < 100 || n > 599 {
				t.Fatalf("%q has the status %d", text, n)
			}
		}
	})
}
