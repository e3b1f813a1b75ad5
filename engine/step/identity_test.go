package step_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// keysOf are the idempotency keys of a project's steps with do: key.
func keysOf(t *testing.T, project string) []string {
	t.Helper()
	p := run(t, project)
	if len(p.keys) == 0 {
		t.Fatalf("no key was seen: %s\n%s", p.outcome(), p.Logs)
	}
	return p.keys
}

// TestAnEditAboveChangesNoKey, wherever the step without a name stands: what is under way
// goes on under the key it began with.
func TestAnEditAboveChangesNoKey(t *testing.T) {
	t.Parallel()
	for _, pl := range places {
		t.Run(pl.name, func(t *testing.T) {
			t.Parallel()
			const body = "probe: { do: key, with: { a: 1, b: [x, \"y\"] } }"
			plain := pl.project(list(0, body))
			want := keysOf(t, plain)
			for name, edited := range map[string]string{
				"lines above the pipeline": strings.ReplaceAll(plain, "pipeline: work\n", "# one\n\n# two\npipeline: work\ndescription: other\n"),
				"lines above the callee":   strings.ReplaceAll(plain, "pipeline: sub\n", "# one\n\npipeline: sub\ndescription: other\n"),
				"another step before it":   pl.project(list(0, "log: { message: new }") + list(0, "probe: { do: echo }") + list(0, body)),
				"a comment before it":      pl.project("# a comment\n" + list(0, body)),
				"another style":            pl.project(list(0, "probe:\n  do: \"key\"\n  with:\n    a: 1\n    b:\n      - 'x'\n      - y")),
			} {
				if got := keysOf(t, edited); !slices.Equal(got, want) {
					t.Errorf("%s: the keys are %v, they were %v", name, got, want)
				}
			}
			if got := keysOf(t, pl.project(list(0, "probe: { do: key, with: { a: 2 } }"))); slices.Equal(got, want) {
				t.Errorf("a step that does something else has the key %v, too", got)
			}
		})
	}
}

// TestEveryRunOfAStepHasItsKey: equal steps, turns, branches and calls are told apart; tries
// are not.
func TestEveryRunOfAStepHasItsKey(t *testing.T) {
	t.Parallel()
	const key = "probe: { do: key }"
	sub := "\n-- sub.yaml --\npipeline: sub\nsteps:\n" + list(2, key)
	for name, steps := range map[string]string{
		"two equal ones":     list(2, key) + list(2, key),
		"turns":              "  - foreach: 1..3\n    steps:\n" + list(6, key),
		"concurrent turns":   "  - foreach: 1..3\n    concurrency: 3\n    steps:\n" + list(6, key),
		"turns of turns":     "  - foreach: 1..2\n    as: a\n    steps:\n      - foreach: 1..2\n        as: b\n        steps:\n" + list(10, key),
		"while":              "  - until: vars.n >= 3\n    steps:\n      - set: { n: \"${{ (vars.n ?? 0) + 1 }}\" }\n" + list(6, key),
		"branches":           "  - parallel:\n      a:\n" + list(8, key) + "      b:\n" + list(8, key),
		"two calls":          "  - call: { pipeline: sub }\n  - call: { pipeline: sub }" + sub,
		"calls of turns":     "  - foreach: 1..2\n    steps: [ { call: { pipeline: sub } } ]" + sub,
		"a call and a step":  list(2, key) + "  - call: { pipeline: sub }" + sub,
		"a name and another": list(2, "name: one\n"+key) + list(2, "name: two\n"+key),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := keysOf(t, files("steps:\n"+steps))
			slices.Sort(keys)
			if n := len(keys); n < 2 || len(slices.Compact(slices.Clone(keys))) != n {
				t.Errorf("the keys are %v", keys)
			}
		})
	}
	p := stage(t, files("steps:\n"+list(2, "probe: { do: flaky }\nretry: { attempts: 3, when: \"true\" }")))
	p.Probe.On("flaky", p.flaky(2))
	p.again(0).ok()
	if len(p.keys) != 3 || p.keys[0] != p.keys[2] || !strings.HasPrefix(p.keys[0], "e-1/work/probe#") {
		t.Errorf("the tries have the keys %v", p.keys)
	}
	if a, b := keysOf(t, files("steps:\n"+list(2, "name: one\n"+key)))[0], "e-1/work/one"; a != b {
		t.Errorf("a step with a name has the key %s, want %s", a, b)
	}
	if got := fmt.Sprint(keysOf(t, files("steps:\n  - foreach: 1..2\n    steps:\n"+list(6, "name: one\n"+key)))); got != "[e-1/work/one/0 e-1/work/one/1]" {
		t.Errorf("its turns have the keys %s", got)
	}
}
