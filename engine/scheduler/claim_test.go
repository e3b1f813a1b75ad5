package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// TestTicksTheProcessDiedInStartAgain, in order, whatever missed says; one after the other
// unless they may overlap. The moments between them and now are missed as ever.
func TestTicksTheProcessDiedInStartAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		open, overlap, missed string
		first, all            string // what begins at once, and what at last; the first is held
	}{
		{"09:40", "skip", "skip", "09:40", "09:40"},
		{"09:40", "skip", "latest", "09:40", "09:40"}, // the latest is left out beside it
		{"09:40", "queue", "latest", "09:40", "09:40 10:00"},
		{"09:40", "allow", "latest", "09:40 10:00", "09:40 10:00"},
		{"09:40 09:50", "skip", "skip", "09:40", "09:40 09:50"},
		{"09:40 09:50", "queue", "skip", "09:40", "09:40 09:50"},
		{"09:40 09:50", "allow", "skip", "09:40 09:50", "09:40 09:50"},
		{"09:40 10:00", "skip", "all", "09:40", "09:40 10:00 09:50"},
		{"09:40 09:50 10:00", "skip", "all", "09:40", "09:40 09:50 10:00"},
	}
	for _, tt := range tests {
		t.Run(tt.open+", "+tt.overlap+", "+tt.missed, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, schedule("missed: "+tt.missed+", overlap: "+tt.overlap))
				done := b.claim("tick", "09:30")
				b.claim("tick", splitted(tt.open)...)
				if _, err := b.Store.Commit(t.Context(), &store.Batch{Claims: []store.Claim{done[0].Claim}}); err != nil {
					t.Fatal(err)
				}
				b.at("10:07:00")
				b.Reopen()
				b.again()
				release := b.hold("09:40")
				stop := b.start()
				synctest.Wait()
				first := b.ran()
				if !sameMoments(first, tt.first) {
					t.Errorf("at once %q begin, want %q", first, tt.first)
				}
				release()
				synctest.Wait()
				all := first + " " + b.ran()
				if !sameMoments(all, tt.all) && all != tt.all+" " {
					t.Errorf("in all %q ran, want %q", all, tt.all)
				}
				stop()
				if got := b.held(); got != "" {
					t.Errorf("%q are held", got)
				}
				b.Reopen()
				b.again()
				again := ""
				if tt.overlap == "skip" && tt.missed == "latest" {
					again = "10:00" // what overlap left out is not done: at the next start it is missed
				}
				if got := b.due(); got != again {
					t.Errorf("at the next start %q ran, want %q", got, again)
				}
			})
		})
	}
}

// sameMoments compares moments that may begin in any order.
func sameMoments(a, b string) bool {
	count := map[string]int{}
	for _, m := range splitted(a) {
		count[m]++
	}
	for _, m := range splitted(b) {
		count[m]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// TestATickThatKillsTheProcessIsGivenUp: the sixth time it fails as interrupted, and its
// flow does not run.
func TestATickThatKillsTheProcessIsGivenUp(t *testing.T) {
	t.Parallel()
	for started, runs := range map[int]bool{1: true, 4: true, 5: false, 9: false} {
		t.Run(fmt.Sprint(started, " times"), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, schedule("missed: skip"))
			for range started {
				b.claim("tick", "09:40")
				b.Reopen()
			}
			b.again()
			b.at("09:47:00")
			got := b.due()
			if (got == "09:40") != runs || b.held() != "" {
				t.Errorf("%q ran; %q are held", got, b.held())
			}
			letters := b.Documents("dead_letters")
			if (len(letters) == 0) != runs {
				t.Errorf("letters: %v", letters)
			}
			for _, l := range letters {
				if l["error"].(map[string]any)["type"] != pipelined.TypeInterrupted {
					t.Errorf("%v", l)
				}
			}
		})
	}
}

// TestAMomentThatIsTakenDoesNotRun: it is done, as when the clock was set back; or somebody
// claims it while it runs, and what came of it is dropped.
func TestAMomentThatIsTakenDoesNotRun(t *testing.T) {
	t.Parallel()
	t.Run("it is done", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, schedule(""))
		if _, err := b.Store.Commit(t.Context(), &store.Batch{Claims: []store.Claim{b.claim("tick", "09:40")[0].Claim}}); err != nil {
			t.Fatal(err)
		}
		b.at("09:40:00")
		if got := b.due(); got != "" || b.Stats("tick").Taken != 1 {
			t.Errorf("%q ran, %+v", got, b.Stats("tick"))
		}
		b.at("09:50:00")
		if got := b.due(); got != "09:50" {
			t.Errorf("the next one: %q ran", got)
		}
	})
	t.Run("somebody claims it while it runs", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, schedule(""))
		b.Probe.On("run", func(ctx context.Context, with any) (any, error) {
			b.claim("tick", "09:40")
			return b.run(ctx, with)
		})
		b.at("09:40:00")
		if got := b.due(); got != "09:40" || b.Stats("tick").Taken != 1 || b.Stats("tick").OK != 0 {
			t.Errorf("%q ran, %+v", got, b.Stats("tick"))
		}
		if got := b.held(); got != "tick 09:40" {
			t.Errorf("%q are held: it is the other's", got)
		}
		if got := b.due(); got != "" {
			t.Errorf("%q ran again", got)
		}
	})
}

// TestATickThatIsNotCommittedIsTriedAgain, longer and longer apart, until it is.
func TestATickThatIsNotCommittedIsTriedAgain(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("%w: no space", store.ErrUnavailable)
	tests := []struct {
		name  string
		away  func(b *bench, err error)
		calls int // outside, in six tries
		says  string
	}{
		{"it cannot be claimed", func(b *bench, err error) { b.Store.Break("Claim", err) }, 1, "could not be claimed"},
		{"the store says that it cannot commit", func(b *bench, err error) { b.Store.Sicken(err) }, 1, "could not be committed"},
		{"the commit is refused", func(b *bench, err error) { b.Store.Before(func(*store.Batch) error { return err }) }, 6, "could not be committed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, schedule("overlap: queue"))
				stop := b.start()
				tt.away(b, away)
				b.at("09:40:00")
				synctest.Wait()
				for _, wait := range []time.Duration{1, 2, 4, 8} {
					b.Clock.Advance(wait*time.Second - 1)
					synctest.Wait()
					before := len(b.Logs.Lines(tt.says))
					b.Clock.Advance(1)
					synctest.Wait()
					if n := len(b.Logs.Lines(tt.says)) - before; n != 1 {
						t.Errorf("after %s it is tried %d times", wait*time.Second, n)
					}
				}
				tt.away(b, nil)
				if b.Store.Before(nil); b.Documents("dead_letters") == nil {
					t.Error("there is no such collection")
				}
				b.Clock.Advance(10 * time.Second)
				synctest.Wait()
				stop()
				if n := b.Probe.Calls("run"); n != tt.calls || b.Stats("tick").OK != 1 || b.held() != "" {
					t.Errorf("%d calls, %+v, %q are held", n, b.Stats("tick"), b.held())
				}
			})
		})
	}
}

// TestAStopEndsTheTries: the tick stays begun, and is the next process's.
func TestAStopEndsTheTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, schedule(""))
		stop := b.start()
		b.Store.Before(func(*store.Batch) error { return store.ErrUnavailable })
		b.at("09:40:00")
		synctest.Wait()
		stop()
		if got := b.held(); got != "tick 09:40" {
			t.Errorf("%q are held", got)
		}
		b.Store.Before(nil)
		b.ran()
		b.Reopen()
		b.again()
		if got := b.due(); got != "09:40" || b.held() != "" {
			t.Errorf("the next process runs %q; %q are held", got, b.held())
		}
	})
}

// TestRunWaitsForWhatItBegan when its intake ends; what is cut off stays begun.
func TestRunWaitsForWhatItBegan(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprint("cut off: ", cut), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, schedule("overlap: queue"))
				intake, end := context.WithCancel(t.Context())
				work, stop := context.WithCancelCause(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- b.scheduler.Run(intake, work) }()
				release := b.hold("09:40")
				b.at("09:40:00")
				synctest.Wait()
				b.at("09:50:00") // waits behind it
				synctest.Wait()
				end()
				synctest.Wait()
				if len(ended) > 0 {
					t.Fatal("Run returns while a tick runs")
				}
				if cut {
					stop(pipelined.ErrStopping)
				} else {
					release()
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
				want := ""
				if cut {
					want = "tick 09:40"
				}
				if got := b.held(); got != want || b.Probe.Calls("run") != 1 {
					t.Errorf("%q are held, want %q; %d calls", got, want, b.Probe.Calls("run"))
				}
				stop(nil)
			})
		})
	}
}

// TestStrayTicksAreGivenUp: those of pipelines that have no schedule any more, loudly.
func TestStrayTicksAreGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, schedule(""))
	b.claim("tick", "09:40")
	b.claim("gone", "09:10", "09:20")
	batch := &store.Batch{}
	scheduled := func(name string) bool { return name == "tick" }
	if err := b.scheduler.Stray(t.Context(), scheduled, batch); err != nil {
		t.Fatal(err)
	}
	if lines := b.Logs.Lines("it is given up", "pipeline=gone"); len(lines) != 2 {
		t.Errorf("%q", lines)
	}
	if got := b.held(); got != "gone 09:10, gone 09:20, tick 09:40" {
		t.Errorf("before the commit %q are held", got)
	}
	if _, err := b.Store.Commit(t.Context(), batch); err != nil || b.held() != "tick 09:40" {
		t.Errorf("%v; %q are held", err, b.held())
	}
	b.Store.Break("Claims", errors.New("the disk does not answer"))
	if err := b.scheduler.Stray(t.Context(), scheduled, batch); err == nil {
		t.Error("a store that cannot be read is not told")
	}
}
