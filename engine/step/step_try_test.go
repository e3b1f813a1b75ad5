package step_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestTry over everything that its three lists can do: which of them run, how it ends, what
// is told, and what of their effects stays.
func TestTry(t *testing.T) {
	t.Parallel()
	ends := map[string]string{
		"ok":   "",
		"fail": "      - fail: { type: job/%s }\n",
		"stop": "      - stop: true\n",
		"none": "none",
	}
	part := func(name, end string) string {
		if end == "none" {
			return ""
		}
		s := "    " + name + ":\n      - object_store.put: { collection: out, id: " + name + ", document: {} }\n" + say(6, "'"+name+"'")
		if end == "fail" {
			return s + fmt.Sprintf(ends[end], name)
		}
		return s + ends[end]
	}
	for _, try := range []string{"ok", "fail", "stop"} {
		for _, catch := range []string{"ok", "fail", "stop", "none"} {
			for _, finally := range []string{"ok", "fail", "stop", "none"} {
				if catch == "none" && finally == "none" {
					continue
				}
				t.Run(try+" "+catch+" "+finally, func(t *testing.T) {
					t.Parallel()
					steps := strings.Replace(part("try", try)+part("catch", catch)+part("finally", finally), "   ", "  -", 1)
					p := run(t, files("steps:\n"+steps+say(2, "'after'")))
					want := afterTry(try, catch, finally)
					got := strings.ReplaceAll(strings.Join(p.said, " "), `"`, "") + " | " + chain(p)
					if got != want {
						t.Errorf("it went %s, want %s", got, want)
					}
				})
			}
		}
	}
}

// afterTry is what runs, in order, and the failures at the end, the last first.
func afterTry(try, catch, finally string) string {
	said, problems, stopped := []string{"try"}, []string{}, try == "stop"
	if try == "fail" {
		problems = []string{"job/try"}
		if catch != "none" {
			said = append(said, "catch")
			switch catch {
			case "fail":
				problems = []string{"job/catch", "job/try"}
			default: // stop ends catch and no more
				problems = nil
			}
		}
	}
	if finally != "none" {
		said = append(said, "finally")
		if finally == "fail" {
			problems = append([]string{"job/finally"}, problems...)
		}
	}
	if len(problems) == 0 && !stopped {
		said = append(said, "after")
	}
	return strings.Join(said, " ") + " | " + strings.Join(problems, " < ")
}

// chain is the problem a run ended with and its causes.
func chain(p *play) string {
	var out []string
	for q := p.Problem; q != nil; q = q.Cause {
		out = append(out, q.Type)
	}
	return strings.Join(out, " < ")
}

// TestWhatATryLeaves: the body's effects go with its failure, those of catch and finally
// stay.
func TestWhatATryLeaves(t *testing.T) {
	t.Parallel()
	put := func(id string) string { return "object_store.put: { collection: out, id: " + id + ", document: {} }" }
	p := run(t, files("steps:\n  - "+put("before")+"\n  - try: [ { "+put("body")+" }, { publish: { event: job.done, id: e1 } }, { publish: { event: job.done, id: e2, delay: 1h } }, { fail: { type: a/b } } ]\n    catch: [ { "+put("catch")+" } ]\n    finally: [ { "+put("finally")+" } ]\n")).ok()
	if left := p.left("out"); left != `{"out/before":{},"out/catch":{},"out/finally":{}}` {
		t.Errorf("it left %s", left)
	}
	if n, err := p.Store.NextDelayed(t.Context()); err != nil || !n.IsZero() {
		t.Errorf("a delayed event stayed: %v %v", n, err)
	}
	check(t, "", []says{
		{"error is that of the body", "  - try: [ { fail: { type: a/b, status: 418, title: Tea, detail: pot } } ]\n    catch:\n" + say(6, "[error.type, error.status, error.title, error.detail, error.rejected]"), `["a/b",418,"Tea","pot",true]`},
		{"nested, error is the inner one and then the outer one again", "  - try: [ { fail: { type: a/outer } } ]\n    catch:\n      - try: [ { fail: { type: a/inner } } ]\n        catch:\n" + say(10, "error.type") + say(6, "error.type"), `"a/inner" "a/outer"`},
	})
}
