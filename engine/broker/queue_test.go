package broker

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

func named(tenant, id string) *Delivery {
	return &Delivery{tenant: tenant, Event: store.StoredEvent{Event: pipelined.Event{ID: id}}}
}

// TestTenantsInTurn compares the queue with the plainest one there is: of each tenant the
// first in is the first out, and tenants come one after the other.
func TestTenantsInTurn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 5))
		var r ready
		plain := map[string][]string{}
		var turns []string
		has := func(tenant string) {
			if len(plain[tenant]) == 0 {
				turns = append(turns, tenant)
			}
		}
		for n := range 400 {
			tenant, id := fmt.Sprint(random.IntN(4)), fmt.Sprint(n)
			switch random.IntN(5) {
			case 0, 1:
				has(tenant)
				plain[tenant] = append(plain[tenant], id)
				r.push(named(tenant, id))
			case 2:
				has(tenant)
				plain[tenant] = append([]string{id}, plain[tenant]...)
				r.pushFront(named(tenant, id))
			case 3:
				if list := plain[tenant]; len(list) > 0 { // one out of the middle
					i := random.IntN(len(list))
					if !r.remove(r.queue[tenant].waiting()[i]) {
						t.Fatal("what is there cannot be taken out")
					}
					if plain[tenant] = slices.Delete(list, i, i+1); len(plain[tenant]) == 0 {
						turns = slices.DeleteFunc(turns, func(o string) bool { return o == tenant })
					}
				}
			default:
				d := r.pop()
				if len(turns) == 0 {
					if d != nil {
						t.Fatalf("%s comes out of nothing", d.Event.ID)
					}
					continue
				}
				next := turns[0]
				want := plain[next][0]
				plain[next] = plain[next][1:]
				if turns = turns[1:]; len(plain[next]) > 0 {
					turns = append(turns, next)
				}
				if d == nil || d.Event.ID != want || d.tenant != next {
					t.Fatalf("seed %d, step %d: %+v comes, want %s of %s", seed, n, d, want, next)
				}
			}
			size := 0
			for _, list := range plain {
				size += len(list)
			}
			if r.size != size || len(r.turns) != len(turns) || len(r.queue) != len(turns) {
				t.Fatalf("seed %d: %d are counted of %d, %d have turns of %d", seed, r.size, size, len(r.turns), len(turns))
			}
		}
	}
}

// TestWhatIsNotThereCannotBeTakenOut.
func TestWhatIsNotThereCannotBeTakenOut(t *testing.T) {
	t.Parallel()
	var r ready
	there, out := named("a", "1"), named("a", "2")
	r.push(there)
	if r.remove(out) || r.remove(named("b", "3")) || r.size != 1 {
		t.Error("something else is taken out")
	}
	if !r.remove(there) || r.remove(there) || r.size != 0 || r.pop() != nil {
		t.Error("it is taken out, and once")
	}
}

// TestAQueueReusesItsMemory: what has passed through it does not add up.
func TestAQueueReusesItsMemory(t *testing.T) {
	t.Parallel()
	q := &fifo{}
	for i := range 10 {
		q.push(named("", fmt.Sprint(i)))
	}
	for i := range 100_000 {
		q.push(named("", fmt.Sprint(i+10)))
		if d := q.pop(); d.Event.ID != fmt.Sprint(i) {
			t.Fatalf("%s comes as number %d", d.Event.ID, i)
		}
	}
	if n := cap(q.items); n > 1000 || q.len() != 10 {
		t.Errorf("%d places for %d", n, q.len())
	}
}

// TestWaitingIsByTime, and of the same time in the order of arrival.
func TestWaitingIsByTime(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	var h waitHeap
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 500 {
		heap.Push(&h, &waiting{due: at.Add(time.Duration(random.IntN(20)) * time.Second), n: n})
	}
	var before *waiting
	for h.Len() > 0 {
		w := heap.Pop(&h).(*waiting)
		if before != nil && (w.due.Before(before.due) || w.due.Equal(before.due) && w.n < before.n) {
			t.Fatalf("%s, %d comes after %s, %d", w.due, w.n, before.due, before.n)
		}
		before = w
	}
}

// TestADeliverysNameOutlivesARestart: the number of its event, or that of its row where it
// waited.
func TestADeliverysNameOutlivesARestart(t *testing.T) {
	t.Parallel()
	fresh, waited := &Delivery{Event: store.StoredEvent{Seq: 7}}, &Delivery{Event: store.StoredEvent{Seq: 7}, deferredID: "9"}
	if fresh.ID() != "7" || waited.ID() != "d9" || strings.HasPrefix(fresh.ID(), "d") {
		t.Errorf("%s, %s", fresh.ID(), waited.ID())
	}
}
