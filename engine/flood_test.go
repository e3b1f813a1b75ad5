package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"pipelined"
	"pipelined/internal/store"
)

// flood publishes n events of a tenant, with keys of its own.
func (h *harness) flood(tenant string, from, n int) {
	h.t.Helper()
	for i := from; i < from+n; i += 500 {
		b := &store.Batch{}
		for k := i; k < min(i+500, from+n); k++ {
			b.Events = append(b.Events, &pipelined.Event{ID: fmt.Sprintf("%s-%06d", tenant, k), Type: "go", Time: epoch, Key: tenant,
				Data: fmt.Sprintf(`{"tenant":%q,"n":%d}`, tenant, k), Attempt: 1})
		}
		if _, err := h.engine.Commit(h.t.Context(), b); err != nil {
			h.t.Fatal(err)
		}
	}
}

const tenants = `pipeline: work
trigger: { event: { types: [go], concurrency: 1, %s } }
steps:
  - name: lane
    object_store.get: { collection: lanes, id: "${{ input.tenant }}" }
  - when: input.n <= (steps.lane.last ?? -1)
    fail: { type: flood/order, title: Out of order or twice, status: 500 }
  - object_store.put: { collection: lanes, id: "${{ input.tenant }}", document: { last: "${{ input.n }}", count: "${{ (steps.lane.count ?? 0) + 1 }}" } }
`

// TestAFloodTakesNobodyElsesTurn has one tenant, or one key, publish far more than
// waits in memory, and then another one little: it is served at its turn. A crash in
// the middle loses and doubles nothing, and the order stays.
func TestAFloodTakesNobodyElsesTurn(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"fair_by: input.tenant", "order_by: input.tenant"} {
		t.Run(strings.Split(by, ":")[0], func(t *testing.T) {
			t.Parallel()
			const n = 9000
			h := start(t, fmt.Sprintf(tenants, by))
			h.flood("loud", 0, n)
			if err := h.dispatch(); err != nil {
				t.Fatal(err)
			}
			h.flood("quiet", 0, 3)
			if err := h.dispatch(); err != nil {
				t.Fatal(err)
			}
			st := h.engine.View().Subscriptions[0]
			if st.Aside < n/2 || st.Ready > 2000 || st.Lag > 0 {
				t.Errorf("%+v", st)
			}
			lanes := func() (loud, quiet float64) {
				for _, d := range h.docs("lanes") {
					if d["_id"] == "loud" {
						loud = d["count"].(float64)
					} else {
						quiet = d["count"].(float64)
					}
				}
				return loud, quiet
			}
			ran := h.some(1500)
			if loud, quiet := lanes(); quiet != 3 || loud != float64(ran-3) {
				t.Errorf("after %d runs: loud %v, quiet %v", ran, loud, quiet)
			}
			h.crash()
			h.flood("loud", n, 100)
			if ran = h.some(500); ran == 0 {
				t.Error("nothing runs after a crash")
			}
			h.restart()
			h.settle()
			if loud, quiet := lanes(); loud != n+100 || quiet != 3 {
				t.Errorf("at the end: loud %v, quiet %v", loud, quiet)
			}
			h.noDeadLetters()
			if st := h.engine.View().Subscriptions[0]; st.Aside+st.Ready+st.Running > 0 {
				t.Errorf("%+v", st)
			}
			groups, err := h.store.ParkedGroups(t.Context(), "work", 0)
			if err != nil || len(groups) > 0 {
				t.Errorf("left aside: %v, %v", groups, err)
			}
		})
	}
}

// some runs at most n deliveries.
func (h *harness) some(n int) int {
	h.t.Helper()
	ran, err := h.engine.RunSome(h.t.Context(), n)
	if err != nil {
		h.t.Fatal(err)
	}
	return ran
}
