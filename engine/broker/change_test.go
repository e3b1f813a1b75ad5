package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"pipelined/engine/broker"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
)

// change puts these subscriptions in the place of those there are.
func (b *fixture) change(wanted ...broker.Config) {
	b.Helper()
	c, err := b.broker.Prepare(b.Context(), wanted)
	if err != nil {
		b.Fatal(err)
	}
	c.Use()
}

// named is the fixture's subscription under another name.
func (b *fixture) named(name string) broker.Config {
	cfg := b.cfg
	cfg.Name = name
	return cfg
}

// TestWhereANewSubscriptionBegins: with the next event, or with the oldest one kept; one
// that was there goes on where it was, whatever it says now.
func TestWhereANewSubscriptionBegins(t *testing.T) {
	t.Parallel()
	for from, want := range map[int64][]string{-1: {"new/1"}, 0: {"old/1", "new/1"}} {
		b := newFixture(t, broker.Config{})
		b.publish("", "old")
		for _, d := range b.take() {
			b.settle(d)
		}
		cfg := b.named("late")
		cfg.From = from
		b.change(b.cfg, cfg)
		b.publish("", "new")
		var got []*broker.Delivery
		for _, d := range b.take() {
			if d.Subscription() == "late" {
				got = append(got, d)
			}
			b.settle(d)
		}
		b.expect(fmt.Sprint("from ", from), got, want...)
		cfg.From = -from - 1
		b.change(b.cfg, cfg)
		b.expect("with another beginning", b.take())
	}
}

// TestNothingIsHandedOutBeforeUse, and a change that is prepared and not used changes
// nothing.
func TestNothingIsHandedOutBeforeUse(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	cfg := b.named("late")
	c, err := b.broker.Prepare(t.Context(), []broker.Config{cfg})
	if err != nil {
		t.Fatal(err)
	}
	b.publish("", "a")
	list := b.take()
	b.expect("before", list, "a/1")
	if list[0].Subscription() != "s" || b.broker.Holds("late") {
		t.Error("it is there before it is used")
	}
	b.settle(list[0])
	c.Use()
	list = b.take()
	b.expect("after", list, "a/1")
	if list[0].Subscription() != "late" || !b.broker.Holds("s") {
		t.Error("it is not there")
	}
}

// TestAChangeThatFailsTakesBackWhatItMade, and leaves what was there.
func TestAChangeThatFailsTakesBackWhatItMade(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk does not answer")
	for _, method := range []string{"Subscriptions", "Subscribe", "Deferred", "ParkedGroups"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, broker.Config{From: -1})
			s := &enginetest.Store{Store: b.store}
			var err error
			if b.broker, err = broker.New(t.Context(), s, b.clock, newID, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			b.change(b.cfg)
			s.Break(method, disk)
			if _, err := b.broker.Prepare(t.Context(), []broker.Config{b.cfg, b.named("x"), b.named("y")}); !errors.Is(err, disk) {
				t.Fatalf("it says %v", err)
			}
			list, err := b.store.Subscriptions(t.Context())
			if err != nil || len(list) != 1 || list[0].Name != "s" {
				t.Errorf("in the store are %+v, %v", list, err)
			}
			b.publish("", "a")
			b.expect("what was there", b.take(), "a/1")
			s.Break(method, nil)
			b.change(b.cfg, b.named("x"), b.named("y"))
			b.publish("", "b")
			b.expect("when it works again", b.take(), "b/1", "b/1", "b/1")
		})
	}
}

// TestAClosedSubscription hands out nothing; what was ready, out or waiting when it was
// closed, and what was published meanwhile, comes when it is wanted again: once.
func TestAClosedSubscription(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	b.publish("", "settled", "postponed", "refused", "abandoned", "taken", "ready")
	if _, err := b.broker.Dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out []*broker.Delivery
	for range 5 {
		out = append(out, b.broker.Take())
	}
	b.change()
	b.expect("closed", b.take())
	b.settle(out[0])
	batch := &store.Batch{}
	out[1].Postpone(batch, b.clock.Now().Add(time.Second), "{}")
	b.commit(batch)
	out[1].Committed()
	out[2].Refused()
	out[3].Abandon()
	out[4].Settle(batch)
	out[4].Taken()
	b.publish("", "meanwhile")
	b.clock.Advance(time.Minute)
	b.expect("still closed", b.take())
	if n := b.broker.Backlog("s"); n != 5 {
		t.Errorf("%d wait", n)
	}
	b.change(b.cfg)
	list := b.take()
	b.expect("wanted again", list, "abandoned/1", "ready/1", "refused/1", "postponed/2", "meanwhile/1")
	for _, d := range list {
		b.settle(d)
	}
	b.expect("after all", b.take())
}

// TestAnEventOfferedWhileASubscriptionIsClosedComesOnce: one that is just being offered
// when the subscription is taken away is queued already, and not read from the log once
// more when it is back.
func TestAnEventOfferedWhileASubscriptionIsClosedComesOnce(t *testing.T) {
	t.Parallel()
	offering, goOn := make(chan struct{}), make(chan struct{})
	held := false
	b := newFixture(t, broker.Config{Where: func(*store.StoredEvent) (bool, error) {
		if !held {
			held = true
			close(offering)
			<-goOn
		}
		return true, nil
	}})
	b.take() // it is live
	b.publish("", "a")
	dispatched := make(chan error, 1)
	go func() {
		_, err := b.broker.Dispatch(t.Context())
		dispatched <- err
	}()
	<-offering
	c, err := b.broker.Prepare(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); c.Use() }()
	for !waitsIn("broker.(*Change).Use") { // until it is as far as it gets
		runtime.Gosched()
	}
	close(goOn)
	if err := <-dispatched; err != nil {
		t.Fatal(err)
	}
	<-closed
	b.change(b.cfg)
	list := b.take()
	b.expect("back again", list, "a/1")
	b.settle(list[0])
	b.expect("after it", b.take())
}

// waitsIn reports whether a goroutine waits for a lock in a function.
func waitsIn(function string) bool {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "[sync.Mutex.Lock") && strings.Contains(g, function) {
			return true
		}
	}
	return false
}

// TestSettingsOfAReload: those there are go on with the new ones, without losing what they
// have in memory.
func TestSettingsOfAReload(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	b.publish("", "a", "b")
	if _, err := b.broker.Dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := b.cfg
	cfg.Matches = func(typ string) bool { return typ == "order.paid" }
	cfg.Where = func(ev *store.StoredEvent) (bool, error) { return ev.Key != "no", nil }
	handled := 0
	cfg.Handle = func(context.Context, *broker.Delivery) { handled++ }
	b.change(cfg)
	b.publish("", "c")                                                 // a type it takes no more
	b.broker.Committed(b.published("order.paid", "no", "d"))           // kept out
	b.broker.Committed(b.published("order.paid", "yes", "e"))          //
	b.broker.Committed(b.published("order.received", "yes", "f", "g")) //
	list := b.take()
	b.expect("with other types", list, "a/1", "b/1", "e/1")
	for _, d := range list {
		b.broker.Handle(t.Context(), d)
	}
	if handled != 3 {
		t.Errorf("%d went to the new handler", handled)
	}
}
