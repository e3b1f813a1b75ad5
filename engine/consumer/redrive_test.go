package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pipelined/engine/attempt"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
	"pipelined/objectstore"
)

const (
	web = "-- web.yaml --\npipeline: web\ntrigger: { http: { method: POST, path: /web } }\nsteps:\n" +
		"  - probe: { do: look, with: [ \"${{ request.path }}\", \"${{ input }}\", \"${{ run.attempt }}\" ] }\n  - respond: { status: 201, body: { id: 7 } }\n"
	tick = "-- tick.yaml --\npipeline: tick\ntrigger: { cron: { schedule: \"@hourly\" } }\nsteps:\n" +
		"  - probe: { do: look, with: [ \"${{ schedule.time }}\", \"${{ schedule.previous }}\", \"${{ run.attempt }}\" ] }\n"
	manual = "-- sub.yaml --\npipeline: sub\nsteps:\n  - probe: { do: look, with: [ \"${{ input }}\", \"${{ run.attempt }}\" ] }\n"
)

// letters are records of what no event started, and what is seen when they start again.
var letters = map[string]struct {
	project string
	rec     objectstore.ErrorRecord
	sees    string
	detail  string // of the record's last entry
}{
	"a request": {web, objectstore.ErrorRecord{Pipeline: "web", Trigger: "http", Input: []byte(`{"big":9007199254740993}`), Request: []byte(`{"path":"/web"}`)},
		`["/web",{"big":9007199254740993},2]`, `answered 201: {"id":7}`},
	"a request whose body is a text": {web, objectstore.ErrorRecord{Pipeline: "web", Trigger: "http", Input: []byte(`"hello"`), Request: []byte(`{"path":"/web"}`)},
		`["/web","hello",2]`, `answered 201: {"id":7}`},
	"a request without a body": {web, objectstore.ErrorRecord{Pipeline: "web", Trigger: "http", Input: []byte(`null`), Request: []byte(`{"path":"/web"}`)},
		`["/web",null,2]`, `answered 201: {"id":7}`},
	"a tick": {tick, objectstore.ErrorRecord{Pipeline: "tick", Trigger: "cron", Input: []byte(`null`), Scheduled: enginetest.Epoch, Previous: enginetest.Epoch.Add(-time.Hour)},
		`["2026-03-08T09:30:00Z","2026-03-08T08:30:00Z",2]`, ""},
	"the first tick": {tick, objectstore.ErrorRecord{Pipeline: "tick", Trigger: "cron", Input: []byte(`null`), Scheduled: enginetest.Epoch},
		`["2026-03-08T09:30:00Z",null,2]`, ""},
	"what a person started": {manual, objectstore.ErrorRecord{Pipeline: "sub", Trigger: "manual", Input: []byte(`{"n":1}`)}, `[{"n":1},2]`, ""},
}

// redrive puts a letter into the store and has it started again.
func (b *bench) redrive(rec objectstore.ErrorRecord) {
	b.Helper()
	rec.ID, rec.Attempts, rec.Error = "x-1", 1, []byte(`{"type":"x"}`)
	rec.FirstFailedAt, rec.LastFailedAt, rec.NextAttemptAt = enginetest.Epoch, enginetest.Epoch, enginetest.Epoch
	rec.Redrive(b.Clock.Now())
	b.save("dead_letters", &rec)
	b.wish(&rec)
}

// wish publishes the event that has a record started again.
func (b *bench) wish(rec *objectstore.ErrorRecord) {
	b.Helper()
	ev, err := attempt.NewRedrive(rec, b.NewID(), b.Clock.Now())
	if err != nil {
		b.Fatal(err)
	}
	b.Publish(ev)
}

// TestRedrive: what no event started runs again as it was, and its record says what came of
// it, for each cause.
func TestRedrive(t *testing.T) {
	t.Parallel()
	for name, tt := range letters {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, which fails: %v", name, fails), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, tt.project)
				seen := ""
				b.Probe.On("look", func(_ context.Context, with any) (any, error) {
					seen = fmt.Sprint(with)
					if fails {
						return nil, errors.New("broken")
					}
					return nil, nil
				})
				b.redrive(tt.rec)
				if n := b.settle(); n != 1 || seen != tt.sees {
					t.Errorf("%d ran, and saw %s, want %s", n, seen, tt.sees)
				}
				rec := b.record("dead_letters", "x-1")
				want, status := "redriven 2, resolved 2", objectstore.Resolved
				if fails {
					want, status = "redriven 2, failed 2", objectstore.Pending
				}
				if rec.Status != status || history(rec) != want || len(b.Documents("dead_letters")) != 1 {
					t.Errorf("%s: %s", rec.Status, history(rec))
				}
				if last := rec.History[len(rec.History)-1].Detail; !fails && last != tt.detail {
					t.Errorf("it ends with %q", last)
				}
				if b.left(redrives) || b.settle() != 0 {
					t.Error("it comes again")
				}
				if trigger := b.Runner.Recent.List()[0].Trigger; trigger != tt.rec.Trigger {
					t.Errorf("it was started by %s", trigger)
				}
			})
		}
	}
}

// TestARedriveIsNeverPutOff: its failure is in the record, and a person decides again.
func TestARedriveIsNeverPutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, work("retry: { attempts: 5, backoff: constant, initial: 1s, jitter: none, when: \"true\" }", "steps: [ { probe: { do: look } } ]\n"))
	b.Probe.On("look", fails(errors.New("broken")))
	b.redrive(objectstore.ErrorRecord{Pipeline: "work", Trigger: "manual", Input: []byte(`{}`)})
	b.settle()
	b.Clock.Advance(time.Minute)
	if n := b.settle(); n != 0 || b.Probe.Calls("look") != 1 || b.record("dead_letters", "x-1").Status != objectstore.Pending {
		t.Errorf("%d came again", n)
	}
}

// TestARedriveThatIsHopelessIsTold, and does not come again.
func TestARedriveThatIsHopelessIsTold(t *testing.T) {
	t.Parallel()
	sub := letters["what a person started"].rec
	gone, lost := sub, sub
	gone.Pipeline = "nowhere"
	lost.ID = "x-9"
	tests := []struct {
		name, says string
		wish       func(b *bench)
	}{
		{"its pipeline is gone", "there is no pipeline called nowhere any more", func(b *bench) { b.redrive(gone) }},
		{"its record is gone", "record x-9 is gone", func(b *bench) { b.wish(&lost) }},
		{"its record is something else", "record x-9", func(b *bench) { b.Seed("dead_letters", "x-9", `{"anything":1}`); b.wish(&lost) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, manual)
			tt.wish(b)
			if n := b.settle(); n != 1 || b.Probe.Calls("look") > 0 || b.left(redrives) {
				t.Errorf("%d ran, %d looked", n, b.Probe.Calls("look"))
			}
			if lines := b.Logs.Lines("a dead letter cannot be started again", "level=ERROR"); len(lines) != 1 || !strings.Contains(lines[0], tt.says) {
				t.Errorf("%q", lines)
			}
		})
	}
}

// TestARedriveThatCannotRunNowComesAgain, and is not forgotten: the store cannot be read,
// or cannot commit, or the engine lets go of its revision.
func TestARedriveThatCannotRunNowComesAgain(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk does not answer")
	tests := []struct {
		name        string
		hinder, let func(b *bench)
		calls       int // in all
	}{
		{"its record cannot be read", func(b *bench) { b.Store.Break("Get", disk) }, func(b *bench) { b.Store.Break("Get", nil) }, 1},
		{"the store says that it cannot commit", func(b *bench) { b.Store.Sicken(disk) }, func(b *bench) { b.Store.Sicken(nil) }, 1},
		{"the commit is refused", func(b *bench) { b.Store.Refuse(store.ErrUnavailable) }, func(*bench) {}, 2},
		{"there is no revision", func(b *bench) { b.Current.Load().Unpin() }, func(b *bench) { b.Current.Use(b.Prepare(manual)) }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, manual)
			b.redrive(letters["what a person started"].rec)
			d := b.next()
			tt.hinder(b)
			b.handle(d)
			tt.let(b)
			b.Clock.Advance(time.Second)
			if n := b.settle(); n != 1 || b.Probe.Calls("look") != tt.calls || b.left(redrives) {
				t.Errorf("%d came again, %d calls\n%s", n, b.Probe.Calls("look"), b.Logs)
			}
			if rec := b.record("dead_letters", "x-1"); history(rec) != "redriven 2, resolved 2" {
				t.Error(history(rec))
			}
		})
	}
}
