// Package clock has the two clocks of the runtime: the real one and a fake that
// only moves when a test says so.
package clock

import (
	"slices"
	"sync"
	"time"

	"pipelined"
)

// Real is the machine's clock, in UTC.
func Real() pipelined.Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now().UTC() }

func (realClock) NewTimer(d time.Duration) pipelined.Timer { return realTimer{time.NewTimer(d)} }

type realTimer struct{ *time.Timer }

func (t realTimer) C() <-chan time.Time { return t.Timer.C }

// Fake is a clock that stands still until Advance or Set. The zero value is not
// usable; call NewFake. It is safe for concurrent use.
type Fake struct {
	mu     sync.Mutex
	now    time.Time
	timers []*fakeTimer
	armed  chan struct{} // closed and renewed whenever a timer is set
}

// NewFake returns a clock standing at start.
func NewFake(start time.Time) *Fake {
	return &Fake{now: start.UTC(), armed: make(chan struct{})}
}

// Now returns where the clock stands.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// NewTimer returns a timer that fires when the clock has been moved by d.
func (f *Fake) NewTimer(d time.Duration) pipelined.Timer {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &fakeTimer{clock: f, due: f.now.Add(d), c: make(chan time.Time, 1)}
	if d <= 0 {
		t.c <- f.now
		return t
	}
	f.timers = append(f.timers, t)
	close(f.armed)
	f.armed = make(chan struct{})
	return t
}

// Advance moves the clock by d and fires, in order, every timer then due.
func (f *Fake) Advance(d time.Duration) { f.Set(f.Now().Add(d)) }

// Set moves the clock to t, forwards or backwards, and fires every timer due by
// then in the order of their due times.
func (f *Fake) Set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = t.UTC()
	slices.SortStableFunc(f.timers, func(a, b *fakeTimer) int { return a.due.Compare(b.due) })
	n := 0
	for n < len(f.timers) && !f.timers[n].due.After(f.now) {
		f.timers[n].c <- f.now
		n++
	}
	f.timers = slices.Delete(f.timers, 0, n)
}

// Timers returns how many timers wait, and a channel that is closed when the
// next one is set, so that a test can wait for code to reach its sleep.
func (f *Fake) Timers() (int, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.timers), f.armed
}

type fakeTimer struct {
	clock *Fake
	due   time.Time
	c     chan time.Time
}

func (t *fakeTimer) C() <-chan time.Time { return t.c }

func (t *fakeTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	i := slices.Index(t.clock.timers, t)
	if i < 0 {
		return false
	}
	t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	return true
}
