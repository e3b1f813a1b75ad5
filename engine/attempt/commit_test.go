package attempt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// TestWhatACallerIsToldOfACommit: whether it happened, and whether it is worth coming
// again. Where and why the store fails is not in the title, which callers see.
func TestWhatACallerIsToldOfACommit(t *testing.T) {
	t.Parallel()
	unique := &store.ConflictError{Collection: "users", ID: "u-1", Field: "email", Reason: "unique"}
	version := &store.ConflictError{Collection: "users", ID: "u-1", Reason: "version"}
	tests := []struct {
		err       error
		typ       string
		status    int
		retriable bool
		after     time.Duration
		title     string
	}{
		{fmt.Errorf("commit: %w", version), pipelined.TypeConflict, 409, true, 0, "kept changing"},
		{fmt.Errorf("commit: %w", unique), pipelined.TypeConflict, 409, false, 0, "A value is taken"},
		{fmt.Errorf("%w: no space in /var/lib", store.ErrUnavailable), pipelined.TypeUnavailable, 503, true, time.Second, "nothing of the request happened"},
		{store.ErrClosed, pipelined.TypeUnavailable, 503, true, time.Second, "nothing of the request happened"},
		{fmt.Errorf("%w: no answer in 30s", store.ErrInDoubt), pipelined.TypeUnavailable, 503, false, 0, "It is not known"},
		{errors.New("not JSON"), pipelined.TypeInternal, 500, false, 0, "could not be committed"},
	}
	for _, tt := range tests {
		p := attempt.CommitProblem(tt.err)
		if p.Type != tt.typ || p.Status != tt.status || p.Retriable != tt.retriable || p.RetryAfter != tt.after || !strings.Contains(p.Title, tt.title) {
			t.Errorf("%v is told as %+v", tt.err, p)
		}
		if !strings.Contains(p.Detail, tt.err.Error()) || strings.Contains(p.Title, "/var/lib") {
			t.Errorf("%v: title %q, detail %q", tt.err, p.Title, p.Detail)
		}
	}
}

// TestARedriveIsAnEventForItsPipeline that names the record.
func TestARedriveIsAnEventForItsPipeline(t *testing.T) {
	t.Parallel()
	rec := &objectstore.ErrorRecord{ID: `x-"1"`, Pipeline: "work"}
	ev, err := attempt.NewRedrive(rec, "id-1", enginetest.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	if ev.Type != attempt.RedriveType || ev.Key != "work" || ev.ID != "id-1" || ev.Attempt != 1 || ev.Data != `{"record":"x-\"1\""}` {
		t.Errorf("%+v", ev)
	}
}

// TestWhatAnExecutionSees: the names of the scope that belong to what started it hold what
// it brought, and those of others nothing.
func TestWhatAnExecutionSees(t *testing.T) {
	t.Parallel()
	seen := map[string]map[string]string{
		"request":                      {"request.path": `"/work"`, "input.n": "7"},
		"delivery":                     {"event.id": `"id-0001"`, "event.type": `"job.new"`, "event.attempt": "4", "event.crashes": "2", "event.key": `"k-1"`, "input.n": "7"},
		"delivery that may come again": {"event.attempt": "4"},
		"tick":                         {"schedule.time": `"2026-03-08T09:30:00Z"`, "schedule.previous": `"2026-03-08T08:30:00Z"`, "input": "null"},
		"manual":                       {"input.n": "7"},
	}
	for _, k := range kinds {
		names := map[string]string{"run.attempt": "4", "run.pipeline": `"work"`, "run.id": `"id-0002"`, "globals.greeting": `"hello"`}
		for name, want := range seen[k.name] {
			names[name] = want
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			var members []string
			for name := range names {
				members = append(members, fmt.Sprintf("%q: \"${{ %s }}\"", name, name))
			}
			text := k.project("steps:\n  - probe: { do: look, with: { " + strings.Join(members, ", ") + " } }\n")
			r := enginetest.New(t, strings.Replace(text, "project: shop\n", "project: shop\nglobals: { greeting: hello }\n", 1))
			got := map[string]string{}
			r.Probe.On("look", lookAt(got))
			a, _ := k.attempt(r)
			a.Number, a.Crashes = 4, 2
			e := r.Runner.Run(t.Context(), a)
			if e.Err != nil || e.Problem != nil {
				t.Fatal(e.Err, e.Problem)
			}
			names["run.id"] = fmt.Sprintf("%q", e.ID)
			for name, want := range names {
				if got[name] != want {
					t.Errorf("%s is %s, want %s", name, got[name], want)
				}
			}
		})
	}
}

// lookAt notes the members of a map as JSON.
func lookAt(into map[string]string) enginetest.Call {
	return func(_ context.Context, with any) (any, error) {
		text, err := value.JSON(with)
		if err != nil {
			return nil, err
		}
		var members map[string]json.RawMessage
		err = json.Unmarshal([]byte(text), &members)
		for name, v := range members {
			into[name] = string(v)
		}
		return nil, err
	}
}
