package triggers_test

import (
	"testing"
	"time"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/triggers"
)

// TestOptionsOfASource: what an author leaves out, and what is noticed.
func TestOptionsOfASource(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   triggers.SourceOptions
		code string
		fine bool
	}{
		{"enough", triggers.SourceOptions{Options: triggers.Options{Concurrency: 4}, Prefetch: 4}, "", true},
		{"less than runs", triggers.SourceOptions{Options: triggers.Options{Concurrency: 4}, Prefetch: 3}, "E445", true},
		{"skip without order", triggers.SourceOptions{Options: triggers.Options{WhileWaiting: "skip"}, Prefetch: 1}, "E443", true},
		{"one attempt", triggers.SourceOptions{Options: triggers.Options{Retry: &triggers.RetryOptions{Attempts: 1, Initial: 1, Max: 1}}, Prefetch: 1}, "E443", true},
		{"waits that do not fit", triggers.SourceOptions{Options: triggers.Options{Retry: &triggers.RetryOptions{Attempts: 2, Initial: time.Hour, Max: 1}}, Prefetch: 1}, "E444", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &field.Context{Diags: &diag.List{}}
			s, fine := tt.in.Source(c)
			got := ""
			for _, d := range c.Diags.All() {
				got += d.Code.ID
			}
			if fine != tt.fine || got != tt.code || s.Prefetch != tt.in.Prefetch || s.Concurrency != tt.in.Concurrency {
				t.Errorf("%v, %q, %+v", fine, got, s)
			}
		})
	}
}

// TestWhatIsNoTriggerPanics when the set is made.
func TestWhatIsNoTriggerPanics(t *testing.T) {
	t.Parallel()
	spec := func(name string, names ...string) *triggers.Spec {
		return triggers.Define(name, triggers.Doc{}, func(*struct{}) triggers.Scope {
			s := triggers.Scope{}
			for _, n := range names {
				s[n] = nil
			}
			return s
		}, func(*struct{}, *field.Context) triggers.Plan { return nil })
	}
	tests := []struct {
		name   string
		list   []*triggers.Spec
		panics bool
	}{
		{"two of different names", []*triggers.Spec{spec("a"), spec("b", "event", "input", "request", "schedule", "error")}, false},
		{"two of one name", []*triggers.Spec{spec("a"), spec("a")}, true},
		{"a name without a place", []*triggers.Spec{spec("a", "mail")}, true},
		{"events that mean something else", []*triggers.Spec{spec("request")}, true},
		{"events of failures", []*triggers.Spec{spec("execution")}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if p := recover(); (p != nil) != tt.panics {
					t.Errorf("it panics with %v", p)
				}
			}()
			if set := triggers.NewSet(tt.list...); len(set.Bringing("event")) != 1 || set.Bringing("event")[0] != "b" {
				t.Errorf("%v bring event", set.Bringing("event"))
			}
		})
	}
}

// TestSummaries: every plan says in a few words what starts its pipeline.
func TestSummaries(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]triggers.Plan{
		"POST /orders":              &triggers.Route{Method: "POST", Path: "/orders"},
		"cron @daily":               &triggers.Schedule{Expression: "@daily"},
		"event order.*, invoice.in": &triggers.Subscription{Types: []string{"order.*", "invoice.in"}},
		"errors":                    &triggers.Failures{},
		"errors of a, b":            &triggers.Failures{Pipelines: []string{"a", "b"}},
		"file inbox/*":              &triggers.Source{Reads: "file inbox/*"},
	} {
		if p.Summary() != want {
			t.Errorf("%q, want %q", p.Summary(), want)
		}
	}
}
