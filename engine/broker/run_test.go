package broker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pipelined"
	"pipelined/engine/broker"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
)

// TestWhatIsDueWakesTheBroker: retries, delayed events and refused commits come at their
// times, without anything else happening.
func TestWhatIsDueWakesTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newFixture(t, broker.Config{})
		var mu sync.Mutex
		var seen []string
		b.cfg.Handle = func(_ context.Context, d *broker.Delivery) {
			mu.Lock()
			seen = append(seen, fmt.Sprintf("%s/%d at %s", d.Event.ID, d.Attempt, b.clock.Now().Format("04:05.000")))
			n := len(seen)
			mu.Unlock()
			batch := &store.Batch{}
			switch {
			case d.Event.ID == "put-off" && d.Attempt == 1:
				d.Postpone(batch, b.clock.Now().Add(time.Minute), "{}")
			case d.Event.ID == "refused" && n < 3:
				d.Refused()
				return
			default:
				d.Settle(batch)
			}
			b.store.Submit(batch, func(store.Result, error) { d.Committed() })
		}
		b.restart()
		intake, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.broker.Run(intake, t.Context()) }()
		b.publish("", "put-off")
		synctest.Wait()
		b.publish("", "refused")
		delayed := &store.Batch{Delayed: []store.DelayedEvent{{Due: b.clock.Now().Add(30 * time.Second),
			Event: &pipelined.Event{ID: "late", Type: "order.received", Time: b.clock.Now(), Data: "{}", Attempt: 1}}}}
		b.broker.Committed(delayed, b.commit(delayed))
		for range 70 {
			synctest.Wait()
			b.clock.Advance(250 * time.Millisecond)
		}
		for range 60 {
			synctest.Wait()
			b.clock.Advance(time.Second)
		}
		synctest.Wait()
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want := "[put-off/1 at 00:00.000 refused/1 at 00:00.000 refused/1 at 00:00.250 late/1 at 00:30.500 put-off/2 at 01:00.500]"
		if got := fmt.Sprint(seen); got != want {
			t.Errorf("seen are %s", got)
		}
	})
}

// TestALogThatCannotBeReadIsTriedAgain, a second later, and told.
func TestALogThatCannotBeReadIsTriedAgain(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk does not answer")
	for _, method := range []string{"Read", "NextDelayed", "Parked"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newFixture(t, broker.Config{Tenant: func(*store.StoredEvent) (string, error) { return "one", nil }})
				const many = 1100 // more than wait in memory of one tenant
				for i := range many / 100 {
					var ids []string
					for k := range 100 {
						ids = append(ids, fmt.Sprintf("%04d", i*100+k))
					}
					b.published("order.received", "", ids...)
				}
				s := &enginetest.Store{Store: b.store}
				logs := &enginetest.Log{}
				var mu sync.Mutex
				seen := map[string]int{}
				b.cfg.Concurrency, b.cfg.Handle = 1, func(_ context.Context, d *broker.Delivery) {
					mu.Lock()
					seen[d.Event.ID]++
					mu.Unlock()
					batch := &store.Batch{}
					d.Settle(batch)
					s.Submit(batch, func(store.Result, error) { d.Committed() })
				}
				var err error
				if b.broker, err = broker.New(t.Context(), s, b.clock, newID, logs.Logger()); err != nil {
					t.Fatal(err)
				}
				b.change(b.cfg)
				s.Break(method, disk)
				intake, end := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- b.broker.Run(intake, t.Context()) }()
				synctest.Wait()
				b.clock.Advance(time.Second)
				synctest.Wait()
				if n := len(logs.Lines("events cannot be dispatched; trying again", "the disk does not answer")); n < 2 {
					t.Errorf("it is tried %d times", n)
				}
				s.Break(method, nil)
				b.clock.Advance(time.Second)
				synctest.Wait()
				end()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if len(seen) != many {
					t.Errorf("%d of %d came", len(seen), many)
				}
				for id, n := range seen {
					if n != 1 {
						t.Errorf("%s came %d times", id, n)
					}
				}
			})
		})
	}
}

// TestSettingsAreSwappedWhileDeliveriesRun: reload after reload under load. Each event is
// handled once, those of a key in their order, and at most as many at a time as the most
// that was ever allowed.
func TestSettingsAreSwappedWhileDeliveriesRun(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	var mu sync.Mutex
	last, seen := map[string]string{}, map[string]int{}
	running, most := 0, 0
	all := make(chan struct{})
	const keys, each = 8, 60
	handle := func(_ context.Context, d *broker.Delivery) {
		mu.Lock()
		running++
		most = max(most, running)
		if d.Event.ID <= last[d.Event.Key] {
			t.Errorf("%s comes after %s", d.Event.ID, last[d.Event.Key])
		}
		last[d.Event.Key] = d.Event.ID
		seen[d.Event.ID]++
		mu.Unlock()
		batch, durable := &store.Batch{}, make(chan struct{})
		d.Settle(batch)
		b.store.Submit(batch, func(r store.Result, err error) {
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			running--
			if len(seen) == keys*each && running == 0 {
				close(all)
			}
			mu.Unlock()
			d.Committed()
			close(durable)
		})
		<-durable
	}
	settings := func(n int) broker.Config {
		return broker.Config{Name: "s", Concurrency: 1 + n%5, Handle: handle,
			Matches:  func(typ string) bool { return n >= 0 && typ == "order.received" },
			OrderKey: func(ev *store.StoredEvent) (string, error) { return ev.Key, nil },
			Where:    func(*store.StoredEvent) (bool, error) { return n >= 0, nil }}
	}
	b.change(settings(0))
	intake, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.broker.Run(intake, t.Context()) }()
	var publishers sync.WaitGroup
	for key := range keys {
		publishers.Go(func() {
			for n := range each {
				batch := &store.Batch{Events: []*pipelined.Event{{ID: fmt.Sprintf("%d-%03d", key, n), Type: "order.received", Key: fmt.Sprint(key), Time: b.clock.Now(), Data: "{}", Attempt: 1}}}
				told := make(chan struct{})
				b.store.Submit(batch, func(r store.Result, err error) { b.broker.Committed(batch, r); close(told) })
				<-told
			}
		})
	}
	for n, limit := 1, time.Now().Add(time.Minute); time.Now().Before(limit); n++ {
		if n%7 == 0 {
			b.change() // gone for a moment
		}
		b.change(settings(n))
		select {
		case <-all:
			publishers.Wait()
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if len(seen) != keys*each || most > 5 {
				t.Errorf("%d of %d came, %d at a time", len(seen), keys*each, most)
			}
			return
		default:
		}
	}
	t.Fatalf("%d of %d came; %+v", len(seen), keys*each, b.broker.Status())
}
