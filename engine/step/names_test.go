package step_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/field"
	triggersall "pipelined/triggers/all"
)

// findings are what lint says of a project, as "line code summary".
func findings(t *testing.T, text string) (out []string) {
	t.Helper()
	project, err := definition.LoadFS(enginetest.Files(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	set := connectors.NewSet(append(connectorsall.Set().Families(), enginetest.NewProbe().Connector())...)
	_, list := program.Compile(project, program.Sets{Connectors: set, Triggers: triggersall.Set()})
	for _, d := range list {
		if d.Code != program.CodeNoCaller {
			out = append(out, fmt.Sprintf("%d %s %s", d.Range.Start.Line, d.Code.ID, d.Summary))
		}
	}
	return out
}

// has reports whether one of the findings has all of some texts in it.
func has(findings []string, texts ...string) bool {
	return slices.ContainsFunc(findings, func(f string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(f, text) })
	})
}

// free is data that looks like steps.
const free = `{ set: { qty: 1 }, name: alice, steps: [ { name: bob, set: { two: 2 } } ], try: [ { name: carl } ], catch: [ { name: carl } ], on_error: [ { name: dora } ] }`

// parameters are the paths of a shape's fields that take any value.
func parameters(s *field.Shape, prefix string) (out []string) {
	for _, f := range s.Fields() {
		switch {
		case f.Nested != nil:
			key := prefix + f.Key + "."
			if strings.HasPrefix(f.Type, "list") || strings.HasPrefix(f.Type, "map") {
				key = prefix + f.Key + ".x."
			}
			out = append(out, parameters(f.Nested, key)...)
		case f.Type == "any value" || strings.HasPrefix(f.Type, "map of") || f.Type == "see text":
			out = append(out, prefix+f.Key)
		}
	}
	return out
}

// TestNamesInDataAreData: whatever takes data, of every key and of every connector in the
// binary, what looks like a variable or a step in it makes neither known.
func TestNamesInDataAreData(t *testing.T) {
	t.Parallel()
	paths := map[string]bool{}
	for _, c := range step.Controls() {
		for _, p := range parameters(c.Params, "") {
			paths[p] = true
		}
	}
	set := connectorsall.Set()
	for _, key := range set.Keys() {
		for _, p := range parameters(set.Operation(key).Params, "") {
			paths[key+"."+p] = true
		}
	}
	if len(paths) < 30 || !paths["publish.data"] || !paths["rest.body"] || !paths["object_store.put.document"] {
		t.Fatalf("these take data: %v", paths)
	}
	for _, stepList := range []string{"steps", "set", "try", "catch", "finally", "parallel", "switch", "reprocess.exhausted", "foreach"} {
		delete(paths, stepList) // that is where steps and variables are
	}
	for path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			got := findings(t, "pipeline: work\nsteps:\n  - "+nest(path)+"\n  - log: { message: \"${{ vars.qty ?? 1 }}${{ steps.alice }}${{ steps.bob }}${{ vars.two }}${{ steps.carl }}${{ steps.dora }}\" }\n")
			if !has(got, "no", "qty") && !has(got, "E3", "qty") {
				t.Errorf("vars.qty is taken for a variable: %v", got)
			}
			for _, name := range []string{"alice", "bob", "carl", "dora"} {
				if has(got, "step "+name+" has not run yet") {
					t.Errorf("steps.%s is taken for a step: %v", name, got)
				}
			}
		})
	}
}

// nest writes a parameter by its path: the key of a step is its first part, or its first
// two.
func nest(path string) string {
	key, rest := path, ""
	for _, k := range append(connectorsall.Set().Keys(), controlKeys()...) {
		if after, ok := strings.CutPrefix(path, k+"."); ok && len(k) < len(key) {
			key, rest = k, after
		}
	}
	if rest == "" {
		return key + ": " + free
	}
	parts := strings.Split(rest, ".")
	return key + ": " + "{ " + strings.Join(parts, ": { ") + ": " + free + strings.Repeat(" }", len(parts))
}

func controlKeys() (out []string) {
	for _, c := range step.Controls() {
		out = append(out, c.Key)
	}
	return out
}

// TestNamesOfStepsAreKnown, at every place there is one: the variable can be read, and the
// step is explained to who reads it too early.
func TestNamesOfStepsAreKnown(t *testing.T) {
	t.Parallel()
	for _, pl := range append(slices.Clone(places), place{name: "exhausted", project: below(8, "steps:\n  - reprocess:\n      collection: errs\n      max_attempts: 3\n      exhausted:\n%s")}) {
		t.Run(pl.name, func(t *testing.T) {
			t.Parallel()
			text := pl.project(list(0, "log: { message: \"${{ steps.late }}${{ vars.qty }}\" }") + list(0, "name: late\nset: { qty: 1 }"))
			if got := findings(t, text); !has(got, "step late has not run yet") || has(got, "qty") {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestWhatCanNeverRun: only what stands behind the sure end of a list.
func TestWhatCanNeverRun(t *testing.T) {
	t.Parallel()
	for steps, never := range map[string]bool{
		"fail: { type: a/b }":                                                   true,
		"stop: true":                                                            true,
		"stop: true\non_error: continue":                                        true,
		"fail: { type: a/b }\non_error: fail":                                   true,
		"fail: { type: a/b }\nretry: { attempts: 2 }":                           true,
		"fail: { type: a/b }\ncompensate: []":                                   true,
		"fail: { type: a/b }\ntimeout: 1s":                                      true,
		"fail: { type: a/b }\non_error: continue":                               false,
		"fail: { type: a/b }\non_error: [ { log: { message: hi } } ]":           false,
		"fail: { type: a/b }\nwhen: input.n == 7":                               false,
		"stop: true\nwhen: input.n == 7":                                        false,
		"try: [ { fail: { type: a/b } } ]\ncatch: [ { log: { message: hi } } ]": false,
		"switch: [ { when: \"true\", steps: [ { fail: { type: a/b } } ] } ]":    false,
		"switch: [ { when: \"true\", steps: [ { stop: true } ] }, { else: [ { log: { message: hi } } ] } ]": false,
		"foreach: input.list\nsteps: [ { fail: { type: a/b } } ]":                                           false,
		"foreach: input.list\non_item_error: continue\nsteps: [ { fail: { type: a/b } } ]":                  false,
		"while: \"false\"\nsteps: [ { stop: true } ]":                                                       false,
		"parallel: { a: [ { fail: { type: a/b } } ] }\non_error: continue":                                  false,
		"assert: input.n == 7": false,
		"respond: { body: 1 }": false,
		"reprocess: { collection: errs, max_attempts: 1, exhausted: [ { fail: { type: a/b } } ] }": false,
	} {
		got := findings(t, files("steps:\n"+list(2, steps)+list(2, "log: { message: next }")))
		if has(got, "E225") != never {
			t.Errorf("%s: %v", steps, got)
		}
	}
}
