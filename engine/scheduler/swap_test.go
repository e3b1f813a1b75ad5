package scheduler_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pipelined/internal/store"
)

// TestASwap: when a pipeline runs next after another project is put in use at 9:35. The
// schedule before was every ten minutes.
func TestASwap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, next string
		at         string // the scheduler looks
		ran        string
	}{
		{"nothing has changed", schedule(""), "09:40:00", "09:40"},
		{"another policy keeps the moment", schedule("missed: all, overlap: allow"), "10:00:00", "09:40 09:50 10:00"},
		{"another policy counts for what comes", schedule("missed: skip"), "09:47:00", ""},
		{"another schedule has missed nothing", pipeline("tick", `schedule: "*/15 * * * *"`, "missed: all"), "10:00:00", "09:45 10:00"},
		{"another zone is another schedule", pipeline("tick", `schedule: "0 15 * * *"`, "timezone: Asia/Kolkata"), "09:40:00", "09:30"},
		{"it is gone", pipeline("other", `schedule: "0 0 1 1 *"`, ""), "10:00:00", ""},
		{"it is no schedule any more", "-- tick.yaml --\npipeline: tick\ntrigger: { http: { method: GET, path: /tick } }\nsteps: [ { stop: true } ]\n", "10:00:00", ""},
		{"another one is added", schedule("") + pipeline("other", `schedule: "*/20 * * * *"`, ""), "09:40:00", "09:40 09:40"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, schedule(""))
			b.at("09:35:00")
			b.swap(tt.next)
			b.at(tt.at)
			if tt.name == "another zone is another schedule" { // 15:00 in India is 9:30, which is tomorrow's
				b.Clock.Advance(24 * time.Hour)
			}
			if got := b.due(); got != tt.ran {
				t.Errorf("%q ran, want %q", got, tt.ran)
			}
			if b.held() != "" {
				t.Errorf("%q are held", b.held())
			}
		})
	}
}

// TestASwapAtTheVeryMoment neither loses a tick nor repeats it, though the moment has come
// and was not looked at.
func TestASwapAtTheVeryMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t, schedule(""))
	for _, now := range []string{"09:40:00", "09:50:00", "10:00:00"} {
		b.at(now)
		b.swap(schedule("overlap: queue"))
		if got := b.due(); got+":00" != now {
			t.Errorf("at %s %q ran", now, got)
		}
		b.swap(schedule(""))
		if got := b.due(); got != "" {
			t.Errorf("at %s %q ran again", now, got)
		}
	}
}

// TestASwapWhileATickRuns: it ends on its own revision; what waits behind it runs on the
// new one, if that has the schedule.
func TestASwapWhileATickRuns(t *testing.T) {
	t.Parallel()
	http := "-- tick.yaml --\npipeline: tick\ntrigger: { http: { method: GET, path: /tick } }\nsteps: [ { probe: { do: never } } ]\n"
	none := pipeline("other", `schedule: "0 0 1 1 *"`, "")
	tests := []struct {
		name  string
		swaps []string
		after string
		at    string // later
		ran   string
	}{
		{"the same", []string{schedule("overlap: queue")}, "09:50", "10:00:00", "10:00"},
		{"it is gone", []string{none}, "", "10:00:00", ""},
		{"it is no schedule any more", []string{http}, "", "10:00:00", ""},
		{"it was gone, and is back", []string{none, schedule("overlap: queue")}, "", "10:00:00", "10:00"},
		{"it was no schedule, and is one again", []string{http, schedule("overlap: queue")}, "", "10:00:00", "10:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, schedule("overlap: queue"))
				stop := b.start()
				release := b.hold("09:40")
				b.at("09:40:00")
				synctest.Wait()
				b.at("09:50:00")
				synctest.Wait()
				if got := b.ran(); got != "09:40" {
					t.Fatalf("%q ran at first", got)
				}
				for _, next := range tt.swaps {
					b.swap(next)
					synctest.Wait()
				}
				if got := b.ran(); got != "" {
					t.Errorf("while it runs %q began", got)
				}
				release()
				synctest.Wait()
				if got := b.ran(); got != tt.after || b.Probe.Calls("never") > 0 {
					t.Errorf("behind it %q ran, want %q; %d ran without their trigger", got, tt.after, b.Probe.Calls("never"))
				}
				if lines := b.Logs.Lines("are given up, because", "pipeline=tick", "runs=1"); (len(lines) == 1) != (tt.after == "") {
					t.Errorf("of what waited the log says %q", lines)
				}
				if s := b.Stats("tick"); s.Taken > 0 || s.OK != int64(1+len(splitted(tt.after))) {
					t.Errorf("%+v", s)
				}
				b.at(tt.at)
				synctest.Wait()
				if got := b.ran(); got != tt.ran {
					t.Errorf("later %q ran, want %q", got, tt.ran)
				}
				stop()
				if strings.Contains(b.held(), "09:40") {
					t.Errorf("%q are held", b.held())
				}
			})
		})
	}
}

// TestASwapThatCannotReadChangesNothing.
func TestASwapThatCannotReadChangesNothing(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk does not answer")
	for _, method := range []string{"LastTick", "Claims"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, schedule(""))
			next := b.Prepare(pipeline("tick", `schedule: "*/15 * * * *"`, ""))
			b.Store.Break(method, disk)
			if _, err := b.scheduler.Prepare(t.Context(), next.Program); !errors.Is(err, disk) || !strings.Contains(err.Error(), "tick") {
				t.Errorf("it says %v", err)
			}
			b.Store.Break(method, nil)
			b.at("09:40:00")
			if got := b.due(); got != "09:40" {
				t.Errorf("%q ran", got)
			}
		})
	}
}

// TestAllThatIsDueStartsInOneOrder: by pipeline, and of each by moment.
func TestAllThatIsDueStartsInOneOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, pipeline("b", `schedule: "*/10 * * * *"`, "missed: all")+pipeline("a", `schedule: "*/5 * * * *"`, "missed: all")+pipeline("c", `schedule: "0 * * * *"`, ""))
	b.at("10:00:00")
	if got := b.due(); got != "09:35 09:40 09:45 09:50 09:55 10:00 09:40 09:50 10:00 10:00" {
		t.Errorf("%q ran", got)
	}
}

// TestTheClockIsNotTrustedForLong: a moment that a clock set forward has passed is seen
// half a minute later at most, and so is the end of the intake at once.
func TestTheClockIsNotTrustedForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, pipeline("tick", `schedule: "0 12 * * *"`, ""))
		stop := b.start()
		synctest.Wait()
		for range 3 {
			if n, _ := b.Clock.Timers(); n != 1 {
				t.Fatalf("%d timers", n)
			}
			b.Clock.Advance(29 * time.Second)
			synctest.Wait()
			if n, _ := b.Clock.Timers(); n != 1 {
				t.Fatalf("it looked before its time: %d timers", n)
			}
			b.Clock.Advance(time.Second)
			synctest.Wait()
		}
		stop()
		if n, _ := b.Clock.Timers(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
	})
}

// TestATickThatIsTriedAgainIsGivenUpWithItsSchedule: its claim is let go of.
func TestATickThatIsTriedAgainIsGivenUpWithItsSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, schedule(""))
		stop := b.start()
		b.Store.Refuse(store.ErrUnavailable)
		b.at("09:40:00")
		synctest.Wait()
		if got := b.held(); got != "tick 09:40" {
			t.Errorf("%q are held while it is tried", got)
		}
		b.swap(pipeline("other", `schedule: "0 0 1 1 *"`, ""))
		b.Clock.Advance(time.Second)
		synctest.Wait()
		stop()
		if lines := b.Logs.Lines("is given up, because", "pipeline=tick"); len(lines) != 1 || b.held() != "" || b.Probe.Calls("run") != 1 {
			t.Errorf("%q; %q are held; %d calls", lines, b.held(), b.Probe.Calls("run"))
		}
	})
}
