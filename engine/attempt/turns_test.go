package attempt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func docs(ids ...string) (out []document) {
	for _, id := range ids {
		out = append(out, document{collection: "c", id: id})
	}
	return out
}

// TestTurnsArePerDocument: who has another document's turn keeps nobody waiting, and a
// document is one whether its version or a unique value was in the way.
func TestTurnsArePerDocument(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		held, wants []document
		waits       bool
	}{
		{"the same document", docs("a"), docs("a"), true},
		{"another document", docs("a"), docs("b"), false},
		{"one of several", docs("a", "b"), docs("c", "b"), true},
		{"none of several", docs("a", "b"), docs("c", "d"), false},
		{"the same id in another collection", docs("a"), []document{{"other", "a", false}}, false},
		{"the same one, by a unique value", docs("a"), []document{{"c", "a", true}}, true},
		{"nothing", docs("a"), nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var turns turns
				free := turns.take(t.Context(), tt.held)
				var got atomic.Bool
				go func() {
					turns.take(t.Context(), tt.wants)()
					got.Store(true)
				}()
				synctest.Wait()
				if got.Load() == tt.waits {
					t.Errorf("it waits: %v", !got.Load())
				}
				free()
				synctest.Wait()
				if !got.Load() || len(turns.taken) > 0 {
					t.Errorf("its turn came: %v; %d turns are left over", got.Load(), len(turns.taken))
				}
			})
		})
	}
}

// TestTurnsComeInOrder: who waits first is first.
func TestTurnsComeInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		free := turns.take(t.Context(), docs("a"))
		var order []int
		for i := range 20 {
			go func() {
				defer turns.take(t.Context(), docs("a"))()
				order = append(order, i) // one at a time, or the race detector says so
			}()
			synctest.Wait()
		}
		free()
		synctest.Wait()
		if len(order) != 20 || !slices.IsSorted(order) {
			t.Errorf("they came in the order %v", order)
		}
	})
}

// TestNobodyWaitsForEachOther: whatever documents they meet at, and in whatever order they
// met them, all get their turns, and no two have the same one at a time.
func TestNobodyWaitsForEachOther(t *testing.T) {
	t.Parallel()
	lists := map[string]func(r *rand.Rand) []document{
		"two, the one and the other way round": func(r *rand.Rand) []document {
			if r.IntN(2) == 0 {
				return docs("a", "b")
			}
			return docs("b", "a")
		},
		"in a ring": func(r *rand.Rand) []document {
			n := r.IntN(5)
			return docs(fmt.Sprint(n), fmt.Sprint((n+1)%5))
		},
		"any, some twice": func(r *rand.Rand) (out []document) {
			for range 1 + r.IntN(4) {
				out = append(out, document{"c", fmt.Sprint(r.IntN(4)), r.IntN(2) == 0})
			}
			return out
		},
	}
	for name, list := range lists {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var turns turns
				var mu sync.Mutex
				has := map[string]bool{}
				for worker := range uint64(16) {
					go func() {
						r := rand.New(rand.NewPCG(worker, 7))
						for range 50 {
							wanted := list(r)
							free := turns.take(t.Context(), wanted)
							mark(t, &mu, has, wanted, true)
							mark(t, &mu, has, wanted, false)
							free()
						}
					}()
				}
				synctest.Wait() // a deadlock would end the test here
				if len(turns.taken) > 0 {
					t.Errorf("%d turns are left over", len(turns.taken))
				}
			})
		})
	}
}

func mark(t *testing.T, mu *sync.Mutex, has map[string]bool, list []document, on bool) {
	mu.Lock()
	defer mu.Unlock()
	ids := map[string]bool{}
	for _, d := range list {
		ids[d.id] = true
	}
	for id := range ids {
		if has[id] == on {
			t.Errorf("two have the turn of %s", id)
		}
		has[id] = on
	}
}

// TestWhoGivesUpHoldsNoTurn: when its time is over it goes on without, and gives back the
// ones it got.
func TestWhoGivesUpHoldsNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		free := turns.take(t.Context(), docs("b"))
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan func(), 1)
		go func() { got <- turns.take(ctx, docs("c", "b", "a")) }()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("it does not wait")
		default:
		}
		cancel()
		(<-got)() // it has a, and not b or c
		turns.take(t.Context(), docs("a", "c"))()
		free()
		turns.take(t.Context(), docs("a", "b", "c"))()
		if len(turns.taken) > 0 {
			t.Errorf("%d turns are left over", len(turns.taken))
		}
	})
}
