package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"pipelined"
	"pipelined/engine/execution"
)

// Clock is a clock that a Host moves.
type Clock interface {
	pipelined.Clock
	Set(time.Time)
}

// Host is an execution.Host that runs one task at a time. Everything that is to be under
// it runs inside Run. Use NewHost.
type Host struct {
	clock  Clock
	random *rand.Rand
	stopAt int // the fault point to end at, from 1; 0: none

	// Only the task whose turn it is touches what follows; giving the turn on, over a
	// channel, is what makes it seen by the next.
	tasks  []*task
	timers []*timer
	turn   *task
	given  int // tasks so far, and timers
	points int
	script []string
	dead   bool // the run was ended at a fault point, or is stuck
	stuck  bool
	idle   chan struct{}
}

var _ execution.Host = (*Host)(nil)

// task is one branch of what runs. It goes on when it is its turn.
type task struct {
	number int
	ready  func() bool // whether what it waits for has come; nil: it waits for nothing
	wake   chan struct{}
}

// timer fires when the clock has come so far.
type timer struct {
	due    time.Time
	number int
	fire   func()
}

// NewHost returns a host whose choices seed decides.
func NewHost(clock Clock, seed uint64) *Host {
	return &Host{clock: clock, random: rand.New(rand.NewPCG(seed, seed)), idle: make(chan struct{})}
}

// StopAt has the run end at its nth fault point, from 1: nothing of it goes on, as if the
// process had died there.
func (h *Host) StopAt(n int) *Host { h.stopAt = n; return h }

// Random is a source of randomness that the seed decides, in [0, 1).
func (h *Host) Random() float64 { return h.random.Float64() }

// Run runs f and everything that comes of it to its end, and reports whether it got there;
// false means that it ended at a fault point. A host runs once.
func (h *Host) Run(f func()) (ended bool) {
	h.start(f)
	h.next()
	<-h.idle
	if h.stuck {
		panic("scenario: everything waits and nothing will come:\n" + h.Transcript())
	}
	return !h.dead
}

// Points is how many fault points the run has passed.
func (h *Host) Points() int { return h.points }

// Transcript is what happened, a line each: the same for the same seed.
func (h *Host) Transcript() string { return strings.Join(h.script, "\n") }

// Now is the host's time.
func (h *Host) Now() time.Time { return h.clock.Now() }

// Sleep waits until the clock has come so far, or ctx has ended.
func (h *Host) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	fired := false
	t := h.timer(d, func() { fired = true })
	h.wait(fmt.Sprintf("sleep %s", d), func() bool { return fired || ctx.Err() != nil })
	if fired {
		return nil
	}
	h.drop(t)
	return context.Cause(ctx)
}

// WithTimeout returns a context that ends with cause when the clock has come so far.
func (h *Host) WithTimeout(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := h.timer(d, func() { cancel(cause) })
	return ctx, func() { h.drop(t); cancel(context.Canceled) }
}

// Outside gives others their turn before the call, and after it.
func (h *Host) Outside(_ context.Context, call func() (any, error)) (any, error) {
	h.wait("call outside", nil)
	result, err := call()
	h.wait("called", nil)
	return result, err
}

// Point passes a fault point, or ends the run there.
func (h *Host) Point(name string) {
	if h.dead {
		runtime.Goexit()
	}
	h.points++
	h.note("point " + name)
	if h.points != h.stopAt {
		return
	}
	h.note("stopped")
	h.dead = true
	runtime.Goexit()
}

// Branches are tasks of their own.
func (h *Host) Branches(limit int) execution.Branches { return &branches{host: h, limit: limit} }

type branches struct {
	host    *Host
	limit   int
	running int
}

func (b *branches) Go(branch func()) {
	if b.limit > 0 {
		b.host.wait("wait for a place", func() bool { return b.running < b.limit })
	}
	b.running++
	b.host.start(func() {
		defer func() { b.running-- }()
		branch()
	})
}

func (b *branches) Wait() { b.host.wait("wait for branches", func() bool { return b.running == 0 }) }

// start adds a task; it runs when its turn comes.
func (h *Host) start(f func()) {
	h.given++
	t := &task{number: h.given, wake: make(chan struct{}, 1)}
	h.tasks = append(h.tasks, t)
	go func() {
		defer h.end(t)
		<-t.wake
		if !h.dead {
			f()
		}
	}()
}

// end ends a task and gives the turn on. After a stop what is left ends one by one, so
// that no two of them run what they had deferred at the same time.
func (h *Host) end(t *task) {
	h.tasks = slices.DeleteFunc(h.tasks, func(o *task) bool { return o == t })
	if !h.dead {
		h.note("ends")
	}
	switch {
	case len(h.tasks) == 0:
		close(h.idle)
	case h.dead:
		h.tasks[0].wake <- struct{}{}
	default:
		h.next()
	}
}

// wait gives the turn on and returns when ready holds and it is this task's turn again.
func (h *Host) wait(why string, ready func() bool) {
	if h.dead {
		runtime.Goexit()
	}
	t := h.turn
	h.note(why)
	t.ready = ready
	h.next()
	<-t.wake
	if h.dead {
		runtime.Goexit()
	}
}

// next chooses whose turn it is: one of those that can go on, as the seed says. Where
// none can, the clock moves; where it has nowhere to move to, the run is over.
func (h *Host) next() {
	for {
		var able []*task
		for _, t := range h.tasks {
			if t.ready == nil || t.ready() {
				able = append(able, t)
			}
		}
		if len(able) > 0 {
			t := able[h.random.IntN(len(able))]
			t.ready, h.turn = nil, t
			t.wake <- struct{}{}
			return
		}
		if len(h.timers) == 0 {
			h.stuck, h.dead = true, true
			h.tasks[0].wake <- struct{}{}
			return
		}
		h.advance()
	}
}

// advance moves the clock to the next timer and fires it.
func (h *Host) advance() {
	t := h.timers[0]
	h.timers = h.timers[1:]
	if t.due.After(h.clock.Now()) {
		h.clock.Set(t.due)
	}
	h.script = append(h.script, fmt.Sprintf("%s timer %d", h.clock.Now().Format("15:04:05.000"), t.number))
	t.fire()
}

func (h *Host) timer(d time.Duration, fire func()) *timer {
	h.given++
	t := &timer{due: h.clock.Now().Add(max(d, 0)), number: h.given, fire: fire}
	at, _ := slices.BinarySearchFunc(h.timers, t, func(a, b *timer) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return a.number - b.number
	})
	h.timers = slices.Insert(h.timers, at, t)
	return t
}

func (h *Host) drop(t *timer) {
	h.timers = slices.DeleteFunc(h.timers, func(o *timer) bool { return o == t })
}

func (h *Host) note(what string) {
	h.script = append(h.script, fmt.Sprintf("%s task %d: %s", h.clock.Now().Format("15:04:05.000"), h.turn.number, what))
}
