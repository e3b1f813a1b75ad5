package consumer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/consumer"
	"pipelined/engine/enginetest"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// TestMaxAge goes by the event's own time when its turn comes.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	for age, runs := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Hour: true, time.Hour + time.Millisecond: false, 48 * time.Hour: false} {
		t.Run(age.String(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, work("max_age: 1h", looks+writes))
			ev := b.Event("job.new", "", `{"n":1}`)
			ev.Time = b.Clock.Now().Add(-age)
			b.Publish(ev)
			b.settle()
			dropped(b, ev, !runs, "max_age")
		})
	}
}

// TestMaxAgeIsAskedAgainAtEachDelivery: what waits for its retry may grow too old.
func TestMaxAgeIsAskedAgainAtEachDelivery(t *testing.T) {
	t.Parallel()
	b := newBench(t, work("max_age: 1h, retry: { attempts: 9, backoff: constant, initial: 40m, max: 40m, jitter: none }", looks+writes))
	b.Probe.On("look", fails(pipelined.NewProblem("x", "X", 503, "").Transient()))
	b.publish("job.new", "", `{}`)
	for range 4 {
		b.settle()
		b.Clock.Advance(40 * time.Minute)
	}
	if n := b.Probe.Calls("look"); n != 2 || b.Stats("work").Expired != 1 || b.left("work") {
		t.Errorf("%d deliveries ran, %+v, %s", n, b.Stats("work"), b.status("work"))
	}
}

// dropped checks whether an event was dropped because of its age, or ran.
func dropped(b *bench, ev *pipelined.Event, want bool, why string) {
	b.Helper()
	ran := len(b.Documents("done")) > 0 && b.Documents("done")[ev.ID] != nil
	if ran == want || b.left("work") {
		b.Errorf("it ran: %v\n%s", ran, b.Logs)
	}
	lines := b.Logs.Lines("an event is dropped because", why, "event="+ev.ID, "level=WARN")
	if (len(lines) == 1) != want || (b.Stats("work").Expired > 0) != want {
		b.Errorf("the log says %q; %+v", lines, b.Stats("work"))
	}
}

// TestSkipStale drops what is older than what was processed of the same key, and nothing
// else; it remembers across restarts.
func TestSkipStale(t *testing.T) {
	t.Parallel()
	before := enginetest.Epoch
	tests := []struct {
		name, key string
		at        time.Time
		drops     bool
	}{
		{"newer", "k", before.Add(time.Second), false},
		{"as old", "k", before, false},
		{"older", "k", before.Add(-time.Microsecond), true},
		{"older, of another key", "other", before.Add(-time.Hour), false},
		{"older, in another zone", "k", before.Add(-time.Second).In(time.FixedZone("", 5*3600)), true},
		{"newer, in another zone", "k", before.Add(time.Second).In(time.FixedZone("", -5*3600)), false},
	}
	for _, tt := range tests {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart: %v", tt.name, restart), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, work("skip_stale: true, order_by: event.key", looks+writes))
				first := b.publish("job.new", "k", `{}`)
				b.settle()
				dropped(b, first, false, "skip_stale")
				if restart {
					b.Reopen()
					b.again()
				}
				ev := b.Event("job.new", tt.key, `{}`)
				ev.Time = tt.at
				b.Publish(ev)
				b.settle()
				dropped(b, ev, tt.drops, "skip_stale")
			})
		}
	}
}

// TestWhatFailedIsNotRemembered: only what was processed makes others stale.
func TestWhatFailedIsNotRemembered(t *testing.T) {
	t.Parallel()
	b := newBench(t, work("skip_stale: true, retry: { attempts: 2, backoff: constant, initial: 10s, jitter: none }", looks+writes))
	for _, status := range []int{500, 503} { // one that fails, one that is put off
		b.Probe.On("look", fails(&pipelined.Problem{Type: "x", Title: "X", Status: status, Retriable: status == 503}))
		b.publish("job.new", "k", `{}`)
		b.settle()
	}
	b.Probe.On("look", nil)
	older := b.Event("job.new", "k", `{}`)
	older.Time = older.Time.Add(-time.Hour)
	b.Publish(older)
	b.settle()
	if done := b.Documents("done"); done[older.ID] == nil || b.Stats("work").Expired > 0 {
		t.Errorf("done are %v, %+v", done, b.Stats("work"))
	}
}

// TestANewestOneThatCannotBeReadDropsNothing: to run once more is the safe side.
func TestANewestOneThatCannotBeReadDropsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, work("skip_stale: true", looks+writes))
	b.Seed(consumer.NewestCollection, "work/k", `{"time":7}`)
	ev := b.publish("job.new", "k", `{}`)
	b.settle()
	dropped(b, ev, false, "skip_stale")
	if w := consumer.Forget("work", "k"); w.Collection != consumer.NewestCollection || w.ID != "work/k" {
		t.Errorf("to forget it is %+v", w)
	}
}

// TestARecordOfWhatIsDroppedIsDiscarded, with the reason, in the same commit: in the
// collection of on_failure, or in the dead letters. An event's first delivery has none.
func TestARecordOfWhatIsDroppedIsDiscarded(t *testing.T) {
	t.Parallel()
	for collection, failure := range map[string]string{"dead_letters": "", "job_errors": "on_failure: { collection: job_errors }\n"} {
		tests := []struct {
			name    string
			attempt int
			there   func(b *bench, ev *pipelined.Event) string // what stands at the record's id, and becomes of it
		}{
			{"its record", 2, func(b *bench, ev *pipelined.Event) string {
				rec := objectstore.NewErrorRecord(*ev, "work", value.Raw(ev.Data), pipelined.NewProblem("x", "X", 500, ""), 1, enginetest.Epoch)
				rec.Trigger = "event"
				rec.Reprocess(enginetest.Epoch)
				b.save(collection, rec)
				return "failed 1, republished 2, discarded 1"
			}},
			{"the first time", 1, func(b *bench, ev *pipelined.Event) string {
				rec := objectstore.NewErrorRecord(*ev, "work", value.Raw(ev.Data), pipelined.NewProblem("x", "X", 500, ""), 1, enginetest.Epoch)
				rec.Trigger = "event"
				b.save(collection, rec)
				return "failed 1"
			}},
			{"none", 2, func(*bench, *pipelined.Event) string { return "" }},
			{"something else", 2, func(b *bench, ev *pipelined.Event) string { b.Seed(collection, ev.ID, `{"anything":1}`); return "" }},
		}
		for _, tt := range tests {
			t.Run(collection+": "+tt.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, work("max_age: 1h", failure+looks+writes))
				ev := b.Event("job.new", "", `{}`)
				ev.Time, ev.Attempt = ev.Time.Add(-2*time.Hour), tt.attempt
				want := tt.there(b, ev)
				b.Publish(ev)
				b.settle()
				dropped(b, ev, true, "max_age")
				if want == "" {
					if all := b.Documents(collection); len(all) > 1 || all[ev.ID] != nil && all[ev.ID]["anything"] != 1.0 {
						t.Errorf("left are %v", all)
					}
					return
				}
				rec := b.record(collection, ev.ID)
				if last := rec.History[len(rec.History)-1]; history(rec) != want || tt.attempt > 1 && (rec.Status != objectstore.Discarded || !strings.Contains(last.Detail, "max_age")) {
					t.Errorf("%s: %s, %+v", rec.Status, history(rec), last)
				}
			})
		}
	}
}

// TestADropThatIsNotCommittedComesAgain: nothing is told as dropped that is not.
func TestADropThatIsNotCommittedComesAgain(t *testing.T) {
	t.Parallel()
	for name, hinder := range map[string]func(b *bench){
		"the commit is refused":     func(b *bench) { b.Store.Refuse(fmt.Errorf("no space")) },
		"its record cannot be read": func(b *bench) { b.Store.Break("Get", fmt.Errorf("the disk does not answer")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, work("max_age: 1h", looks+writes))
			ev := b.Event("job.new", "", `{}`)
			ev.Time, ev.Attempt = ev.Time.Add(-2*time.Hour), 2
			b.Publish(ev)
			d := b.next()
			hinder(b)
			b.handle(d)
			if lines := b.Logs.Lines("an event is dropped"); len(lines) > 0 || b.Stats("work").Expired > 0 || len(b.Logs.Lines("it will be delivered again")) != 1 {
				t.Errorf("%q\n%s", lines, b.Logs)
			}
			b.Store.Break("Get", nil)
			b.Clock.Advance(time.Second)
			b.settle()
			dropped(b, ev, true, "max_age")
		})
	}
}
