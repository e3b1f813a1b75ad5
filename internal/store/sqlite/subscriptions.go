package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"pipelined/internal/store"
)

// subscription is how far one subscription is: a floor and ranges above it that
// are done, sorted, not touching.
type subscription struct {
	name string
	store.Progress
	dirty bool
	lease *lease
}

// partition is the only one of a subscription.
const partition = 0

// leased returns the subscription that a batch speaks for. It looks at
// memory only.
func (w *writer) leased(name string, p int, e int64) (*subscription, error) {
	s := w.subs[name]
	if s == nil || p != partition || !s.lease.held(e) {
		return nil, fmt.Errorf("partition %d of %s is not held at epoch %d: %w", p, name, e, store.ErrTaken)
	}
	return s, nil
}

// fold notes what is done; the row is written once at the end of the group.
func (w *writer) fold(name string, from, to int64) { w.touch(name).Add(from, to) }

// touch returns a subscription to be changed, remembering what it was.
func (w *writer) touch(name string) *subscription {
	s := w.subs[name]
	if s == nil {
		if _, known := w.before[name]; !known {
			w.before[name] = subscription{} // was not there
		}
		s = &subscription{name: name, lease: &lease{epoch: w.terms[name]}}
		w.subs[name] = s
	} else if _, known := w.before[name]; !known {
		w.before[name] = *s // ranges are replaced, never changed in place
	}
	s.dirty = true
	return s
}

func (w *writer) saveSubscriptions(ctx context.Context) error {
	for name := range w.before {
		s := w.subs[name]
		if s == nil || !s.dirty {
			continue
		}
		text, err := encodeSpans(s.Done)
		if err != nil {
			return err
		}
		if _, err := w.st.saveSub.ExecContext(ctx, s.name, s.Floor, text); err != nil {
			return err
		}
		s.dirty = false
	}
	return nil
}

func encodeSpans(list []store.Range) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	flat := make([]int64, 0, 2*len(list))
	for _, e := range list {
		flat = append(flat, e.From, e.To)
	}
	text, err := json.Marshal(flat)
	return string(text), err
}

func decodeSpans(text string) ([]store.Range, error) {
	if text == "" {
		return nil, nil
	}
	var flat []int64
	if err := json.Unmarshal([]byte(text), &flat); err != nil || len(flat)%2 != 0 {
		return nil, fmt.Errorf("the ranges of a subscription cannot be read: %q", text)
	}
	var out []store.Range
	for i := 0; i < len(flat); i += 2 {
		out = append(out, store.Range{From: flat[i], To: flat[i+1]})
	}
	return out, nil
}

func (w *writer) loadSubscriptions(ctx context.Context) error {
	rows, err := w.conn.QueryContext(ctx, "select name, floor, done from subscriptions")
	return each(rows, err, scanSubscription, func(s *subscription) bool { w.subs[s.name] = s; return true })
}

func scanSubscription(rows *sql.Rows) (*subscription, error) {
	s := &subscription{lease: &lease{}}
	var text string
	if err := rows.Scan(&s.name, &s.Floor, &text); err != nil {
		return nil, err
	}
	var err error
	s.Done, err = decodeSpans(text)
	return s, err
}

// Subscribe declares a subscription.
func (s *Store) Subscribe(ctx context.Context, name string, from int64) error {
	err := s.do(ctx, func(_ context.Context, w *writer) error {
		if w.subs[name] == nil {
			sub := w.touch(name)
			if sub.Floor = from; from < 0 {
				sub.Floor = w.nextSeq - 1
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", name, err)
	}
	return nil
}

// Subscriptions lists all, by name.
func (s *Store) Subscriptions(ctx context.Context) (out []store.Subscription, err error) {
	err = s.do(ctx, func(_ context.Context, w *writer) error {
		out = nil
		for _, sub := range w.subs {
			out = append(out, store.Subscription{Name: sub.name, Floor: sub.Floor})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b store.Subscription) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// Unsubscribe forgets a subscription that is owed nothing.
func (s *Store) Unsubscribe(ctx context.Context, name string) (owed store.Owed, err error) {
	err = s.do(ctx, func(ctx context.Context, w *writer) error {
		owed = store.Owed{}
		sub := w.subs[name]
		if sub == nil {
			return nil
		}
		if owed, err = w.owed(ctx, sub); err != nil || !owed.Nothing() {
			return err
		}
		w.touch(name)
		sub.lease.end()
		w.terms[name] = sub.lease.epoch
		delete(w.subs, name)
		_, err := w.conn.ExecContext(ctx, "delete from subscriptions where name = ?", name)
		return err
	})
	if err != nil {
		return store.Owed{}, fmt.Errorf("unsubscribe %s: %w", name, err)
	}
	return owed, nil
}

// owed is what a subscription is not done with.
func (w *writer) owed(ctx context.Context, sub *subscription) (o store.Owed, err error) {
	if last := w.nextSeq - 1; sub.Floor < last {
		o.From, o.To = sub.Floor+1, last
	}
	err = errors.Join(
		w.conn.QueryRowContext(ctx, "select count(*) from deferred where subscription = ?", sub.name).Scan(&o.Waiting),
		w.conn.QueryRowContext(ctx, "select count(*) from parked where subscription = ?", sub.name).Scan(&o.Aside))
	return o, err
}

// Meta returns a text of the small table.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	var v string
	err := s.lookups.meta.QueryRowContext(ctx, key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", s.failed(err, "read %s", key)
	}
	return v, nil
}

// Metas lists the texts whose keys begin with prefix, by key.
func (s *Store) Metas(ctx context.Context, prefix string) (out []store.Meta, err error) {
	rows, err := s.read.QueryContext(ctx, "select key, value from meta where key >= ? and key < ? order by key", prefix, prefix+string(utf8.MaxRune))
	if out, err = collect(rows, err, scanMeta); err != nil {
		return nil, s.failed(err, "read %s", prefix)
	}
	return out, nil
}

func scanMeta(rows *sql.Rows) (m store.Meta, err error) {
	err = rows.Scan(&m.Key, &m.Value)
	return m, err
}
