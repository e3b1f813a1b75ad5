package broker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"pipelined/engine/broker"
	"pipelined/internal/store"
)

// crew handles deliveries of a running broker: each waits until the test lets it go on,
// unless it is free.
type crew struct {
	*fixture
	free bool

	mu      sync.Mutex
	running map[string]chan struct{}
	most    int
	order   []string
}

// newCrew has a broker at work. Its deliveries wait.
func newCrew(t *testing.T, cfg broker.Config) (c *crew, stop func()) {
	t.Helper()
	c = &crew{fixture: newFixture(t, cfg), running: map[string]chan struct{}{}}
	c.cfg.Concurrency = max(cfg.Concurrency, 1)
	c.cfg.Handle = c.handle
	c.restart()
	return c, c.start()
}

func (c *crew) start() (stop func()) {
	intake, end := context.WithCancel(c.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.broker.Run(intake, c.Context()) }()
	return func() {
		c.Helper()
		end()
		synctest.Wait()
		c.letGo()
		if err := <-ended; err != nil {
			c.Error(err)
		}
	}
}

func (c *crew) handle(_ context.Context, d *broker.Delivery) {
	hold := make(chan struct{})
	c.mu.Lock()
	c.running[d.Event.ID] = hold
	c.most = max(c.most, len(c.running))
	c.order = append(c.order, d.Event.ID)
	free := c.free
	c.mu.Unlock()
	if !free {
		<-hold
	}
	batch := &store.Batch{}
	d.Settle(batch)
	done := make(chan struct{})
	c.store.Submit(batch, func(r store.Result, err error) {
		if err != nil {
			c.Error(err)
		}
		c.mu.Lock()
		delete(c.running, d.Event.ID)
		c.mu.Unlock()
		d.Committed()
		close(done)
	})
	<-done
}

// letGo lets everything that runs end, and what follows.
func (c *crew) letGo() {
	c.mu.Lock()
	c.free = true
	for id, hold := range c.running {
		close(hold)
		delete(c.running, id)
	}
	c.mu.Unlock()
	synctest.Wait()
}

// let lets one delivery end.
func (c *crew) let(id string) {
	c.Helper()
	c.mu.Lock()
	hold := c.running[id]
	c.mu.Unlock()
	if hold == nil {
		c.Fatalf("%s does not run", id)
	}
	close(hold)
	synctest.Wait()
}

// now are the deliveries that run.
func (c *crew) now() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for id := range c.running {
		out = append(out, id)
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

// TestConcurrency: so many run at a time and no more, and a reload changes it at once.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, stop := newCrew(t, broker.Config{Concurrency: 2})
		c.publish("", "1", "2", "3", "4", "5", "6")
		if got := c.now(); got != "[1 2]" {
			t.Errorf("%s run", got)
		}
		c.let("1")
		if got := c.now(); got != "[2 3]" {
			t.Errorf("%s run after the first", got)
		}
		c.cfg.Concurrency = 3
		c.change(c.cfg)
		if got := c.now(); got != "[2 3 4]" {
			t.Errorf("%s run of three", got)
		}
		c.cfg.Concurrency = 1
		c.change(c.cfg)
		c.let("2")
		c.let("3")
		if got := c.now(); got != "[4]" {
			t.Errorf("%s run of one", got)
		}
		c.let("4")
		if got := c.now(); got != "[5]" {
			t.Errorf("%s run of one, the next", got)
		}
		stop()
	})
}

// TestOneAtATimeSeesWhatTheOneBeforeDid: with a concurrency of 1 the next begins when the
// commit of the one before is durable, and not when its handler returned.
func TestOneAtATimeSeesWhatTheOneBeforeDid(t *testing.T) {
	t.Parallel()
	for concurrency, want := range map[int]string{1: "[1]", 2: "[1 2]"} {
		synctest.Test(t, func(t *testing.T) {
			b := newFixture(t, broker.Config{})
			var out []*broker.Delivery
			var mu sync.Mutex
			b.cfg.Concurrency = concurrency
			b.cfg.Handle = func(_ context.Context, d *broker.Delivery) { // it returns, and its commit is on its way
				mu.Lock()
				defer mu.Unlock()
				out = append(out, d)
			}
			b.restart()
			intake, end := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- b.broker.Run(intake, t.Context()) }()
			b.publish("", "1", "2")
			synctest.Wait()
			mu.Lock()
			var got []string
			for _, d := range out {
				got = append(got, d.Event.ID)
			}
			mu.Unlock()
			slices.Sort(got)
			if fmt.Sprint(got) != want {
				t.Errorf("with %d at a time %v began", concurrency, got)
			}
			b.settle(out[0])
			synctest.Wait()
			if len(out) != 2 {
				t.Errorf("after the first commit %d began", len(out))
			}
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTenantsTakeTurns, however many events one of them has.
func TestTenantsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, stop := newCrew(t, broker.Config{Concurrency: 1, Tenant: func(ev *store.StoredEvent) (string, error) { return ev.Key, nil }})
		c.publish("a", "a1", "a2", "a3", "a4")
		c.now() // the first runs
		c.publish("b", "b1", "b2")
		c.now()
		c.publish("c", "c1")
		for range 7 {
			synctest.Wait()
			c.let(c.order[len(c.order)-1])
		}
		if got := fmt.Sprint(c.order); got != "[a1 a2 b1 c1 a3 b2 a4]" {
			t.Errorf("they come as %s", got)
		}
		stop()
	})
}

// TestADrainTakesNothingNew, waits for what is out, and leaves the rest for the next
// process.
func TestADrainTakesNothingNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &crew{fixture: newFixture(t, broker.Config{}), running: map[string]chan struct{}{}}
		c.cfg.Concurrency, c.cfg.Handle = 2, c.handle
		c.restart()
		intake, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.broker.Run(intake, t.Context()) }()
		c.publish("", "1", "2", "3")
		if got := c.now(); got != "[1 2]" {
			t.Fatalf("%s run", got)
		}
		end()
		synctest.Wait()
		c.publish("", "4")
		c.let("1")
		if got := c.now(); got != "[2]" || len(ended) > 0 {
			t.Errorf("%s run, ended: %d", got, len(ended))
		}
		c.let("2")
		if err := <-ended; err != nil {
			t.Error(err)
		}
		c.cfg.Handle = func(context.Context, *broker.Delivery) {}
		c.restart()
		c.expect("the next process", c.take(), "3/1", "4/1")
	})
}
