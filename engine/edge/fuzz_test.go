package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pipelined"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// FuzzBody sends bodies of any type. What is taken is a value that can be written as
// JSON, and a JSON body is taken byte for byte; what is not taken is a problem
// document with a status below 500.
func FuzzBody(f *testing.F) {
	f.Add("application/json", `{"a":[1,2.50,"x"]}`)
	f.Add("application/json; charset=utf-8", "\xef\xbb\xbf{}")
	f.Add("application/x-www-form-urlencoded", "a=1&b=%zz&a=2")
	f.Add("text/plain", "\x00\xff")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--")
	f.Add("", "[[[[")
	f.Add("application/problem+json", "1e999")
	f.Add("a/b/c; =", "{")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		var got any
		h := newHandler(t, Endpoint{Route: &triggers.Route{Method: "POST", Path: "/a"}, Pipeline: "a",
			Run: func(_ context.Context, r *Request) (*pipelined.Reply, error) {
				got = r.Input
				return &pipelined.Reply{Body: `"ok"`}, nil
			}})
		r := httptest.NewRequest(http.MethodPost, "/a", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			var problem struct{ Title string }
			if w.Code >= 500 || json.Unmarshal(w.Body.Bytes(), &problem) != nil || problem.Title == "" {
				t.Fatalf("%q %q: %d %s", contentType, body, w.Code, w.Body)
			}
			return
		}
		raw, err := value.JSON(got)
		if err != nil || !json.Valid([]byte(raw)) {
			t.Fatalf("%q %q became %v: %s, %v", contentType, body, got, raw, err)
		}
		if in, ok := got.(value.Raw); ok && string(in) != strings.Trim(strings.TrimPrefix(body, "\xef\xbb\xbf"), " \t\r\n") {
			t.Fatalf("%q became %q", body, in)
		}
	})
}
