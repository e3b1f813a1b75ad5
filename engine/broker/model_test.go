package broker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pipelined/engine/broker"
	"pipelined/internal/store"
)

// model is what a broker is compared with: which events are yet to come, and of which key.
type model struct {
	*fixture
	random *rand.Rand
	open   map[string]int // events not done, with the attempt to come
	keys   map[string][]string
	out    []*broker.Delivery
	late   []func() // commits that the broker is told of later
	n      int
	wanted bool
}

// TestAnyHistory publishes, takes, ends deliveries in every way, reloads, closes, opens
// and restarts at random: each event is done exactly once, attempts only grow, and the
// order of a key holds.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	settings := map[string]broker.Config{
		"no order":         {},
		"by key":           {OrderKey: func(e *store.StoredEvent) (string, error) { return e.Key, nil }},
		"by key, one":      {OrderKey: func(e *store.StoredEvent) (string, error) { return e.Key, nil }, Concurrency: 1},
		"by key, skipping": {OrderKey: func(e *store.StoredEvent) (string, error) { return e.Key, nil }, Skip: true},
		"fair":             {Tenant: func(e *store.StoredEvent) (string, error) { return e.Key, nil }},
	}
	for name, cfg := range settings {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(name, ", ", seed), func(t *testing.T) {
				t.Parallel()
				concurrency := cfg.Concurrency
				b := newFixture(t, cfg)
				b.cfg.Concurrency = max(concurrency, 1) * 4
				if concurrency == 1 {
					b.cfg.Concurrency = 1
				}
				m := &model{fixture: b, random: rand.New(rand.NewPCG(seed, 3)), open: map[string]int{}, keys: map[string][]string{}, wanted: true}
				m.restart()
				for range 250 {
					m.step()
				}
				m.finish()
			})
		}
	}
}

// step does one thing at random.
func (m *model) step() {
	m.Helper()
	switch r := m.random.IntN(20); {
	case r < 6:
		m.publishSome()
	case r < 11:
		m.takeSome()
	case r < 17:
		if len(m.out) > 0 {
			m.end(m.random.IntN(len(m.out)))
		}
	case r < 18:
		m.tell()
		m.clock.Advance(time.Duration(m.random.IntN(2000)) * time.Millisecond)
	case r < 19:
		m.wanted = !m.wanted
		m.use()
	default:
		m.use() // a reload that changes nothing of it
		if m.random.IntN(3) == 0 {
			m.out = nil // they come again
			m.wanted = true
			m.restart()
		}
	}
}

// use puts the subscription in place, or takes it away.
func (m *model) use() {
	m.Helper()
	var wanted []broker.Config
	if m.wanted {
		wanted = []broker.Config{m.cfg}
	}
	change, err := m.broker.Prepare(m.Context(), wanted)
	if err != nil {
		m.Fatal(err)
	}
	change.Use()
}

func (m *model) publishSome() {
	m.Helper()
	key := string(rune('a' + m.random.IntN(3)))
	var ids []string
	for range 1 + m.random.IntN(3) {
		m.n++
		ids = append(ids, fmt.Sprintf("%s%04d", key, m.n))
	}
	for _, id := range ids {
		m.open[id] = 1
	}
	m.keys[key] = append(m.keys[key], ids...)
	batch, res := m.published("order.received", key, ids...)
	if m.random.IntN(5) == 0 {
		m.late = append(m.late, func() { m.broker.Committed(batch, res) })
	} else {
		m.broker.Committed(batch, res)
	}
	if m.random.IntN(4) == 0 {
		m.broker.Committed(m.published("other", "", fmt.Sprint("o", m.n)))
	}
}

// tell tells the broker of the commits it was not told of, the last one first.
func (m *model) tell() {
	slices.Reverse(m.late)
	for _, told := range m.late {
		told()
	}
	m.late = nil
}

func (m *model) takeSome() {
	m.Helper()
	if _, err := m.broker.Dispatch(m.Context()); err != nil {
		m.Fatal(err)
	}
	for range 1 + m.random.IntN(3) {
		d := m.broker.Take()
		if d == nil {
			return
		}
		if !m.wanted {
			m.Fatal("what is not wanted is handed out")
		}
		m.check(d)
		m.out = append(m.out, d)
	}
}

// check compares a delivery with what is to come.
func (m *model) check(d *broker.Delivery) {
	m.Helper()
	id := d.Event.ID
	if attempt, ok := m.open[id]; !ok || attempt != d.Attempt {
		m.Fatalf("%s comes as attempt %d; to come is %d, %v", id, d.Attempt, attempt, ok)
	}
	for _, o := range m.out {
		if o.Event.ID == id {
			m.Fatalf("%s is out twice", id)
		}
		if m.cfg.OrderKey != nil && o.Event.Key == d.Event.Key {
			m.Fatalf("%s and %s of one key are out", o.Event.ID, id)
		}
	}
	if m.cfg.Concurrency == 1 && len(m.out) > 0 {
		m.Fatalf("%s is out beside another", id)
	}
	if m.cfg.OrderKey == nil || m.cfg.Skip {
		return
	}
	for _, before := range m.keys[d.Event.Key] {
		if before == id {
			return
		}
		if _, open := m.open[before]; open {
			m.Fatalf("%s comes before %s", id, before)
		}
	}
}

// end ends the delivery that is out at i, in one of the ways there are.
func (m *model) end(i int) {
	m.Helper()
	d := m.out[i]
	m.out = slices.Delete(m.out, i, i+1)
	batch := &store.Batch{}
	switch m.random.IntN(8) {
	case 0:
		d.Refused()
	case 1:
		d.Abandon()
	case 2:
		d.Postpone(batch, m.clock.Now().Add(time.Second), "{}")
		m.commit(batch)
		d.Committed()
		m.open[d.Event.ID]++
	case 3:
		d.Postpone(batch, m.clock.Now().Add(time.Second), "{}") // and that is refused
		d.Refused()
	default:
		d.Settle(batch)
		m.commit(batch)
		d.Committed()
		delete(m.open, d.Event.ID)
	}
}

// finish ends all that is left, and looks whether anything comes after it.
func (m *model) finish() {
	m.Helper()
	m.tell()
	m.wanted = true
	m.use()
	for tries := 0; len(m.open) > 0; tries++ {
		if tries > 2000 {
			m.Fatalf("%v never come; %+v", m.open, m.broker.Status())
		}
		for _, d := range m.out {
			batch := &store.Batch{}
			d.Settle(batch)
			m.commit(batch)
			d.Committed()
			delete(m.open, d.Event.ID)
		}
		m.out = nil
		m.clock.Advance(10 * time.Second)
		m.takeSome()
	}
	m.restart()
	m.expect("after all is done", m.take())
	if st := m.broker.Status(); len(st) != 1 || st[0].Ready+st[0].Running+st[0].Waiting+st[0].Aside > 0 || strings.TrimSpace(st[0].Name) != "s" {
		m.Errorf("%+v", st)
	}
}
