package broker_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pipelined/engine/broker"
	"pipelined/internal/store"
)

// TestOwed holds what is owed, after every step of any history, to a model that knows
// which numbers have ended: whatever is published, taken, settled, put off, refused, set
// aside, and whenever the process ends.
func TestOwed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			cfg := broker.Config{Owed: true, Concurrency: 4}
			if seed%3 == 1 {
				cfg.OrderKey = func(ev *store.StoredEvent) (string, error) { return ev.Key, nil }
			}
			if seed%3 == 2 {
				cfg.Tenant = func(ev *store.StoredEvent) (string, error) { return ev.Key, nil }
			}
			b := newFixture(t, cfg)
			owed := map[int64]bool{} // of the numbers of orders; others never are
			last := int64(0)
			var out []*broker.Delivery
			for step := range 120 {
				switch n := r.IntN(20); {
				case n < 7: // some of another type between them, some that nobody tells of
					typ := "order.received"
					if r.IntN(4) == 0 {
						typ = "invoice.sent"
					}
					batch, res := b.published(typ, fmt.Sprint("k", r.IntN(3)), fmt.Sprint("a", step), fmt.Sprint("b", step))
					for _, seq := range res.Seqs {
						owed[seq], last = typ == "order.received", seq
					}
					b.broker.Committed(batch, res)
				case n < 11:
					out = append(out, b.take()...)
				case n < 17 && len(out) > 0:
					at := r.IntN(len(out))
					d := out[at]
					out = append(out[:at], out[at+1:]...)
					batch := &store.Batch{}
					switch r.IntN(4) {
					case 0:
						d.Postpone(batch, b.clock.Now().Add(time.Minute), "")
						b.commit(batch)
						d.Committed()
					case 1:
						d.Refused()
					default:
						d.Settle(batch)
						b.commit(batch)
						d.Committed()
						owed[d.Event.Seq] = false
					}
				case n == 17:
					b.clock.Advance(time.Minute)
				case n == 18:
					b.restart()
					out = nil
				}
				if _, err := b.broker.Dispatch(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := b.broker.Owed("s")
				for from := int64(1); from <= last; from++ {
					to := min(last, from+int64(r.IntN(3)))
					want := false
					for n := from; n <= to; n++ {
						want = want || owed[n]
					}
					if got.Any(from, to) != want {
						t.Fatalf("step %d: of %d to %d it says %v", step, from, to, !want)
					}
				}
			}
		})
	}
}

// TestWhatIsNotLookedAtIsOwed: before the first dispatch, what the process before was
// done with is not owed, and all else is.
func TestWhatIsNotLookedAtIsOwed(t *testing.T) {
	t.Parallel()
	b := newFixture(t, broker.Config{Owed: true})
	b.publish("", "a", "b", "c", "d")
	list := b.take()
	b.settle(list[0])
	b.settle(list[2])
	b.restart()
	o := b.broker.Owed("s")
	for n, want := range map[int64]bool{1: false, 2: true, 3: false, 4: true} {
		if o.Any(n, n) != want {
			t.Errorf("of %d it says %v", n, !want)
		}
	}
	if !b.broker.Owed("nobody").Any(1, 1) {
		t.Error("what nobody takes is not owed")
	}
}
