package http

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pipelined/triggers"

	"github.com/go-chi/chi/v5"
)

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"/", "/orders", "/orders/{id}", "/orders/{id}/lines/{line_no:[0-9]+}", "/files/*", "/{a}-{b}", "/{name}.json",
		"/{code:[a-z]{2,3}}", "/{x:a|b}", "/café/ü b", "/*", "/{tenant}/*", "/a.b/..c", "/{t:[0-9:]+}",
	} {
		if _, err := parsePath(good); err != nil {
			t.Errorf("%q is refused: %s; %s", good, err.summary, err.fix)
		}
	}
	tests := []struct{ path, code, says string }{
		{"", "E430", `path "" does not begin with /`},
		{"orders", "E430", "write /orders"},
		{"/orders/", "E430", "ends with /"},
		{"/a//b", "E430", "empty segment"},
		{"//", "E430", "ends with /"},
		{"/a?x=1", "E430", "ends before ? and #"},
		{"/a#b", "E430", "ends before ? and #"},
		{"/a%20b", "E430", "written without %"},
		{"/a/*/b", "E430", "a * is not the last segment"},
		{"/a*", "E430", "a * is not the last segment"},
		{"/a/../b", "E430", "segment .."},
		{"/./b", "E430", "segment ."},
		{"/a\\b", "E430", "no request can have"},
		{"/a\nb", "E430", "no request can have"},
		{"/a}", "E430", "a } has no {"},
		{"/{id", "E431", "a { has no }"},
		{"/{id:{}", "E431", "a { has no }"},
		{"/{}", "E431", `"" is not a name`},
		{"/{Id}", "E431", `"Id" is not a name`},
		{"/{order-id}", "E431", `"order-id" is not a name`},
		{"/{*}", "E431", `"*" is not a name`},
		{"/{id}/{id}", "E431", "parameter id occurs twice"},
		{"/{rest}/*", "E431", "parameter rest occurs twice"},
		{"/{a}{b}", "E431", "nothing separates b from the parameter before it"},
		{"/{id:}", "E431", "it is empty"},
		{"/{id:[}", "E431", "missing closing ]"},
		{"/{id:a)(b}", "E431", "unexpected )"},
		{"/{id:a/b}", "E431", "it has a /"},
	}
	for _, tt := range tests {
		_, err := parsePath(tt.path)
		if err == nil || err.code.ID != tt.code || !strings.Contains(err.summary+" "+err.fix, tt.says) {
			t.Errorf("%q: got %+v, want %s %s", tt.path, err, tt.code, tt.says)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{"GET /orders", "GET /orders", true},
		{"GET /orders", "POST /orders", false},
		{"GET /orders/{id}", "GET /orders/{order}", true},
		{"GET /orders/{id}", "GET /orders/new", false},
		{"GET /orders/{id}", "GET /orders/{id}/lines", false},
		{"GET /orders/{id:[0-9]+}", "GET /orders/{no:[0-9]+}", true},
		{"GET /orders/{id:[0-9]+}", "GET /orders/{id}", false},
		{"GET /orders/{id}", "GET /orders/*", false},
		{"GET /a/{x}/*", "GET /a/{y}/*", true},
		{"GET bad", "GET bad", true},
	}
	route := func(text string) *triggers.Route {
		method, path, _ := strings.Cut(text, " ")
		return &triggers.Route{Method: method, Path: path}
	}
	for _, tt := range tests {
		if got := Requests(route(tt.a)) == Requests(route(tt.b)); got != tt.want {
			t.Errorf("%s and %s answer the same requests: %v", tt.a, tt.b, got)
		}
	}
}

// What passes the check, the router takes without a panic and finds again.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"/", "/orders/{id}", "/a/{x:[0-9]{2}}.json/*", "/{a}-{b}", "/{x:a|b}", "a", "/{", "/{a}{b}", "/*a", "/{id:[}", "/é/%20"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		pieces, bad := parsePath(path)
		if bad != nil {
			if bad.code.ID == "" || bad.summary == "" || bad.fix == "" {
				t.Errorf("%q is refused without words: %+v", path, bad)
			}
			return
		}
		mux := chi.NewMux()
		mux.Method("GET", routerPattern(pieces), http.NotFoundHandler())
		for _, p := range pieces {
			if p.name != "" {
				return // what fits a parameter is the author's pattern
			}
		}
		if found := mux.Find(chi.NewRouteContext(), "GET", path); found != path {
			t.Errorf("%q is not found: %q", path, found)
		}
		if u := (&url.URL{Path: path}); !strings.HasPrefix(u.EscapedPath(), "/") {
			t.Errorf("%q cannot be requested", path)
		}
	})
}
