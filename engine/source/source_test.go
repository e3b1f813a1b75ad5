package source_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// TestASwap: what becomes of a source when another project is put in use, turn by turn
// and as the daemon runs it. Before, two events were delivered; a third follows.
func TestASwap(t *testing.T) {
	t.Parallel()
	tests := []swapped{
		{"nothing changed", []string{reads("work", "")}, 1, "1 2 3"},
		{"its steps changed", []string{strings.Replace(reads("work", ""), "do: step", "do: other", 1)}, 1, "1 2 3"},
		{"another pipeline came", []string{reads("work", "") + idle}, 1, "1 2 3"},
		{"an option changed", []string{reads("work", ", concurrency: 3")}, 2, "1 2 3"},
		{"it is gone", []string{idle}, 1, "1 2"},
		{"it was gone and is back", []string{idle, reads("work", "")}, 2, "1 2 3"},
		{"it changed twice", []string{reads("work", ", concurrency: 3"), reads("work", ", concurrency: 4")}, 3, "1 2 3"},
		{"it became another trigger's", []string{"-- work.yaml --\npipeline: work\ntrigger: { event: { types: [a.b] } }\nsteps: [ { stop: true } ]\n"}, 1, "1 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name+", turn by turn", func(t *testing.T) {
			t.Parallel()
			b := newBench(t, reads("work", ""))
			b.feed.Put("l", "1", "2")
			b.beat(2)
			for _, next := range tt.swaps {
				b.swap(next)
				b.beat(2)
			}
			b.feed.Put("l", "3")
			b.beat(2)
			tt.check(b)
		})
		t.Run(tt.name+", as it runs", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, reads("work", ""))
				stop := b.start()
				b.feed.Put("l", "1", "2")
				b.wait(2)
				for _, next := range tt.swaps {
					b.swap(next)
					b.wait(2)
				}
				b.feed.Put("l", "3")
				b.wait(2)
				tt.check(b)
				stop()
				if _, reading := b.feed.Starts(); reading != 0 {
					t.Errorf("%d read after the end", reading)
				}
				b.engine.Close()
				b.store.Close()
			})
		})
	}
}

// swapped is what is left of a source after swaps.
type swapped struct {
	name   string
	swaps  []string
	starts int // of the source, in all
	inputs string
}

func (tt swapped) check(b *bench) {
	b.Helper()
	if starts, _ := b.feed.Starts(); starts != tt.starts || b.inputs("work") != tt.inputs {
		b.Errorf("it was begun %d times, and %q came of it; want %d and %q\n%s", starts, b.inputs("work"), tt.starts, tt.inputs, b.log)
	}
}

// TestPartsOfASourceEnd: a list is finished when all its events have ended, however that
// was, also when the process ends in between.
func TestPartsOfASourceEnd(t *testing.T) {
	t.Parallel()
	down := pipelined.NewProblem("test/down", "Not now", 503, "").Transient()
	tests := []struct {
		name    string
		options string
		items   []string
		fails   int // how often the step fails
		early   string
		late    string // two hours later
	}{
		{"well", "", []string{"1", "2"}, 0, "done", "done"},
		{"without an event", "", nil, 0, "done", "done"},
		{"one failed", "", []string{"1", "2"}, 1, "failed", "failed"},
		{"one was not what it should be", "", []string{"1", "!", "2"}, 0, "failed", "failed"},
		{"one is tried again, and goes well", ", retry: { attempts: 2, initial: 1h, max: 1h, jitter: none }", []string{"1", "2"}, 1, "", "done"},
		{"one is tried again, and fails", ", retry: { attempts: 2, initial: 1h, max: 1h, jitter: none }", []string{"1"}, 2, "", "failed"},
		{"all are filtered", ", where: input > 5", []string{"1", "2"}, 0, "done", "done"},
		{"one is filtered", ", where: input > 1", []string{"1", "2"}, 0, "done", "done"},
		{"in order of a key", ", order_by: event.key, retry: { attempts: 2, initial: 1h, max: 1h, jitter: none }", []string{"1", "2", "3"}, 1, "", "done"},
		{"too old", ", max_age: 1ns, retry: { attempts: 2 }", []string{"1"}, 1, "", "done"},
	}
	for _, tt := range tests {
		for _, restarts := range []bool{false, true} {
			name := tt.name
			if restarts {
				name += ", over restarts"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				text := reads("work", tt.options)
				b := newBench(t, text)
				failed := 0
				b.probe.On("step", func(context.Context, any) (any, error) {
					if failed < tt.fails {
						failed++
						return nil, down
					}
					return nil, nil
				})
				again := func() {
					if restarts {
						b.restart(text)
					}
				}
				b.feed.Put("l", tt.items...)
				b.beat(1)
				again()
				b.feed.End("l")
				b.beat(2)
				if tt.name != "too old" {
					if got := b.finished("l"); got != tt.early {
						t.Errorf("at first it is %q, want %q\n%s", got, tt.early, b.log)
					}
				}
				again()
				b.clock.Advance(2 * time.Hour)
				b.beat(2)
				if got := b.finished("l"); got != tt.late {
					t.Errorf("later it is %q, want %q\n%s", got, tt.late, b.log)
				}
				b.nothingIsLeft()
				b.feed.Put("l", "7") // one of the same name is another
				b.beat(2)
				b.nothingFailed()
			})
		}
	}
}

func (b *bench) finished(list string) string {
	failed, over := b.feed.Finished()[list]
	switch {
	case failed:
		return "failed"
	case over:
		return "done"
	}
	return ""
}

// nothingIsLeft looks for cursors, and for notes of what failed.
func (b *bench) nothingIsLeft() {
	b.Helper()
	cursors, err := b.store.Claims(b.Context(), store.CursorClaim, "")
	if err != nil || len(cursors) > 0 {
		b.Errorf("cursors are left: %v, %v", cursors, err)
	}
	b.nothingFailed()
}

func (b *bench) nothingFailed() {
	b.Helper()
	notes, err := b.store.Metas(b.Context(), "source/")
	if err != nil || len(notes) > 0 {
		b.Errorf("notes are left: %v, %v", notes, err)
	}
}

// TestASourceThatEndsIsBegunAgain, with a wait that doubles and a line each time.
func TestASourceThatEndsIsBegunAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, reads("work", ""))
	b.feed.Fail(errors.New("the line is dead"))
	var at []int
	before := 0
	for second := range 140 {
		b.beat(1)
		if n, _ := b.feed.Starts(); n != before {
			before = n
			at = append(at, second)
		}
	}
	want := []int{0, 1, 3, 7, 15, 31, 63, 123} // after 1, 2, 4, 8, 16, 32, 60, 60 seconds
	if len(at) != len(want) {
		t.Fatalf("it began at %v, want %v", at, want)
	}
	for i := range at {
		if at[i] != want[i] {
			t.Fatalf("it began at %v, want %v", at, want)
		}
	}
	if lines := b.log.Lines("a source ended; it begins again where it was", "the line is dead", "pipeline=work"); len(lines) != len(want) {
		t.Errorf("%d lines for %d ends", len(lines), len(want))
	}
	if s := b.status("work"); s.Reading || s.Restarts != int64(len(want)-1) || s.Error != "the line is dead" {
		t.Errorf("%+v", s)
	}
	b.feed.Fail(nil)
	b.feed.Put("l", "1")
	b.beat(70)
	if s := b.status("work"); !s.Reading || s.Events != 1 || b.inputs("work") != "1" {
		t.Errorf("%+v, %q", s, b.inputs("work"))
	}
}

// TestASourceThatPanicsHarmsNobody else.
func TestASourceThatPanicsHarmsNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, reads("work", ""))
	b.feed.Put("l", "") // an item it cannot look at
	b.beat(1)
	if lines := b.log.Lines("a source ended", "panic: "); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
}

// TestASourceThatWaitsInAWayOfItsOwn takes no turns, and reads where the engine runs.
func TestASourceThatWaitsInAWayOfItsOwn(t *testing.T) {
	t.Parallel()
	text := strings.Replace(reads("work", ""), "blocks: false", "blocks: true", 1)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, text)
		b.feed.Put("l", "1")
		b.beat(2)
		if n, _ := b.feed.Starts(); n != 0 {
			t.Errorf("it was begun %d times", n)
		}
		stop := b.start()
		b.wait(1)
		if b.inputs("work") != "1" {
			t.Errorf("%q was read", b.inputs("work"))
		}
		stop()
		b.engine.Close()
		b.store.Close()
	})
}

// TestWhatTookTurnsRunsOn: one that was read turn by turn is read by one reader after Run.
func TestWhatTookTurnsRunsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, reads("work", ""))
		b.feed.Put("l", "1")
		b.beat(2)
		stop := b.start()
		b.feed.Put("l", "2")
		b.wait(2)
		if _, reading := b.feed.Starts(); reading != 1 || b.inputs("work") != "1 2" {
			t.Errorf("%d read, and %q came of it", reading, b.inputs("work"))
		}
		stop()
		b.engine.Close()
		b.store.Close()
	})
}

// TestAConnection: the source gets its client, begins again with every revision, and lets
// go of each.
func TestAConnection(t *testing.T) {
	t.Parallel()
	text := "-- pipelined.yaml --\nconnections: { line: { probe: { label: LABEL } } }\n" + reads("work", ", connection: line")
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, strings.Replace(text, "LABEL", "one", 1))
		stop := b.start()
		b.wait(1)
		first := b.feed.Client()
		b.swap(strings.Replace(text, "LABEL", "two", 1))
		b.wait(2)
		if starts, reading := b.feed.Starts(); starts != 2 || reading != 1 || first == nil || b.feed.Client() == first {
			t.Errorf("%d starts, %d read, with %v and %v", starts, reading, first, b.feed.Client())
		}
		if open := b.probe.Open(); !slices.Equal(open, []string{"", "two"}) { // one is the steps' own
			t.Errorf("open are %v", open)
		}
		stop()
		b.engine.Close()
		b.store.Close()
		if open := b.probe.Open(); len(open) != 0 {
			t.Errorf("open at the end are %v", open)
		}
	})
}

// start runs the engine as the daemon does, until what is returned is called.
func (b *bench) start() (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- b.engine.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// wait lets the feeds look a few times.
func (b *bench) wait(times int) {
	for range times {
		b.clock.Advance(time.Second)
		synctest.Wait()
	}
}

// TestFailuresOfASourceAreRecordedAndReprocessed like those of any event.
func TestFailuresOfASourceAreRecordedAndReprocessed(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(reads("work", ""), "steps:", "on_failure: { collection: failures }\nsteps:", 1)+
		"-- again.yaml --\npipeline: again\ntrigger: { event: { types: [go.again] } }\nsteps: [ { reprocess: { collection: failures, max_attempts: 5, exhausted: [ { stop: true } ] } } ]\n")
	down := pipelined.NewProblem("test/down", "Not now", 503, "")
	b.probe.On("step", func(context.Context, any) (any, error) { return nil, down })
	b.feed.Put("l", `{"n":1}`)
	b.feed.End("l")
	b.beat(3)
	if b.finished("l") != "failed" {
		t.Errorf("the list is %q\n%s", b.finished("l"), b.log)
	}
	b.probe.On("step", nil)
	b.clock.Advance(time.Hour)
	if _, err := b.engine.Publish(t.Context(), &pipelined.Event{Type: "go.again", Data: "{}"}); err != nil {
		t.Fatal(err)
	}
	b.beat(2)
	status := ""
	err := b.store.Find(t.Context(), store.Query{Collection: "failures"}, func(d *store.Document) (bool, error) {
		status += d.Body
		return true, nil
	})
	if err != nil || !strings.Contains(status, `"status":"resolved"`) || !strings.Contains(status, `"type":"pipelined.feed.work"`) {
		t.Errorf("%s, %v\n%s", status, err, b.log)
	}
	b.nothingIsLeft()
}
