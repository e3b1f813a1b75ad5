package step_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"pipelined/engine/execution"
	"pipelined/internal/value"
)

// panics are what of an author's step may panic: an operation, a function of an
// expression, a stream that is read.
var panics = map[string]string{
	"a connector's operation": list(0, "probe: { do: panic }"),
	"a function":              list(0, "set: { a: \"${{ random() }}\" }"),
	"a condition":             list(0, "log: { message: hi }\nwhen: random() > 0"),
	"a parameter":             list(0, "probe: { do: echo, with: \"${{ random() }}\" }"),
	"the data of an event":    list(0, "publish: { event: job.done, data: \"${{ random() }}\" }"),
	"a where":                 list(0, "object_store.find: { collection: kept, where: random() > doc.n, limit: 1 }"),
	"a stream":                it(0, "probe: { do: stream, with: [1, 2, panic, 3] }") + list(0, "foreach: steps.it.rows\nsteps: []"),
	"a stream, concurrently":  it(0, "probe: { do: stream, with: [1, 2, panic, 3] }") + list(0, "foreach: steps.it.rows\nconcurrency: 2\nsteps: [ { delay: 1m } ]"),
	"a stream, by csv.format": it(0, "probe: { do: stream, with: [[1], panic] }") + list(0, "csv.format: { rows: \"${{ steps.it.rows }}\" }"),
	"retry.when":              list(0, "fail: { type: job/tried }\nretry: { attempts: 2, when: random() > 0 }"),
}

// TestAPanicIsAFailure, whatever panics and wherever it stands: 500, one line with a
// stack, nothing of it stays, and nobody is left running.
func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	for _, pl := range places {
		t.Run(pl.name, func(t *testing.T) {
			t.Parallel()
			for what, steps := range panics {
				t.Run(what, func(t *testing.T) {
					p := stage(t, pl.project(list(0, before)+steps+list(0, after))).furnished()
					panicked := !strings.Contains(steps, "random()") // the expression asks first; waits after it do, too
					p.Runner.Values.Random = func() float64 {
						if !panicked {
							panicked = true
							panic("the function panics")
						}
						return 0.5
					}
					p.again(0)
					q := p.Problem
					if pl.note {
						if p.failed("job/first", 500); !strings.Contains(q.Note, "panicked") {
							t.Errorf("the note is %q", q.Note)
						}
					} else if q = p.failed("engine/internal", 500); q.Step == "" || q.Title != "A step panicked" {
						t.Errorf("it is told as %s", p.outcome())
					}
					if lines := p.Logs.Lines("a step panicked", "panics", "goroutine"); len(lines) != 1 || !strings.Contains(lines[0], "execution="+p.ID) {
						t.Errorf("the log tells of it %d times:\n%s", len(lines), p.Logs)
					}
					if left := p.left("stays"); left != "{}" {
						t.Errorf("it left %s", left)
					}
				})
			}
		})
	}
}

// TestAPanicCancelsTheBranchesBesideIt and waits for them, on the machine's own host:
// after it no goroutine of theirs is left, and the room works on.
func TestAPanicCancelsTheBranchesBesideIt(t *testing.T) {
	beside := map[string]string{
		"parallel": "  - parallel:\n      a: [ { probe: { do: linger } } ]\n      b: [ { probe: { do: meet } }, { probe: { do: panic } } ]",
		"turns":    "  - foreach: \"[1, 2]\"\n    concurrency: 2\n    steps:\n      - { when: item == 1, probe: { do: linger } }\n      - { when: item == 2, probe: { do: meet } }\n      - { when: item == 2, probe: { do: panic } }",
		"a stream": "  - name: s\n    probe: { do: rows }\n  - foreach: steps.s.rows\n    concurrency: 2\n    steps: [ { probe: { do: linger } } ]",
	}
	for name, steps := range beside {
		t.Run(name, func(t *testing.T) {
			p := stage(t, files("steps:\n"+steps))
			p.Runner.Host = execution.Machine{Clock: p.Clock}
			lingers, ended := make(chan struct{}, 2), make(chan struct{}, 2)
			p.Probe.On("linger", func(ctx context.Context, _ any) (any, error) {
				lingers <- struct{}{}
				<-ctx.Done()
				ended <- struct{}{}
				return nil, context.Cause(ctx)
			})
			p.Probe.On("meet", func(context.Context, any) (any, error) { <-lingers; return nil, nil })
			p.Probe.On("rows", func(context.Context, any) (any, error) {
				return map[string]any{"rows": &rows{list: []any{1, "panic"}, meet: func() { <-lingers }}}, nil
			})
			goroutines := runtime.NumGoroutine()
			for range 2 {
				a := p.Attempt("work", cause{})
				a.Input = value.Raw(input)
				p.Ending = p.Runner.Run(p.Context(), a)
				p.failed("engine/internal", 500)
				if len(ended) != 1 {
					t.Fatal("the attempt ended before the branch that was cancelled")
				}
				<-ended
				for len(lingers) > 0 {
					<-lingers
				}
			}
			settled(t, goroutines)
		})
	}
}

// TestAPanicCanBeDealtWith like any failure: caught, retried, gone on after.
func TestAPanicCanBeDealtWith(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]string{
		"catch":             "  - try: [ { probe: { do: panic } } ]\n    catch: [ { probe: { do: say, with: \"${{ error.type }}\" } } ]",
		"on_error":          "  - probe: { do: panic }\n    on_error: [ { probe: { do: say, with: \"${{ error.type }}\" } } ]",
		"on_error continue": "  - name: it\n    probe: { do: panic }\n    on_error: continue\n  - probe: { do: say, with: \"${{ steps.it.error.type }}\" }",
		"on_item_error":     "  - name: it\n    foreach: \"[1]\"\n    on_item_error: continue\n    steps: [ { probe: { do: panic } } ]\n  - probe: { do: say, with: \"${{ steps.it.items[0].error.type }}\" }",
		"retry":             "  - name: it\n    probe: { do: panic }\n    retry: { attempts: 3, when: \"true\", initial: 1m, max: 1m, jitter: none }\n    on_error: [ { probe: { do: say, with: \"${{ error.type }}\" } } ]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, files("steps:\n"+steps)).ok()
			if fmt.Sprint(p.said) != `["engine/internal"]` {
				t.Errorf("said is %v", p.said)
			}
			if want := map[bool]int{true: 3, false: 1}[name == "retry"]; p.Probe.Calls("panic") != want || len(p.Logs.Lines("a step panicked")) != want {
				t.Errorf("%d calls, %d lines", p.Probe.Calls("panic"), len(p.Logs.Lines("a step panicked")))
			}
			if name == "retry" && p.took() != 2*time.Minute {
				t.Errorf("it took %s", p.took())
			}
		})
	}
}
