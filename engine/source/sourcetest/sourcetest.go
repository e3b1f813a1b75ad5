// Package sourcetest is what every source passes, on the real engine and the real
// store, turn by turn on a clock of the test's:
//
//   - everything is delivered, once, and in order inside a partition;
//   - so it is when the process ends before or after any of its commits;
//   - an error of deliver ends Start, which is begun again, loudly;
//   - a partition that was lost to another is read no more until the next start;
//   - what cannot be decoded fails its execution, and holds up nothing;
//   - while too many events wait, nothing is read;
//   - Start returns when its context ends, and leaves nothing running.
//
// Call Run from the tests of triggers/<name>.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pipelined/internal/store"
	"pipelined/triggers"
)

// Case is a source under test.
type Case struct {
	Trigger *triggers.Spec
	// YAML is the value of the trigger's key in flow style, without options of events:
	// "path: inbox/*". They are added by the suite.
	YAML string
	// Prepare, if not nil, readies the system outside for a project in dir.
	Prepare func(t *testing.T, dir string)
	// Put has the system outside hold the n-th thing, from 0, for a project in dir. It
	// returns the inputs that come of it, in order, as JSON.
	Put func(t *testing.T, dir string, n int) []string
	// Break has the system outside hold something that cannot be decoded. nil: there
	// is no such thing.
	Break func(t *testing.T, dir string)
	// Beat is a time after which what was put has been looked at.
	Beat time.Duration
	// Check, if not nil, looks at what is left outside when all events have ended.
	Check func(t *testing.T, dir string)
}

// Run runs the suite.
func Run(t *testing.T, c Case) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Case){
		"everything is delivered once and in order":          delivers,
		"the process ends before or after any commit":        crashes,
		"an error of deliver is returned, and tried again":   retries,
		"a partition that is lost is read no more":           loses,
		"what cannot be decoded fails, and holds up nothing": undecoded,
		"while too many events wait nothing is read":         backpressure,
		"start returns when its context ends":                ends,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// things is how many are put in most tests.
const things = 4

func delivers(t *testing.T, c Case) {
	b := newBench(t, c, "")
	var want []string
	for n := range things {
		want = append(want, c.Put(t, b.dir, n)...)
		if n%2 == 1 {
			b.beats(4)
		}
	}
	b.beats(6)
	b.holds(want)
	b.restart()
	want = append(want, c.Put(t, b.dir, things)...)
	b.beats(8)
	b.holds(want)
	if c.Check != nil {
		c.Check(t, b.dir)
	}
}

// crashes ends the process at each commit of the source in turn, until there is none
// more to end it at.
func crashes(t *testing.T, c Case) {
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			b := newBench(t, c, "")
			b.cut.at(at, after)
			var want []string
			for n := range things {
				want = append(want, c.Put(t, b.dir, n)...)
			}
			b.beats(6)
			if !b.cut.dead() {
				if at < 3 {
					t.Errorf("the source made only %d commits", at-1)
				}
				b.close()
				break
			}
			b.cut.at(0, false)
			b.restart()
			b.beats(10)
			b.name = fmt.Sprintf("ended at commit %d, after it: %v", at, after)
			b.holds(want)
			if c.Check != nil {
				c.Check(t, b.dir)
			}
			b.close()
		}
	}
}

func retries(t *testing.T, c Case) {
	b := newBench(t, c, "")
	want := c.Put(t, b.dir, 0)
	b.beats(6)
	b.cut.refuse(2)
	want = append(want, c.Put(t, b.dir, 1)...)
	for range 8 { // of two waits, and what the source needs to look
		b.beats(1)
		b.clock.Advance(5 * time.Second)
	}
	b.beats(6)
	b.holds(want)
	st := b.engine.View().Sources
	if len(st) != 1 || st[0].Restarts != 2 || !st[0].Reading || !strings.Contains(st[0].Error, "disk") {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(b.log.String(), "a source ended; it begins again"); n != 2 {
		t.Errorf("%d lines say that it ended\n%s", n, b.log)
	}
}

func loses(t *testing.T, c Case) {
	b := newBench(t, c, "")
	want := c.Put(t, b.dir, 0)
	b.cut.steal = true
	b.beats(8)
	if got := b.events(); len(got) != 0 {
		t.Errorf("without its partition it delivered %v", got)
	}
	if st := b.engine.View().Sources; len(st) != 1 || st[0].Reading || st[0].Restarts != 0 {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(b.log.String(), "another process reads it now"); n != 1 {
		t.Errorf("%d lines say so\n%s", n, b.log)
	}
	b.cut.steal = false
	b.restart()
	b.beats(8)
	b.holds(want)
}

func undecoded(t *testing.T, c Case) {
	if c.Break == nil {
		t.Skip("everything can be decoded")
	}
	b := newBench(t, c, "")
	c.Break(t, b.dir)
	want := c.Put(t, b.dir, 0)
	b.beats(8)
	b.holds(want)
	st := b.engine.View()
	if st.Sources[0].Failed == 0 || st.Pipelines[0].Failed != st.Sources[0].Failed || st.Sources[0].Restarts != 0 {
		t.Errorf("%+v, %+v\n%s", st.Sources, st.Pipelines, b.log)
	}
	if n, err := b.store.Count(t.Context(), "dead_letters", store.Exact); err != nil || n != st.Sources[0].Failed {
		t.Errorf("%d dead letters, %v", n, err)
	}
}

func backpressure(t *testing.T, c Case) {
	b := newBench(t, c, ", prefetch: 1, concurrency: 1, retry: { attempts: 2, initial: 1h, max: 1h, jitter: none }")
	b.failing(true)
	var want []string
	for n := range things {
		want = append(want, c.Put(t, b.dir, n)...)
	}
	b.beats(8)
	some := b.delivered()
	b.beats(4)
	if now := b.delivered(); some == 0 || some == len(want) || now != some {
		t.Errorf("%d, then %d of %d events were delivered while one waits", some, now, len(want))
	}
	b.failing(false)
	b.clock.Advance(time.Hour)
	b.beats(4 * len(want))
	b.holds(want)
}

// ends runs the engine as the daemon does; goroutines that are left fail it.
func ends(t *testing.T, c Case) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, c, "")
		want := c.Put(t, b.dir, 0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.engine.Run(ctx) }()
		for range 12 {
			synctest.Wait()
			b.clock.Advance(c.Beat)
		}
		synctest.Wait()
		b.holds(want)
		cancel()
		synctest.Wait()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		default:
			t.Error("it goes on after its end")
			b.clock.Advance(time.Hour)
			<-done
		}
		b.close()
	})
}

// delivered is how many events of all partitions are in the log.
func (b *bench) delivered() (n int) {
	b.t.Helper()
	for _, list := range b.events() {
		n += len(list)
	}
	return n
}

// holds compares what is in the log with what was put.
func (b *bench) holds(want []string) {
	b.t.Helper()
	var got []string
	for _, list := range b.events() {
		got = append(got, list...)
	}
	sortedGot, sortedWant := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(sortedGot, sortedWant) {
		b.t.Errorf("%s: delivered\n  %s\nnot\n  %s\n%s", b.name, strings.Join(sortedGot, "\n  "), strings.Join(sortedWant, "\n  "), b.log)
		return
	}
	for partition, list := range b.events() {
		at := -1
		for _, input := range list {
			next := slices.Index(want[at+1:], input)
			if next < 0 {
				b.t.Errorf("%s: in %q %s came out of order: %v", b.name, partition, input, list)
				break
			}
			at += 1 + next
		}
	}
	for _, p := range b.engine.View().Pipelines {
		if p.Taken > 0 {
			b.t.Errorf("%s: %+v", b.name, p)
		}
	}
}

// errDisk is what a refused commit says.
var errDisk = fmt.Errorf("the disk is full: %w", store.ErrUnavailable)
