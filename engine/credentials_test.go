package engine_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAKeptRequestHasNoCredentials: what a caller proved himself with is neither in the
// dead letter of his request nor in the event that the error handler gets (I7).
func TestAKeptRequestHasNoCredentials(t *testing.T) {
	t.Parallel()
	h := start(t, `-- run.yaml --
pipeline: flow
trigger: { http: { method: POST, path: /run } }
steps: [ { fail: { type: shop/broken, title: "seen ${{ len(request.headers.authorization) }}" } } ]
-- handler.yaml --
pipeline: handler
trigger: { error: {} }
steps: [ { object_store.put: { collection: handled, document: "${{ input }}" } } ]
`)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/run", strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Trace", "t-1")
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Auth-Token"} {
		r.Header.Set(name, "hush-"+name)
	}
	h.engine.ServeHTTP(httptest.NewRecorder(), r)
	h.settle()
	for _, collection := range []string{"dead_letters", "handled"} {
		d := h.docs(collection)
		if len(d) != 1 {
			t.Fatalf("%s: %v", collection, d)
		}
		headers := d[0]["request"].(map[string]any)["headers"].(map[string]any)
		if headers["x-trace"] != "t-1" || headers["authorization"] != "***" || headers["x-api-key"] != "***" {
			t.Errorf("%s: %v", collection, headers)
		}
		if title := d[0]["error"].(map[string]any)["title"]; title != "seen 18" {
			t.Errorf("%s: the flow itself sees them: %v", collection, title)
		}
	}
	for _, ev := range h.events("pipelined.execution.failed") {
		if strings.Contains(ev.Data, "hush") {
			t.Errorf("the event has them: %s", ev.Data)
		}
	}
}
