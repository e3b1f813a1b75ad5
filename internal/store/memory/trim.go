package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"pipelined/internal/store"
)

// Trim removes what retention no longer keeps.
func (s *Store) Trim(ctx context.Context, now time.Time, keep store.Retention) (n int64, err error) {
	err = s.do(ctx, func(st *state) error {
		n = st.trimDocuments(now, keep) + st.trimEvents(now, keep) + st.trimClaims(now.Add(-keep.Claim()))
		n += removed(st.dedupe, func(_ [2]string, until time.Time) bool { return !until.After(now) })
		n += removed(st.executions, func(_ string, x store.Execution) bool { return !x.StartedAt.After(now.Add(-keep.Execution())) })
		return nil
	})
	return n, err
}

// removed deletes from a map and counts.
func removed[K comparable, V any](m map[K]V, old func(K, V) bool) int64 {
	before := len(m)
	maps.DeleteFunc(m, old)
	return int64(before - len(m))
}

// Shrink removes the oldest documents of a collection that takes more than it may.
func (s *Store) Shrink(ctx context.Context, collection string, most int64) (n int64, err error) {
	err = s.do(ctx, func(st *state) error {
		c := st.documents[collection]
		if c == nil {
			return nil
		}
		list := slices.SortedFunc(maps.Values(c.documents), func(a, b *document) int {
			return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), cmp.Compare(a.ID, b.ID))
		})
		size := int64(0)
		for _, d := range list {
			size += int64(len(d.Body))
		}
		for _, d := range list {
			if size <= most {
				return nil
			}
			size -= int64(len(d.Body))
			(&transaction{state: st}).remove(c, d)
			n++
		}
		return nil
	})
	return n, err
}

func (s *state) trimDocuments(now time.Time, keep store.Retention) (n int64) {
	for name, c := range s.documents {
		for _, d := range c.documents {
			if !d.alive(now) {
				(&transaction{state: s}).remove(c, d)
				n++
			}
		}
		age, goes := keep.Versions[name]
		for id, list := range c.versions {
			left := slices.DeleteFunc(slices.Clone(list), func(v version) bool { return goes && !v.replaced.After(now.Add(-age)) })
			n += int64(len(list) - len(left))
			c.versions[id] = left
		}
	}
	return n
}

// trimEvents removes events that every subscription is past and nothing that waits refers
// to, each type at its age.
func (s *state) trimEvents(now time.Time, keep store.Retention) int64 {
	floor := s.seq
	for _, sub := range s.subs {
		floor = min(floor, sub.Floor)
	}
	waiting := map[int64]bool{}
	for _, d := range s.deferred {
		waiting[d.Event.Seq] = true
	}
	for p := range s.parked {
		waiting[p.Seq] = true
	}
	before := len(s.events)
	s.events = slices.DeleteFunc(slices.Clone(s.events), func(e store.StoredEvent) bool {
		return e.Seq <= floor && now.Sub(e.AppendedAt) > keep.Event(e.Type) && !waiting[e.Seq]
	})
	return int64(before - len(s.events))
}

// trimClaims forgets what is done long enough, but for the newest tick of each pipeline.
func (s *state) trimClaims(until time.Time) int64 {
	return removed(s.claims, func(_ [2]string, c *claim) bool {
		if c.done.IsZero() || c.done.After(until) {
			return false
		}
		if c.Kind != store.TickClaim {
			return true
		}
		t, err := store.ParseTick(c.Key)
		return err == nil && c.Key != s.lastTick(t.Pipeline)
	})
}
