package broker_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/broker"
	"pipelined/internal/store"
)

// TestWhatMayHaveBeenOut: as many of each tenant as could run at a time, and beside them
// those that waited for a retry which is due.
func TestWhatMayHaveBeenOut(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{Tenant: func(ev *store.StoredEvent) (string, error) { return ev.Key, nil }})
	b.publish("a", "a1", "a2", "a3", "a4")
	b.publish("b", "b1")
	for _, d := range b.take()[:2] { // a1 and b1 come again
		batch := &store.Batch{}
		d.Postpone(batch, b.clock.Now().Add(time.Second), "{}")
		b.commit(batch)
		d.Committed()
	}
	b.clock.Advance(time.Minute)
	b.cfg.Concurrency = 2
	b.restart()
	if _, err := b.broker.Dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range b.broker.Out() {
		got = append(got, fmt.Sprintf("%s/%d", d.Event.ID, d.Attempt))
	}
	slices.Sort(got)
	if want := "[a1/2 a2/1 a3/1 b1/2]"; fmt.Sprint(got) != want {
		t.Errorf("out are %v, want %s", got, want)
	}
}

// TestWhatIsHandedOutAloneIsNotHandedOutAgain, and knows how often the process died of it.
func TestWhatIsHandedOutAloneIsNotHandedOutAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	b.publish("", "1", "2", "3")
	if _, err := b.broker.Dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := b.broker.Out()
	if len(out) != 3 || !b.broker.HandOut(out[1], 4) || out[1].Crashes() != 4 || out[0].Crashes() != 0 {
		t.Fatalf("%d are out", len(out))
	}
	if b.broker.HandOut(out[1], 5) {
		t.Error("it is handed out twice")
	}
	if st := b.stands(); st.Running != 1 || st.Ready != 2 {
		t.Errorf("%+v", st)
	}
	b.expect("the others", b.take(), "1/1", "3/1")
	b.settle(out[1])
	b.change()
	if b.broker.HandOut(out[0], 1) {
		t.Error("what is closed is handed out")
	}
}

// TestARefusedDeliveryWaitsLongerEachTime, up to ten seconds.
func TestARefusedDeliveryWaitsLongerEachTime(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	b.publish("", "a")
	d := b.take()[0]
	for _, wait := range []time.Duration{250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000} {
		d.Refused()
		b.clock.Advance(wait*time.Millisecond - 1)
		b.expect(fmt.Sprint("before ", wait), b.take())
		b.clock.Advance(1)
		list := b.take()
		b.expect(fmt.Sprint("after ", wait), list, "a/1")
		d = list[0]
	}
}

// TestDelayedEventsEnterTheLogAtTheirTime; Dispatch says when the next one is due, and
// does not ask the store as long as nothing changes.
func TestDelayedEventsEnterTheLogAtTheirTime(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	at := b.clock.Now()
	delay := func(id string, d time.Duration) {
		batch := &store.Batch{Delayed: []store.DelayedEvent{{Due: at.Add(d),
			Event: &pipelined.Event{ID: id, Type: "order.received", Time: at, Data: "{}", Attempt: 1}}}}
		b.broker.Committed(batch, b.commit(batch))
	}
	next := func() time.Duration {
		t.Helper()
		due, err := b.broker.Dispatch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if due.IsZero() {
			return 0
		}
		return due.Sub(at)
	}
	if d := next(); d != 0 {
		t.Errorf("with none the next is due in %s", d)
	}
	delay("hour", time.Hour)
	delay("minute", time.Minute)
	if d := next(); d != time.Minute {
		t.Errorf("the next is due in %s", d)
	}
	b.clock.Advance(time.Minute)
	b.expect("after a minute", b.take(), "minute/1")
	if d := next(); d != time.Hour {
		t.Errorf("then the next is due in %s", d)
	}
	b.restart()
	b.clock.Advance(2 * time.Hour)
	list := b.take()
	b.expect("in the next process", list, "minute/1", "hour/1")
	if d := next(); d != 0 {
		t.Errorf("at last the next is due in %s", d)
	}
}

// TestAnEventForOnePipelineAlone reaches no other.
func TestAnEventForOnePipelineAlone(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{From: -1})
	b.change(b.cfg, b.named("other"))
	batch := &store.Batch{Events: []*pipelined.Event{{ID: "a", Type: "order.received", Time: b.clock.Now(), Data: "{}", Attempt: 1,
		Headers: map[string]string{pipelined.ToHeader: "other"}}}}
	b.broker.Committed(batch, b.commit(batch))
	list := b.take()
	b.expect("of two", list, "a/1")
	if list[0].Subscription() != "other" {
		t.Errorf("it went to %s", list[0].Subscription())
	}
}

// TestExpressionsOfASubscription: an event that where keeps out is told of and done with;
// one that an expression fails on is delivered as a failure.
func TestExpressionsOfASubscription(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such field")
	filtered := 0
	fails := func(ev *store.StoredEvent) (string, error) {
		if ev.Key == "order" {
			return "", broken
		}
		return "", nil
	}
	b := newFixture(t, broker.Config{
		Where: func(ev *store.StoredEvent) (bool, error) {
			if ev.Key == "where" {
				return false, broken
			}
			return ev.Key != "out", nil
		}, OrderKey: fails,
		Filtered: func(*store.StoredEvent) { filtered++ },
	})
	for _, key := range []string{"in", "out", "where", "order"} {
		b.publish(key, key)
	}
	list := b.take()
	b.expect("all but what is kept out", list, "in/1", "where/1", "order/1")
	for _, d := range list {
		if (d.Problem != nil) != (d.Event.ID != "in") {
			t.Errorf("%s: %v", d.Event.ID, d.Problem)
		}
		b.settle(d)
	}
	if filtered != 1 {
		t.Errorf("%d are told as kept out", filtered)
	}
	b.restart()
	b.expect("afterwards", b.take())
}
