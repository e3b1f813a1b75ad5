package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pipelined"
	"pipelined/internal/pattern"
	"pipelined/internal/store"
)

// LastSeq is the number of the newest event.
func (s *Store) LastSeq(context.Context) (last int64, err error) {
	err = s.read(func(st *state) { last = st.seq })
	return last, err
}

// after are the events with numbers above n.
func (s *state) after(n int64) []store.StoredEvent {
	i, _ := slices.BinarySearchFunc(s.events, n+1, func(e store.StoredEvent, n int64) int { return cmp.Compare(e.Seq, n) })
	return s.events[i:]
}

// Read returns up to limit events above a number.
func (s *Store) Read(_ context.Context, after int64, limit int) (out []store.StoredEvent, through int64, err error) {
	err = s.read(func(st *state) {
		out = slices.Clone(st.after(after))
		through = max(after, st.seq)
		if len(out) >= limit {
			out = out[:limit]
			through = out[limit-1].Seq
		}
	})
	return out, through, err
}

// FindEvents is Read for people.
func (s *Store) FindEvents(_ context.Context, q store.EventQuery) (out []store.StoredEvent, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	types := slices.DeleteFunc(slices.Clone(q.Types), func(p string) bool { return strings.ContainsAny(p, "[?") }) // no type has such
	err = s.read(func(st *state) {
		list := slices.Clone(st.after(q.After))
		if q.Desc {
			slices.Reverse(list)
		}
		for _, e := range list {
			if len(out) < limit && (len(q.Types) == 0 || pattern.MatchAny(types, e.Type)) && (q.ID == "" || e.ID == q.ID) && (q.Key == "" || e.Key == q.Key) &&
				(q.Since.IsZero() || !e.AppendedAt.Before(q.Since)) {
				out = append(out, e)
			}
		}
	})
	return out, err
}

// Deferred returns deliveries that wait.
func (s *Store) Deferred(_ context.Context, q store.WaitQuery) (out []store.Deferred, err error) {
	err = s.read(func(st *state) {
		for _, d := range st.deferred {
			after := cmp.Or(d.Due.Compare(q.AfterDue), strings.Compare(d.ID, q.AfterID)) > 0
			if d.Subscription == q.Subscription && q.Partition == partition && after && (q.Before.IsZero() || !d.Due.After(q.Before)) {
				out = append(out, d)
			}
		}
	})
	slices.SortFunc(out, func(a, b store.Deferred) int { return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.ID, b.ID)) })
	return out[:min(len(out), pageOf(q.Limit))], err
}

func pageOf(limit int) int {
	if limit <= 0 {
		return store.PageLimit
	}
	return limit
}

// ParkedGroups tells how many events of each group are set aside.
func (s *Store) ParkedGroups(_ context.Context, subscription string, p int) (map[string]int, error) {
	out := map[string]int{}
	err := s.read(func(st *state) {
		for k := range st.parked {
			if k.Subscription == subscription && p == partition {
				out[k.Group]++
			}
		}
	})
	return out, err
}

// Parked returns events that are set aside.
func (s *Store) Parked(_ context.Context, q store.ParkedQuery) (out []store.StoredEvent, err error) {
	err = s.read(func(st *state) {
		for _, e := range st.after(q.After) {
			if q.Partition == partition && st.parked[store.Parked{Subscription: q.Subscription, Group: q.Group, Seq: e.Seq}] && len(out) < pageOf(q.Limit) {
				out = append(out, e)
			}
		}
	})
	return out, err
}

// due are the numbers of the delayed events that are due, in order.
func (s *state) due(now time.Time) []int64 {
	list := slices.DeleteFunc(slices.Collect(maps.Keys(s.delayed)), func(n int64) bool { return s.delayed[n].Due.After(now) })
	slices.SortFunc(list, func(a, b int64) int { return cmp.Or(s.delayed[a].Due.Compare(s.delayed[b].Due), cmp.Compare(a, b)) })
	return list
}

// ReleaseDelayed moves delayed events that are due into the log.
func (s *Store) ReleaseDelayed(ctx context.Context, now time.Time, limit int) (out []store.StoredEvent, err error) {
	now = micro(now)
	err = s.do(ctx, func(st *state) error {
		list := st.due(now)
		for _, n := range list[:min(len(list), limit)] {
			ev := *st.delayed[n].Event
			ev.Time = now
			delete(st.delayed, n)
			seqs := st.append([]*pipelined.Event{&ev}, now)
			out = append(out, store.StoredEvent{Seq: seqs[0], AppendedAt: now, Event: ev})
		}
		return nil
	})
	return out, err
}

// NextDelayed is when the earliest delayed event is due.
func (s *Store) NextDelayed(context.Context) (due time.Time, err error) {
	err = s.read(func(st *state) {
		for _, d := range st.delayed {
			if due.IsZero() || d.Due.Before(due) {
				due = d.Due
			}
		}
	})
	return due, err
}

// Subscribe declares a subscription.
func (s *Store) Subscribe(ctx context.Context, name string, from int64) error {
	return s.do(ctx, func(st *state) error {
		if st.subs[name] == nil {
			if from < 0 {
				from = st.seq
			}
			st.subs[name] = &subscription{Progress: store.Progress{Floor: from}}
		}
		return nil
	})
}

// Subscriptions lists all, by name.
func (s *Store) Subscriptions(ctx context.Context) (out []store.Subscription, err error) {
	err = s.do(ctx, func(st *state) error {
		for name, sub := range st.subs {
			out = append(out, store.Subscription{Name: name, Floor: sub.Floor})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b store.Subscription) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// Unsubscribe forgets a subscription that is owed nothing.
func (s *Store) Unsubscribe(ctx context.Context, name string) (owed store.Owed, err error) {
	err = s.do(ctx, func(st *state) error {
		sub := st.subs[name]
		if sub == nil {
			return nil
		}
		if sub.Floor < st.seq {
			owed.From, owed.To = sub.Floor+1, st.seq
		}
		for _, d := range st.deferred {
			if d.Subscription == name {
				owed.Waiting++
			}
		}
		for k := range st.parked {
			if k.Subscription == name {
				owed.Aside++
			}
		}
		if owed.Nothing() {
			sub.end()
			delete(st.subs, name)
		}
		return nil
	})
	return owed, err
}

// Acquire leases the one partition of a subscription, unless another store has it.
func (s *Store) Acquire(ctx context.Context, name string) (out []store.Lease, err error) {
	err = s.do(ctx, func(st *state) error {
		sub := st.subs[name]
		if sub == nil {
			return fmt.Errorf("lease %s: there is no such subscription: %w", name, store.ErrTaken)
		}
		if sub.holder == nil {
			st.epoch++
			sub.epoch, sub.holder, sub.lost = st.epoch, s, make(chan struct{})
		}
		if sub.holder == s {
			out = []store.Lease{{Subscription: name, Partition: partition, Epoch: sub.epoch, Floor: sub.Floor, Done: slices.Clone(sub.Done), Lost: sub.lost}}
		}
		return nil
	})
	return out, err
}

// Renew says whether the leases are held.
func (s *Store) Renew(ctx context.Context, leases []store.Lease) error {
	return s.do(ctx, func(st *state) error {
		for _, l := range leases {
			if sub, err := st.leased(l.Subscription, l.Partition, l.Epoch); err != nil {
				return fmt.Errorf("renew leases: %w", err)
			} else if sub.holder != s {
				return fmt.Errorf("renew the lease of %s: %w", l.Subscription, store.ErrTaken)
			}
		}
		return nil
	})
}

// Release gives leases back.
func (s *Store) Release(ctx context.Context, leases []store.Lease) error {
	return s.do(ctx, func(st *state) error {
		for _, l := range leases {
			if sub, err := st.leased(l.Subscription, l.Partition, l.Epoch); err == nil && sub.holder == s {
				sub.end()
			}
		}
		return nil
	})
}
