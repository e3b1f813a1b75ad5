package broker_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"pipelined/engine/broker"
	"pipelined/engine/enginetest"
	"pipelined/internal/store"
)

// many are ids in order.
func many(prefix string, from, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s%05d", prefix, from+i))
	}
	return ids
}

// stands is how the subscription stands.
func (b *fixture) stands() broker.Status {
	b.Helper()
	for _, s := range b.broker.Status() {
		if s.Name == "s" {
			return s
		}
	}
	b.Fatal("there is no subscription")
	return broker.Status{}
}

// TestABacklogOfAnySizeTakesTheSameMemory: beyond what is kept in memory it lags, reads on
// when there is room, and each event comes once, in the order of the log.
func TestABacklogOfAnySizeTakesTheSameMemory(t *testing.T) {
	t.Parallel()
	const n = 9000
	b := newFixture(t, broker.Config{Concurrency: 1000})
	for i := 0; i < n; i += 1000 {
		b.publish("", many("e", i, 1000)...)
		if _, err := b.broker.Dispatch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := b.stands(); st.Ready > 4096+512 || st.Lag == 0 || int64(st.Ready)+st.Lag != n || b.broker.Backlog("s") != n {
		t.Errorf("%+v, %d wait", st, b.broker.Backlog("s"))
	}
	next, batch := 0, &store.Batch{}
	var out []*broker.Delivery
	for {
		if _, err := b.broker.Dispatch(t.Context()); err != nil {
			t.Fatal(err)
		}
		d := b.broker.Take()
		if d == nil {
			break
		}
		if want := fmt.Sprintf("e%05d", next); d.Event.ID != want {
			t.Fatalf("%s comes, want %s", d.Event.ID, want)
		}
		next++
		d.Settle(batch)
		out = append(out, d)
	}
	b.commit(batch)
	for _, d := range out {
		d.Committed()
	}
	if st := b.stands(); next != n || st.Ready+st.Running > 0 || st.Lag != 0 {
		t.Errorf("%d came, %+v", next, st)
	}
	b.restart()
	b.expect("afterwards", b.take())
}

// TestWhatIsTooMuchOfAGroupIsSetAside: of a tenant, or of a key, and nobody else's; it
// comes back in order, also in the next process. With both there are no groups, because
// some of a key could overtake the others.
func TestWhatIsTooMuchOfAGroupIsSetAside(t *testing.T) {
	t.Parallel()
	key := func(ev *store.StoredEvent) (string, error) { return ev.Key, nil }
	tests := map[string]struct {
		cfg   broker.Config
		aside bool
	}{
		"of a tenant":      {broker.Config{Tenant: key}, true},
		"of a key":         {broker.Config{OrderKey: key}, true},
		"of neither":       {broker.Config{}, false},
		"of both at once":  {broker.Config{Tenant: key, OrderKey: key}, false},
		"of an empty key":  {broker.Config{OrderKey: func(*store.StoredEvent) (string, error) { return "", nil }}, false},
		"of an empty name": {broker.Config{Tenant: func(*store.StoredEvent) (string, error) { return "", nil }}, true},
	}
	for name, tt := range tests {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart: %v", name, restart), func(t *testing.T) {
				t.Parallel()
				const n = 1500
				b := newFixture(t, tt.cfg)
				b.publish("loud", many("l", 0, n)...)
				b.publish("quiet", "q1", "q2")
				if _, err := b.broker.Dispatch(t.Context()); err != nil {
					t.Fatal(err)
				}
				if st := b.stands(); (st.Aside > n/4) != tt.aside || int64(st.Aside+st.Ready)+st.Lag != n+2 {
					t.Errorf("%+v", st)
				}
				if restart {
					b.restart()
				}
				last, came := map[string]string{}, 0
				for came < n+2 {
					list := b.take()
					if len(list) == 0 {
						t.Fatalf("%d came; %+v", came, b.stands())
					}
					batch := &store.Batch{}
					for _, d := range list {
						if d.Event.ID <= last[d.Event.Key] {
							t.Fatalf("%s comes after %s", d.Event.ID, last[d.Event.Key])
						}
						last[d.Event.Key] = d.Event.ID
						d.Settle(batch)
					}
					b.commit(batch)
					for _, d := range list {
						d.Committed()
					}
					came += len(list)
				}
				groups, err := b.store.ParkedGroups(t.Context(), "s", 0)
				if st := b.stands(); err != nil || len(groups) > 0 || st.Aside+st.Ready+st.Running > 0 {
					t.Errorf("left are %v, %v, %+v", groups, err, st)
				}
			})
		}
	}
}

// TestWhatCannotBeSetAsideIsTriedAgain, and nothing of it is lost or doubled.
func TestWhatCannotBeSetAsideIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{Tenant: func(*store.StoredEvent) (string, error) { return "one", nil }})
	s := &enginetest.Store{Store: b.store}
	var err error
	if b.broker, err = broker.New(t.Context(), s, b.clock, newID, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b.change(b.cfg)
	b.publish("", many("e", 0, 1500)...)
	s.Refuse(store.ErrUnavailable)
	if _, err := b.broker.Dispatch(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("it says %v", err)
	}
	seen := map[string]bool{}
	for list := b.take(); len(list) > 0; list = b.take() {
		for _, d := range list {
			if seen[d.Event.ID] {
				t.Fatalf("%s comes twice", d.Event.ID)
			}
			seen[d.Event.ID] = true
			b.settle(d)
		}
	}
	if len(seen) != 1500 {
		t.Errorf("%d came", len(seen))
	}
}
