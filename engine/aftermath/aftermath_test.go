package aftermath_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/internal/store"
)

var errAway = pipelined.NewProblem("probe/away", "Away", 503, "").Transient()

// kinds are what can be left: who leaves it, what is done then, and the wait after the
// first try that failed.
var kinds = []struct {
	trigger, pipeline, what string
	first                   time.Duration
}{
	{attempt.UndoTrigger, "fails", "undo two 1", time.Minute},
	{attempt.AfterTrigger, "ends", "after 1", time.Second},
}

// left has something left to be done, after a first try that failed.
func left(t *testing.T, b *bench, pipeline, what string) {
	t.Helper()
	b.breaks(what, errAway)
	if end := b.run(pipeline, 1); end.Err != nil {
		t.Fatal(end.Err)
	}
	b.due()
	if rows := b.rows(); len(rows) != 1 || b.aftermath.Open() != 1 {
		t.Fatalf("%q are left, %d\n%s", rows, b.aftermath.Open(), b.Logs)
	}
}

// TestTries: each kind has its waits, ten tries in all, whatever process they are made by;
// then it is a record.
func TestTries(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, another process each: %v", k.trigger, again), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, project)
				left(t, b, k.pipeline, k.what)
				wait := k.first
				for try := 2; try <= 10; try++ {
					if again {
						b.Reopen()
						b.again()
					}
					b.Clock.Advance(wait - 1)
					if got := b.due(); got != "[]" {
						t.Fatalf("try %d is too early: %s", try, got)
					}
					b.Clock.Advance(1)
					if got := b.due(); got != "["+k.what+"]" {
						t.Fatalf("try %d: %s", try, got)
					}
					wait = min(wait*2, time.Hour)
				}
				b.Clock.Advance(100 * time.Hour)
				if got := b.due(); got != "[]" || len(b.rows()) > 0 || len(b.letters(k.trigger)) != 1 || b.aftermath.Open() != 0 {
					t.Errorf("at last %s is done, %q are left, %v", got, b.rows(), b.letters(k.trigger))
				}
			})
		}
	}
}

// TestItIsDone when it can be, once, and its effects commit with the row.
func TestItIsDone(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.trigger, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, project)
			left(t, b, k.pipeline, k.what)
			b.breaks(k.what, nil)
			b.Clock.Advance(k.first)
			if got := b.due(); got != "["+k.what+"]" || len(b.rows()) > 0 {
				t.Errorf("%s, %q are left", got, b.rows())
			}
			if n := len(b.Documents("done")); k.trigger == attempt.AfterTrigger && n != 1 {
				t.Errorf("%d documents", n)
			}
			b.Clock.Advance(time.Hour)
			if got := b.due(); got != "[]" {
				t.Errorf("again: %s", got)
			}
		})
	}
}

// TestAStoreThatCannotCommit: it is done again, later and later, and counts no try.
func TestAStoreThatCannotCommit(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("%w: no space", store.ErrUnavailable)
	for _, k := range kinds {
		t.Run(k.trigger, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, project)
			left(t, b, k.pipeline, k.what)
			b.breaks(k.what, nil)
			b.Clock.Advance(k.first)
			b.Store.Before(func(*store.Batch) error { return away })
			if got := b.due(); got != "["+k.what+"]" {
				t.Error(got)
			}
			if got := b.due(); got != "[]" {
				t.Errorf("at once again: %s", got)
			}
			b.Clock.Advance(time.Second)
			if got := b.due(); got != "["+k.what+"]" {
				t.Errorf("a second later: %s", got)
			}
			b.Store.Before(nil)
			b.Store.Sicken(away)
			b.Clock.Advance(time.Minute)
			if got := b.due(); got != "[]" {
				t.Errorf("the store says that it cannot: %s", got)
			}
			b.Store.Sicken(nil)
			b.Clock.Advance(time.Minute)
			if got := b.due(); got != "["+k.what+"]" || len(b.rows()) > 0 {
				t.Errorf("at last: %s, %q", got, b.rows())
			}
		})
	}
}

// TestWhatSomebodyElseHasDone is dropped: the row is not as it was.
func TestWhatSomebodyElseHasDone(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.trigger, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, project)
			left(t, b, k.pipeline, k.what)
			b.breaks(k.what, nil)
			b.Commit(&store.Batch{Meta: []store.Meta{{Key: b.rows()[0]}}})
			b.Clock.Advance(k.first)
			b.due()
			if len(b.Documents("done")) > 0 || b.aftermath.Open() != 0 {
				t.Errorf("%v, %d open", b.Documents("done"), b.aftermath.Open())
			}
		})
	}
}

// TestWhatKillsTheProcess becomes a record: begun five times by processes that died of it,
// it is not begun again.
func TestWhatKillsTheProcess(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for begun, runs := range map[int]bool{4: true, 5: false} {
			t.Run(fmt.Sprintf("%s, begun %d times", k.trigger, begun), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, project)
				left(t, b, k.pipeline, k.what)
				b.breaks(k.what, nil)
				for range begun {
					if _, err := b.Store.Claim(t.Context(), []store.Claim{{Kind: store.AfterClaim, Key: b.rows()[0]}}); err != nil {
						t.Fatal(err)
					}
				}
				b.again()
				b.Clock.Advance(k.first)
				got := b.due()
				letters := b.letters(k.trigger)
				if (got != "[]") != runs || (len(letters) == 0) != runs || len(b.rows()) > 0 {
					t.Errorf("%s is done, %v, %q are left", got, letters, b.rows())
				}
				if claims, err := b.Store.Claims(t.Context(), store.AfterClaim, ""); err != nil || len(claims) > 0 {
					t.Errorf("%v are held, %v", claims, err)
				}
			})
		}
	}
}

// TestWhatIsGoneFromTheFiles is a record, loudly.
func TestWhatIsGoneFromTheFiles(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for name, text := range map[string]string{
			"the pipeline": "pipeline: other\ntrigger: { http: { method: POST, path: /x } }\nsteps: [ { stop: true } ]\n",
			"the steps":    "pipeline: " + k.pipeline + "\ntrigger: { http: { method: POST, path: /x } }\nsteps: [ { stop: true } ]\n",
		} {
			t.Run(k.trigger+", "+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, project)
				left(t, b, k.pipeline, k.what)
				b.Use(text)
				b.Clock.Advance(k.first)
				if got := b.due(); got != "[]" || len(b.letters(k.trigger)) != 1 || len(b.rows()) > 0 || len(b.Logs.Lines("level=ERROR", k.pipeline)) == 0 {
					t.Errorf("%s is done, %v, %q are left\n%s", got, b.letters(k.trigger), b.rows(), b.Logs)
				}
			})
		}
	}
}

// TestWhatNobodyTakesUpAgain: the process died, or its outcome could not be committed; it is
// undone, last first.
func TestWhatNobodyTakesUpAgain(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("%w: no space", store.ErrUnavailable)
	for _, dies := range []bool{true, false} {
		t.Run(fmt.Sprint("the process dies: ", dies), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, project)
			n := 0
			b.Store.Before(func(*store.Batch) error {
				if n++; n > 4 { // the journal of two steps
					return away
				}
				return nil
			})
			if end := b.run("fails", 1); !errors.Is(end.Err, store.ErrUnavailable) {
				t.Fatal(end.Err)
			}
			b.Store.Before(nil)
			if got := b.done(); got != "[one 1 two 1]" {
				t.Errorf("%s: nothing is undone before it is noted that it will be", got)
			}
			if dies {
				b.Reopen()
				b.again()
			}
			if got := b.due(); got != "[undo two 1 undo one 1]" || len(b.rows()) > 0 {
				t.Errorf("%s, %q are left\n%s", got, b.rows(), b.Logs)
			}
		})
	}
}

// TestRun does the same on a clock, several groups at a time, and stops in order: who waits
// for what is not done yet is let go.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, project)
		intake, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.aftermath.Run(intake, t.Context()) }()
		b.breaks("after 2", errAway)
		var waited []int
		for n := 1; n <= 3; n++ {
			end := b.run("ends", n)
			end.Rest.Then(func() { b.mu.Lock(); waited = append(waited, n); b.mu.Unlock() })
		}
		synctest.Wait()
		seen := func() []int { b.mu.Lock(); defer b.mu.Unlock(); return slices.Sorted(slices.Values(waited)) }
		if got := seen(); !slices.Equal(got, []int{1, 3}) {
			t.Errorf("%v have ended", got)
		}
		b.Clock.Advance(time.Second)
		synctest.Wait()
		if got := seen(); !slices.Equal(got, []int{1, 3}) || len(b.rows()) != 1 {
			t.Errorf("%v have ended, %q", got, b.rows())
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := seen(); !slices.Equal(got, []int{1, 2, 3}) || len(b.rows()) != 1 {
			t.Errorf("after the stop %v are let go, %q", got, b.rows())
		}
		b.breaks("after 2", nil)
		b.done()
		b.again()
		b.Clock.Advance(time.Hour)
		b.aftermath.First(t.Context(), t.Context())
		if got := b.done(); got != "[after 2]" || len(b.rows()) > 0 {
			t.Errorf("the next process: %s, %q", got, b.rows())
		}
	})
}
