package step_test

import (
	"strings"
	"testing"
)

// TestRespond: what an answer is made of, and what the caller is told where no status is
// written.
func TestRespond(t *testing.T) {
	t.Parallel()
	const broken = "  - probe: { do: outage }\n"
	tests := []struct {
		name, steps, handler string
		status               int
		typ, body            string
	}{
		{"a body", "  - respond: { body: { n: \"${{ input.n }}\" } }\n", "", 0, "", `{"n":7}`},
		{"nothing", "  - respond: {}\n", "", 0, "", ""},
		{"null", "  - respond: { body: null }\n", "", 0, "", "null"},
		{"a status", "  - respond: { status: 201, body: x }\n", "", 201, "", `"x"`},
		{"a computed one", "  - respond: { status: \"${{ 200 + input.n }}\" }\n", "", 207, "", ""},
		{"a text that is not JSON", "  - respond: { headers: { Content-Type: text/plain }, body: \"n=${{ input.n }}\" }\n", "", 0, "text/plain", "n=7"},
		{"JSON of another kind", "  - respond: { headers: { content-type: application/ld+json }, body: hi }\n", "", 0, "application/ld+json", `"hi"`},
		{"the last one wins", "  - respond: { status: 201, body: 1 }\n  - respond: { body: 2 }\n", "", 0, "", "2"},
		{"a problem", "  - respond: { problem: { title: Hm, status: 418, more: 1, step: x, cause: y, data: z } }\n", "", 418, "application/problem+json", `{"more":1,"status":418,"title":"Hm","type":"about:blank"}`},
		{"a problem without a status", "  - respond: { problem: { type: a/b } }\n", "", 500, "application/problem+json", `{"status":500,"type":"a/b"}`},
		{"what was responded before the failure is gone", "  - respond: { body: 1 }\n  - fail: { type: a/b }\n", "[ { log: { message: hi } } ]", -1, "", ""},
		{"the author's status", "  - fail: { type: a/b, status: 409 }\n", "[ { respond: { body: no } } ]", 409, "", `"no"`},
		{"an explicit one stands", "  - fail: { type: a/b, status: 409 }\n", "[ { respond: { status: 200, body: no } } ]", 200, "", `"no"`},
		{"a service outside", broken, "[ { respond: { body: no } } ]", 502, "", `"no"`},
		{"error itself, of a service outside", broken, "[ { respond: { problem: \"${{ error }}\" } } ]", 502, "application/problem+json", ""},
		{"error in catch", "  - try: [ { probe: { do: outage } } ]\n    catch: [ { respond: { problem: \"${{ error }}\" } } ]\n", "", 502, "application/problem+json", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := "steps:\n" + tt.steps
			if tt.handler != "" {
				text += "on_error: " + tt.handler + "\n"
			}
			p := stage(t, files(text))
			p.Probe.On("outage", outage)
			p.again(0)
			if tt.status < 0 {
				if p.Reply != nil {
					t.Errorf("it answers %+v", p.Reply)
				}
				return
			}
			r := p.Reply
			if r == nil || r.Status != tt.status || r.ContentType != tt.typ || tt.body != "" && r.Body != tt.body {
				t.Fatalf("it answers %+v", r)
			}
			for _, inside := range []string{"secret", "pipeline", `"step"`, "connector", "cause"} {
				if strings.Contains(r.Body, inside) {
					t.Errorf("the answer shows %s: %s", inside, r.Body)
				}
			}
		})
	}
}
