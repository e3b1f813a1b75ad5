package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"pipelined"
	"pipelined/engine/broker"
	"pipelined/engine/enginetest"
	"pipelined/internal/clock"
	"pipelined/internal/store"
)

// fixture is a broker on a store of its own, whose deliveries the test takes itself.
type fixture struct {
	*testing.T
	clock  *clock.Fake
	store  store.Store
	broker *broker.Broker
	cfg    broker.Config
}

func newFixture(t *testing.T, cfg broker.Config) *fixture {
	t.Helper()
	b := &fixture{T: t, clock: clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), cfg: cfg}
	b.store = enginetest.NewDisk(t).Open(b.clock)
	t.Cleanup(func() { b.store.Close() })
	b.cfg.Name, b.cfg.Matches = "s", func(typ string) bool { return strings.HasPrefix(typ, "order.") }
	b.cfg.Handle = func(context.Context, *broker.Delivery) { t.Error("nothing runs by itself") }
	b.cfg.Concurrency = max(b.cfg.Concurrency, 8)
	b.restart()
	return b
}

// newID makes the ids of deliveries that wait.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// restart begins again with what is in the store, as the next process would.
func (b *fixture) restart() {
	b.Helper()
	var err error
	if b.broker, err = broker.New(b.Context(), b.store, b.clock, newID, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	change, err := b.broker.Prepare(b.Context(), []broker.Config{b.cfg})
	if err != nil {
		b.Fatal(err)
	}
	change.Use()
}

// commit makes a batch durable without telling the broker.
func (b *fixture) commit(batch *store.Batch) store.Result {
	b.Helper()
	r, err := b.store.Commit(b.Context(), batch)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// published is a batch of events of a key, committed.
func (b *fixture) published(typ, key string, ids ...string) (*store.Batch, store.Result) {
	b.Helper()
	batch := &store.Batch{}
	for _, id := range ids {
		batch.Events = append(batch.Events, &pipelined.Event{ID: id, Type: typ, Key: key, Time: b.clock.Now(), Data: "{}", Attempt: 1})
	}
	return batch, b.commit(batch)
}

// publish commits events and tells the broker.
func (b *fixture) publish(key string, ids ...string) {
	b.Helper()
	b.broker.Committed(b.published("order.received", key, ids...))
}

// take brings the broker up to date and takes all there is.
func (b *fixture) take() (list []*broker.Delivery) {
	b.Helper()
	if _, err := b.broker.Dispatch(b.Context()); err != nil {
		b.Fatal(err)
	}
	for d := b.broker.Take(); d != nil; d = b.broker.Take() {
		list = append(list, d)
	}
	return list
}

// settle commits that a delivery is done.
func (b *fixture) settle(d *broker.Delivery) {
	b.Helper()
	batch := &store.Batch{}
	d.Settle(batch)
	b.commit(batch)
	d.Committed()
}

func (b *fixture) expect(what string, list []*broker.Delivery, want ...string) {
	b.Helper()
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprintf("%s/%d", d.Event.ID, d.Attempt))
	}
	if !slices.Equal(got, want) {
		b.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func TestCommitsAreToldOfInAnyOrder(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	first, firstResult := b.published("order.received", "", "a", "b")
	second, secondResult := b.published("order.received", "", "c")
	b.broker.Committed(second, secondResult)
	// The log knows what the first commit has not told of yet.
	b.expect("the second alone", b.take(), "a/1", "b/1", "c/1")
	b.broker.Committed(first, firstResult)
	b.expect("the first told late", b.take())
	b.broker.Committed(b.published("invoice.sent", "", "d"))
	b.expect("of another type", b.take())
}

func TestWhatIsNotSettledComesAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	b.publish("", "a", "b", "c")
	list := b.take()
	b.expect("at first", list, "a/1", "b/1", "c/1")
	b.settle(list[1])
	b.restart()
	list = b.take()
	b.expect("after a restart", list, "a/1", "c/1")
	b.settle(list[0])
	b.settle(list[1])
	b.restart()
	b.expect("after all are settled", b.take())
}

func TestOneOfAKeyAtATime(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{OrderKey: func(e *store.StoredEvent) (string, error) { return e.Key, nil }})
	b.publish("k", "k1", "k2", "k3")
	b.publish("l", "l1")
	list := b.take()
	b.expect("one of each", list, "k1/1", "l1/1")
	list[0].Refused()
	b.expect("a refused one keeps its key closed", b.take())
	b.clock.Advance(time.Second)
	list = b.take()
	b.expect("and comes again, the same attempt", list, "k1/1")
	b.settle(list[0])
	list = b.take()
	b.expect("the next of the key", list, "k2/1")
	list[0].Abandon()
	b.expect("an abandoned one is where it was", b.take(), "k2/1")
}

func TestAPostponedDeliverySurvivesARestart(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{OrderKey: func(e *store.StoredEvent) (string, error) { return e.Key, nil }})
	b.publish("k", "k1", "k2")
	d := b.take()[0]
	batch := &store.Batch{}
	d.Postpone(batch, b.clock.Now().Add(time.Minute), `{"type":"x"}`)
	b.commit(batch)
	d.Committed()
	b.expect("its key waits with it", b.take())
	b.restart()
	b.expect("also after a restart", b.take())
	b.clock.Advance(time.Minute)
	list := b.take()
	b.expect("when it is due", list, "k1/2")
	b.settle(list[0])
	b.expect("then the one behind it", b.take(), "k2/1")
}

// While a project drains, its last executions go on publishing. Nothing is handed out
// any more, so nothing may be kept either; the log has it.
func TestNothingIsKeptWhileDraining(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	intake, stop := context.WithCancel(t.Context())
	stop()
	if err := b.broker.Run(intake, t.Context()); err != nil {
		t.Fatal(err)
	}
	b.publish("", "a", "b")
	if n := b.broker.Pending(); n != 0 {
		t.Errorf("%d events are kept", n)
	}
	b.restart()
	b.expect("at the next start", b.take(), "a/1", "b/1")
}

// failing is a store whose next commits fail.
type failing struct {
	store.Store
	errs []error
}

func (f *failing) Commit(ctx context.Context, b *store.Batch) (store.Result, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		if f.errs = f.errs[1:]; err != nil {
			return store.Result{}, err
		}
	}
	return f.Store.Commit(ctx, b)
}

// TestCatchingUp moves an idle subscription to the end of the log, though the first
// try fails: no number is left out.
func TestCatchingUp(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{})
	s := &failing{Store: b.store, errs: []error{store.ErrUnavailable}}
	var err error
	if b.broker, err = broker.New(t.Context(), s, b.clock, newID, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	change, err := b.broker.Prepare(t.Context(), []broker.Config{b.cfg})
	if err != nil {
		t.Fatal(err)
	}
	change.Use()
	elsewhere := func() {
		b.broker.Committed(b.published("other", "", "x", "y"))
		b.take()
	}
	elsewhere()
	if err := b.broker.CatchUp(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	elsewhere()
	if err := b.broker.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := b.store.Subscriptions(t.Context())
	if err != nil || len(list) != 1 || list[0].Floor != 4 {
		t.Errorf("%+v, %v", list, err)
	}
	if owed, err := b.store.Unsubscribe(t.Context(), "s"); err != nil || !owed.Nothing() {
		t.Fatalf("%+v, %v", owed, err)
	}
	elsewhere()
	if err := b.broker.CatchUp(t.Context()); err != nil {
		t.Errorf("of a subscription that is gone: %v", err)
	}
}

// TestATakenDeliveryEnds drops a delivery that somebody else acknowledged, and goes on
// with the next of its key.
func TestATakenDeliveryEnds(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{OrderKey: func(ev *store.StoredEvent) (string, error) { return ev.Key, nil }})
	b.publish("k", "1", "2")
	first := b.take()
	b.expect("of one key", first, "1/1")
	batch, again := &store.Batch{}, &store.Batch{}
	first[0].Settle(batch)
	first[0].Postpone(again, b.clock.Now(), "{}")
	b.commit(batch)
	if _, err := b.store.Commit(t.Context(), again); !errors.Is(err, store.ErrTaken) {
		t.Fatalf("acknowledged twice: %v", err)
	}
	first[0].Taken()
	b.clock.Advance(time.Hour)
	b.expect("the next of its key", b.take(), "2/1")
}
