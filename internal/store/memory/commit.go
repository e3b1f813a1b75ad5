package memory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// transaction applies one batch. Each change says how it is undone.
type transaction struct {
	*state
	now    time.Time
	unique map[string][]string // the paths of each collection
	undo   []func()
}

func (t *transaction) undone(f func()) { t.undo = append(t.undo, f) }

func (t *transaction) rollback() {
	for _, f := range slices.Backward(t.undo) {
		f()
	}
}

// set changes an entry of a map.
func set[K comparable, V any](t *transaction, m map[K]V, k K, v V) {
	restore(t, m, k)
	m[k] = v
}

// drop removes an entry of a map.
func drop[K comparable, V any](t *transaction, m map[K]V, k K) {
	restore(t, m, k)
	delete(m, k)
}

func restore[K comparable, V any](t *transaction, m map[K]V, k K) {
	before, was := m[k]
	t.undone(func() {
		if delete(m, k); was {
			m[k] = before
		}
	})
}

// commit applies everything: what may be refused first, what somebody else may have taken
// before what a rerun may mend.
func (t *transaction) commit(b *store.Batch) (r store.Result, err error) {
	if err := errors.Join(b.Check(t.now), store.CheckPlaces(b, t.leased)); err != nil {
		return r, err
	}
	if err := t.waiting(b); err != nil {
		return r, err
	}
	if err := t.prove(b); err != nil {
		return r, err
	}
	for _, m := range b.Meta {
		if m.IfValue != nil && t.meta[m.Key] != *m.IfValue {
			return r, fmt.Errorf("%s is not what was expected: %w", m.Key, store.ErrTaken)
		}
	}
	for i := range b.Documents {
		version, err := t.document(&b.Documents[i])
		if err != nil {
			return r, err
		}
		r.Versions = append(r.Versions, version)
	}
	t.effects(b, &r)
	return r, nil
}

// partition is the only one of a subscription.
const partition = 0

func (s *state) leased(name string, p int, epoch int64) (*subscription, error) {
	sub := s.subs[name]
	if sub == nil || p != partition || sub.holder == nil || sub.epoch != epoch {
		return nil, fmt.Errorf("partition %d of %s is not held at epoch %d: %w", p, name, epoch, store.ErrTaken)
	}
	return sub, nil
}

// waiting takes away what a batch is done with of what waits.
func (t *transaction) waiting(b *store.Batch) error {
	for _, id := range b.Release {
		if _, there := t.deferred[id]; !there {
			return fmt.Errorf("deferred delivery %s is gone: %w", id, store.ErrTaken)
		}
		drop(t, t.deferred, id)
	}
	for _, p := range b.Unpark {
		if !t.parked[p] {
			return fmt.Errorf("event %d is not set aside any more: %w", p.Seq, store.ErrTaken)
		}
		drop(t, t.parked, p)
	}
	return nil
}

// prove does what a batch wants of the claims it holds.
func (t *transaction) prove(b *store.Batch) error {
	values := slices.Clone(b.Values)
	for _, c := range b.Cursors {
		values = append(values, store.ClaimValue{Claim: c.Claim(), Value: c.Value})
	}
	for _, v := range values {
		if err := t.held(v.Claim, func(c *claim) { c.Value = v.Value }); err != nil {
			return err
		}
	}
	for _, p := range b.Claims {
		if err := t.held(p, func(c *claim) { c.done = t.now }); err != nil {
			return err
		}
	}
	for _, d := range b.Drop {
		if err := t.held(d, func(*claim) {}); err != nil {
			return err
		}
		drop(t, t.claims, [2]string{d.Kind, d.Key})
	}
	return nil
}

// held changes a claim that is held.
func (t *transaction) held(c store.Claim, change func(*claim)) error {
	k := [2]string{c.Kind, c.Key}
	is := t.claims[k]
	if is == nil || is.Epoch != c.Epoch || !is.done.IsZero() {
		return fmt.Errorf("%s is not held at epoch %d: %w", c, c.Epoch, store.ErrTaken)
	}
	next := *is
	change(&next)
	set(t, t.claims, k, &next)
	return nil
}

// effects applies what cannot be refused.
func (t *transaction) effects(b *store.Batch, r *store.Result) {
	r.Seqs = t.append(b.Events, t.now)
	for _, d := range b.Delayed {
		added := t.fresh(d.Event, t.now)
		r.Delayed = append(r.Delayed, added)
		if added {
			t.delay++
			t.delayed[t.delay] = store.DelayedEvent{Event: kept(d.Event), Due: micro(d.Due)}
		}
	}
	for _, d := range b.Defer {
		if _, there := t.deferred[d.ID]; !there {
			d.Due, d.Event.Event, d.Event.AppendedAt = micro(d.Due), *kept(&d.Event.Event), time.Time{}
			t.deferred[d.ID] = d
		}
	}
	for _, p := range b.Park {
		t.parked[p] = true
	}
	for _, x := range b.Executions {
		t.executions[x.ID] = x
	}
	for _, m := range b.Meta {
		if t.meta[m.Key] = m.Value; m.Value == "" {
			delete(t.meta, m.Key)
		}
	}
	for _, a := range b.Acks {
		from := a.From
		if from <= 0 {
			from = a.Seq
		}
		t.subs[a.Subscription].Add(min(from, a.Seq), a.Seq)
	}
	for _, f := range b.Folds {
		t.subs[f.Subscription].Add(f.From, f.To)
	}
}

// append gives events their numbers.
func (s *state) append(events []*pipelined.Event, now time.Time) []int64 {
	if len(events) == 0 {
		return nil
	}
	seqs := make([]int64, len(events))
	for i, ev := range events {
		if !s.fresh(ev, now) {
			continue
		}
		s.seq++
		seqs[i] = s.seq
		s.events = append(s.events, store.StoredEvent{Seq: s.seq, AppendedAt: now, Event: *kept(ev)})
	}
	return seqs
}

// fresh remembers a publish.id for its window and reports whether it is new.
func (s *state) fresh(ev *pipelined.Event, now time.Time) bool {
	k := [2]string{ev.Type, ev.DedupeID}
	if ev.DedupeID == "" {
		return true
	}
	if until, known := s.dedupe[k]; known && until.After(now) {
		return false
	}
	s.dedupe[k] = micro(now.Add(store.Deduped(ev)))
	return true
}

// kept is an event as it is read back.
func kept(ev *pipelined.Event) *pipelined.Event {
	out := &pipelined.Event{ID: ev.ID, Type: ev.Type, Source: ev.Source, Time: micro(ev.Time), Key: ev.Key, Data: ev.Data, Attempt: max(ev.Attempt, 1)}
	if len(ev.Headers) > 0 {
		out.Headers = maps.Clone(ev.Headers)
	}
	return out
}
