package scheduler_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"pipelined/internal/store"
)

// TestMissed: which of the moments that passed since the last look run, and how many are
// counted as missed. The look before was at 9:30.
func TestMissed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, now string
		ran       map[string]string // by what missed says
	}{
		{"none", "09:39:59", map[string]string{"skip": "", "latest": "", "all": ""}},
		{"one, at its moment", "09:40:00", map[string]string{"skip": "09:40", "latest": "09:40", "all": "09:40"}},
		{"one, not much later", "09:40:05", map[string]string{"skip": "09:40", "latest": "09:40", "all": "09:40"}},
		{"one, too late to be on time", "09:40:06", map[string]string{"skip": "", "latest": "09:40", "all": "09:40"}},
		{"three, the last at its moment", "10:00:00", map[string]string{"skip": "10:00", "latest": "10:00", "all": "09:40 09:50 10:00"}},
		{"three, all late", "10:07:00", map[string]string{"skip": "", "latest": "10:00", "all": "09:40 09:50 10:00"}},
	}
	passed := map[string]int{"09:39:59": 0, "09:40:00": 1, "09:40:05": 1, "09:40:06": 1, "10:00:00": 3, "10:07:00": 3}
	for _, tt := range tests {
		for missed, want := range tt.ran {
			for _, overlap := range []string{"skip", "queue", "allow"} {
				for _, down := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s: %s, %s, down: %v", tt.name, missed, overlap, down), func(t *testing.T) {
						t.Parallel()
						b := newBench(t, schedule("missed: "+missed+", overlap: "+overlap))
						if down { // a tick that is done tells from where on they are missed
							if _, err := b.Store.Commit(t.Context(), &store.Batch{Claims: []store.Claim{b.claim("tick", "09:30")[0].Claim}}); err != nil {
								t.Fatal(err)
							}
							b.at(tt.now)
							b.Reopen()
							b.again()
						}
						b.at(tt.now)
						if got := b.due(); got != want {
							t.Errorf("%q ran, want %q", got, want)
						}
						ran := len(splitted(want))
						if n := b.Stats("tick").MissedTicks; n != int64(passed[tt.now]-ran) {
							t.Errorf("%d are counted as missed of %d of which %d ran", n, passed[tt.now], ran)
						}
						if lines := b.Logs.Lines("scheduled runs were missed"); (len(lines) == 1) != (ran < passed[tt.now]) {
							t.Errorf("%q", lines)
						}
						if got := b.due(); got != "" || b.held() != "" {
							t.Errorf("%q ran again; %q are held", got, b.held())
						}
					})
				}
			}
		}
	}
}

func splitted(text string) (out []string) {
	for i := 0; i+5 <= len(text); i += 6 {
		out = append(out, text[i:i+5])
	}
	return out
}

// TestANewScheduleHasMissedNothing: its first moment is the first to come.
func TestANewScheduleHasMissedNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, schedule("missed: all"))
	if got := b.due(); got != "" {
		t.Errorf("%q ran", got)
	}
	b.at("09:40:00")
	if got := b.due(); got != "09:40" {
		t.Errorf("%q ran", got)
	}
}

// TestPrevious is the moment of the tick before, also across a restart.
func TestPrevious(t *testing.T) {
	t.Parallel()
	b := newBench(t, schedule("missed: all"))
	b.at("10:00:00")
	if _, err := b.scheduler.RunDue(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(b.before); got != "[never 09:40 09:50]" {
		t.Errorf("the moments before are %s", got)
	}
	b.ran()
	b.Reopen()
	b.again()
	b.at("10:10:00")
	if _, err := b.scheduler.RunDue(t.Context(), t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(b.before); got != "[10:00]" {
		t.Errorf("after a restart the moment before is %s", got)
	}
}

// TestOverlap: what becomes of moments that come while a tick runs; of one, and of several
// at once, as after a sleep of the machine. Those that are made up for run one after the
// other, whatever overlap says.
func TestOverlap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		overlap, missed  string
		now              string // one tick runs since 9:40
		during, after    string // what begins while it runs, and after it
		skipped, missing int64
	}{
		{"skip", "latest", "09:50:00", "", "", 1, 0},
		{"queue", "latest", "09:50:00", "", "09:50", 0, 0},
		{"allow", "latest", "09:50:00", "09:50", "", 0, 0},
		{"skip", "latest", "10:10:00", "", "", 1, 2},
		{"queue", "latest", "10:10:00", "", "10:10", 0, 2},
		{"allow", "latest", "10:10:00", "10:10", "", 0, 2},
		{"skip", "skip", "10:17:00", "", "", 0, 3},
		{"queue", "skip", "10:17:00", "", "", 0, 3},
		{"allow", "skip", "10:17:00", "", "", 0, 3},
		{"skip", "all", "10:10:00", "", "09:50 10:00 10:10", 0, 0},
		{"queue", "all", "10:10:00", "", "09:50 10:00 10:10", 0, 0},
		{"allow", "all", "10:10:00", "09:50 10:00 10:10", "", 0, 0},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s, %s, %s", tt.overlap, tt.missed, tt.now), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, schedule("missed: "+tt.missed+", overlap: "+tt.overlap))
				stop := b.start()
				release := b.hold("09:40")
				b.at("09:40:00")
				synctest.Wait()
				if got := b.ran(); got != "09:40" {
					t.Fatalf("%q ran at first", got)
				}
				b.at(tt.now)
				synctest.Wait()
				if got := b.ran(); got != tt.during {
					t.Errorf("while it runs %q begin, want %q", got, tt.during)
				}
				release()
				synctest.Wait()
				if got := b.ran(); got != tt.after {
					t.Errorf("after it %q begin, want %q", got, tt.after)
				}
				if s := b.Stats("tick"); s.SkippedTicks != tt.skipped || s.MissedTicks != tt.missing {
					t.Errorf("%+v", s)
				}
				stop()
				if b.held() != "" {
					t.Errorf("%q are held", b.held())
				}
			})
		})
	}
}
