package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pipelined/internal/store"
)

// TestVersions: a document as it is and as it was, wherever it is in its life and
// whether its collection keeps what was or not.
func TestVersions(t *testing.T) {
	t.Parallel()
	_, service, server := running(t, nil)
	commit := func(w store.Write) {
		t.Helper()
		if _, err := service.Store.Commit(t.Context(), &store.Batch{Documents: []store.Write{w}}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(collection, id string, n int) {
		commit(store.Write{Collection: collection, ID: id, History: collection == "kept", Document: fmt.Sprintf(`{"n":%d,"password":"p%d"}`, n, n)})
	}
	for _, c := range []string{"kept", "plain"} {
		put(c, "once", 1)
		for n := range 3 {
			put(c, "a/b c?", n+1)
			put(c, "gone", n+1)
		}
		commit(store.Write{Kind: store.Delete, Collection: c, ID: "gone", History: c == "kept"})
	}
	for _, tt := range []struct {
		collection, id string
		status         int
		says           string
		versions       int
	}{
		{"kept", "once", 200, `"exists":true,"kept":true`, 1},
		{"kept", "a/b c?", 200, `{"versions":[{"n":3,"password":"***","_id":"a/b c?","_version":3`, 3},
		{"kept", "gone", 200, `"exists":false,"kept":true`, 3},
		{"kept", "never", 404, "not found", 0},
		{"plain", "a/b c?", 200, `"exists":true,"kept":false`, 1},
		{"plain", "gone", 404, "not found", 0},
		{"kept", "", 400, "?id=", 0},
	} {
		status, body := get(t, server.URL+"/api/objects/"+tt.collection+"/versions?id="+url.QueryEscape(tt.id))
		if status != tt.status || !strings.Contains(body, tt.says) || strings.Count(body, `"_version"`) != tt.versions {
			t.Errorf("%s %q: %d %s", tt.collection, tt.id, status, body)
		}
	}
}
