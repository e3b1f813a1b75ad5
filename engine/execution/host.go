package execution

import (
	"context"
	"sync"
	"time"

	"pipelined"
	"pipelined/internal/fault"
)

// Host is where an execution gets time, concurrency and the outside from. In
// production these are the machine's (Machine). Under test a host runs one branch
// at a time and moves the clock itself, so that the same seed gives the same run.
// All methods are safe for concurrent use.
type Host interface {
	// Sleep waits for d, or until ctx ends, and returns the context's cause then.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout returns a context that ends with cause after d.
	WithTimeout(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc)
	// Branches returns a group of which at most limit run at the same time; 0 is no
	// limit.
	Branches(limit int) Branches
	// Outside runs a call that leaves the process, and returns when it has ended.
	Outside(ctx context.Context, call func() (any, error)) (any, error)
	// Point passes one of the points of package fault, where a test may end the run.
	Point(name string)
}

// Branches is a group of concurrent branches of one execution.
type Branches interface {
	// Go starts a branch, after waiting until fewer than the limit run.
	Go(branch func())
	// Wait waits until all have ended. Nothing is started after it.
	Wait()
}

// Machine is the host of production: goroutines, the machine's timers, and a clock
// for waits.
type Machine struct{ Clock pipelined.Clock }

// Sleep waits on the clock.
func (m Machine) Sleep(ctx context.Context, d time.Duration) error {
	return pipelined.Sleep(ctx, m.Clock, d)
}

// WithTimeout is context.WithTimeoutCause.
func (m Machine) WithTimeout(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, cause)
}

// Branches are goroutines.
func (m Machine) Branches(limit int) Branches {
	b := &goroutines{}
	if limit > 0 {
		b.slots = make(chan struct{}, limit)
	}
	return b
}

// Outside just calls.
func (m Machine) Outside(_ context.Context, call func() (any, error)) (any, error) { return call() }

// Point ends the process in builds that are made to be killed.
func (m Machine) Point(name string) { fault.Point(name) }

type goroutines struct {
	wg    sync.WaitGroup
	slots chan struct{} // nil: no limit
}

func (g *goroutines) Go(branch func()) {
	if g.slots == nil {
		g.wg.Go(branch)
		return
	}
	g.slots <- struct{}{}
	g.wg.Go(func() {
		defer func() { <-g.slots }()
		branch()
	})
}

func (g *goroutines) Wait() { g.wg.Wait() }
