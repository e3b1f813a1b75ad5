package step_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// each runs a test for each member, in the flow.
func each(t *testing.T, is func(member) bool, test func(t *testing.T, m member)) {
	t.Helper()
	for _, m := range members() {
		if is(m) {
			t.Run(m.key+" "+m.form, func(t *testing.T) { t.Parallel(); test(t, m) })
		}
	}
}

// before is a step that writes a document which shows what of a list stayed.
const before = "object_store.put: { collection: stays, id: before, document: {} }"

const after = "object_store.put: { collection: stays, id: after, document: {} }"

// TestATimeoutOfThePipelineEndsEveryKey in the middle of it, at the very second, and
// nothing of it stays.
func TestATimeoutOfThePipelineEndsEveryKey(t *testing.T) {
	t.Parallel()
	everywhere(t, lasts, func(t *testing.T, pl place, m member) {
		project := strings.Replace(pl.project(list(0, before)+it(0, m.slow)+list(0, after)), "pipeline: work\n", "pipeline: work\ntimeout: 2s\n", 1)
		p := run(t, project)
		switch {
		case pl.note: // the flow had failed before, and the compensation is cut off
			if q := p.failed("job/first", 500); !strings.Contains(q.Note, "engine/timeout") && !strings.Contains(q.Note, "out of time") {
				t.Errorf("the note is %q", q.Note)
			}
		case pl.untimed:
			if took := p.took(); took < time.Hour {
				t.Errorf("clean-up was cut off after %s: %s", took, p.outcome())
			}
			return
		default:
			if q := p.failed("engine/timeout", 504); q.Step == "" || !q.Retriable {
				t.Errorf("it is told as %s", p.outcome())
			}
		}
		if took := p.took(); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("it took %s", took)
		}
		if left := p.left("stays", "slow"); left != "{}" {
			t.Errorf("it left %s", left)
		}
	})
}

// TestAStopBesideEveryKey cuts it off: what the branch had finished stays, the step under
// way leaves nothing, and nothing has failed.
func TestAStopBesideEveryKey(t *testing.T) {
	t.Parallel()
	each(t, lasts, func(t *testing.T, m member) {
		p := run(t, files("steps:\n  - parallel:\n      left:\n"+list(8, before)+it(8, m.slow)+list(8, after)+
			"      right: [ { delay: 1m }, { stop: true } ]\n  - fail: { type: not/reached }", called)).ok()
		if took := p.took(); took != time.Minute {
			t.Errorf("it took %s", took)
		}
		want := `{"stays/before":{}}`
		if strings.Contains(m.slow, "id: part") || m.key == "call" { // what its own steps had finished stays, too
			want = `{"slow/part":{},"stays/before":{}}`
		}
		if left := p.left("stays", "slow"); left != want {
			t.Errorf("it left %s, want %s", left, want)
		}
		if lines := p.Logs.Lines("failed"); len(lines) > 0 {
			t.Errorf("a failure is told: %v", lines)
		}
	})
}

// TestAFailureBesideEveryKey cancels it, waits for it, and is the one that is told.
func TestAFailureBesideEveryKey(t *testing.T) {
	t.Parallel()
	each(t, lasts, func(t *testing.T, m member) {
		p := run(t, files("steps:\n  - parallel:\n      left:\n"+list(8, before)+it(8, m.slow)+
			"      right: [ { delay: 1m }, { name: culprit, fail: { type: job/broken } } ]", called))
		if q := p.failed("job/broken", 500); q.Step != "culprit" || p.took() != time.Minute {
			t.Errorf("after %s it is told as %s", p.took(), p.outcome())
		}
		if left := p.left("stays", "slow"); left != "{}" {
			t.Errorf("it left %s", left)
		}
	})
}

// TestADrainUnderEveryKey gives the execution back undone: no failure, no handler, nothing
// committed; run again, it does all of it.
func TestADrainUnderEveryKey(t *testing.T) {
	t.Parallel()
	each(t, lasts, func(t *testing.T, m member) {
		p := stage(t, files("steps:\n"+list(2, before)+it(2, m.slow+"\nretry: { attempts: 3, when: \"true\" }\non_error: continue")+list(2, after)+
			"on_error: [ { probe: { do: say, with: handled } } ]", called))
		p.drain = time.Minute
		p.again(0)
		if !p.Aborted || len(p.said) > 0 || p.took() != time.Minute || p.left("stays", "slow") != "{}" {
			t.Errorf("after %s it ended %s, and left %s; said: %v", p.took(), p.outcome(), p.left("stays", "slow"), p.said)
		}
		p.drain = 0
		if p.again(0).ok(); !strings.Contains(p.left("stays", "slow"), "stays/after") {
			t.Errorf("run again, it left %s", p.left("stays", "slow"))
		}
	})
}

// TestEveryKeyAfterACrash: nothing of a run that a crash ended is there; run again it comes
// to what an undisturbed run comes to, under the same idempotency keys.
func TestEveryKeyAfterACrash(t *testing.T) {
	t.Parallel()
	each(t, works, func(t *testing.T, m member) {
		project := files("steps:\n"+it(2, m.ok)+list(2, "probe: { do: key }")+list(2, after), called)
		whole := stage(t, project).furnished().again(0).ok()
		points := whole.host.Points()
		if points == 0 {
			t.Fatal("it passes no fault point")
		}
		for n := 1; n <= points; n++ {
			p := stage(t, project).furnished()
			p.again(n)
			if p.ended || p.left("stays", "c") != "{}" {
				t.Fatalf("at point %d of %d: it ended %s and left %s", n, points, p.outcome(), p.left("stays", "c"))
			}
			p.Reopen()
			p.again(0).ok()
			if got, want := p.left("stays", "c", "kept", "out"), whole.left("stays", "c", "kept", "out"); got != want {
				t.Errorf("stopped at point %d it came to %s, undisturbed to %s", n, got, want)
			}
			if p.keys[0] != whole.keys[0] || p.keys[0] != p.keys[1] {
				t.Errorf("its keys are %v, undisturbed %v", p.keys, whole.keys)
			}
		}
	})
}

// TestOptionsOfEveryKeyThatWorks: when, and compensate.
func TestOptionsOfEveryKeyThatWorks(t *testing.T) {
	t.Parallel()
	each(t, works, func(t *testing.T, m member) {
		p := stage(t, files("steps:\n"+it(2, m.ok+"\nwhen: input.n == 8")+list(2, "probe: { do: say, with: \"${{ steps.it }}\" }"), called)).furnished().again(0).ok()
		if fmt.Sprint(p.said) != "[null]" || p.left("c", "out") != "{}" {
			t.Errorf("skipped, it gave %v and left %s", p.said, p.left("c", "out"))
		}
		undo := "\nretry: { attempts: 2 }\ntimeout: 1m\ncompensate:\n" + list(0, "probe: { do: say, with: \"${{ steps.it }}\" }") + list(0, "probe: { do: say, with: \"${{ error.type }}\" }")
		p = stage(t, files("steps:\n"+it(2, m.ok+undo)+list(2, "fail: { type: job/late }"), called)).furnished().again(0)
		p.failed("job/late", 500)
		if want := fmt.Sprint([]string{m.want, `"job/late"`}); fmt.Sprint(p.said) != want || p.left("c", "out") != "{}" {
			t.Errorf("its compensation saw %v, want %s; it left %s", p.said, want, p.left("c", "out"))
		}
	})
}

// TestOptionsOfEveryKeyThatFails: on_error and retry, after which nothing of any try is
// there.
func TestOptionsOfEveryKeyThatFails(t *testing.T) {
	t.Parallel()
	each(t, breaks, func(t *testing.T, m member) {
		sees := list(2, "probe: { do: say, with: \"${{ [steps.it.error.type, steps.it.error.step, steps.it.error.status] }}\" }")
		p := stage(t, files("steps:\n"+it(2, m.fail+"\non_error: continue")+sees+list(2, after), called)).furnished().again(0).ok()
		if want := fmt.Sprintf(`[["%s","%s",%d]]`, m.problem, m.told(), m.status); fmt.Sprint(p.said) != want || p.left("c", "out", "stays") != `{"stays/after":{}}` {
			t.Errorf("on_error: continue saw %v, want %s; it left %s", p.said, want, p.left("c", "out", "stays"))
		}
		if len(p.Logs.Lines("the flow goes on", "problem="+m.problem)) != 1 {
			t.Errorf("the log does not say once that it failed\n%s", p.Logs)
		}
		steps := "\nretry: { attempts: 3, backoff: constant, initial: 1m, max: 1h, jitter: none, when: \"true\" }\non_error:\n" + list(0, "probe: { do: say, with: \"${{ [error.type, error.attempt] }}\" }")
		p = stage(t, files("steps:\n"+it(2, m.fail+steps)+list(2, after), called)).furnished().again(0).ok()
		tries := 3
		if m.at != "" {
			tries = 1 // the step inside failed at its own first try, three times
		}
		if want := fmt.Sprintf(`[["%s",%d]]`, m.problem, tries); fmt.Sprint(p.said) != want || p.took() < 2*time.Minute || p.left("c", "out", "stays") != `{"stays/after":{}}` {
			t.Errorf("after %s on_error saw %v, want %s; it left %s", p.took(), p.said, want, p.left("c", "out", "stays"))
		}
	})
}

// TestATimeoutOfTheStepEndsEveryKey, each try of it.
func TestATimeoutOfTheStepEndsEveryKey(t *testing.T) {
	t.Parallel()
	each(t, lasts, func(t *testing.T, m member) {
		p := run(t, files("steps:\n"+it(2, m.slow+"\ntimeout: 1m\nretry: { attempts: 3, backoff: constant, initial: 1s, jitter: none }\non_error: continue")+
			list(2, "probe: { do: say, with: \"${{ [steps.it.error.type, steps.it.error.step, steps.it.error.attempt] }}\" }"), called)).ok()
		if fmt.Sprint(p.said) != `[["engine/timeout","it",3]]` || p.took() != 3*time.Minute+2*time.Second || p.left("slow") != "{}" {
			t.Errorf("after %s it saw %v and left %s", p.took(), p.said, p.left("slow"))
		}
	})
}

// TestWhoIsAtFault: what the author says with a 4xx is the request's fault; whatever else
// fails is not, and what left the process is outside.
func TestWhoIsAtFault(t *testing.T) {
	t.Parallel()
	each(t, breaks, func(t *testing.T, m member) {
		p := stage(t, files("steps:\n"+it(2, m.fail), called)).furnished().again(0)
		said := m.key == "fail" || m.key == "assert" || m.connector == "fail"
		q := p.failed(m.problem, m.status)
		if q.Rejected != (said && m.status < 500) || q.Own != (m.problem == "job/broken") || q.Outside != (m.key == "probe") {
			t.Errorf("rejected %v, the author's %v, outside %v", q.Rejected, q.Own, q.Outside)
		}
	})
}
