package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// headersText is how headers are kept; nil for none.
func headersText(h map[string]string) (any, error) {
	if len(h) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(h)
	return string(text), err
}

func headersOf(text sql.NullString) (map[string]string, error) {
	if !text.Valid {
		return nil, nil
	}
	var h map[string]string
	err := json.Unmarshal([]byte(text.String), &h)
	return h, err
}

// appendEvents gives events their numbers and inserts them, many to a statement.
// A duplicate within its window gets 0.
func (w *writer) appendEvents(ctx context.Context, events []*pipelined.Event) ([]int64, error) {
	if len(events) == 0 {
		return nil, nil
	}
	seqs := make([]int64, len(events))
	args := make([]any, 0, eventArgs*min(len(events), rowsPerInsert))
	for i, ev := range events {
		if ev.DedupeID != "" {
			fresh, err := w.fresh(ctx, ev.Type, ev.DedupeID)
			if err != nil {
				return nil, err
			}
			if !fresh {
				continue
			}
		}
		headers, err := headersText(ev.Headers)
		if err != nil {
			return nil, err
		}
		seqs[i] = w.nextSeq
		w.nextSeq++
		args = append(args, seqs[i], ev.ID, ev.Type, ev.Source, micros(ev.Time), ev.Key, max(ev.Attempt, 1), headers, ev.Data)
		if len(args) == eventArgs*rowsPerInsert {
			if _, err := w.st.events.ExecContext(ctx, args...); err != nil {
				return nil, err
			}
			args = args[:0]
		}
	}
	for ; len(args) > 0; args = args[eventArgs:] {
		if _, err := w.st.event.ExecContext(ctx, args[:eventArgs]...); err != nil {
			return nil, err
		}
	}
	return seqs, nil
}

// fresh remembers a publish.id for its window and reports whether it is new.
func (w *writer) fresh(ctx context.Context, typ, id string) (bool, error) {
	now := w.s.cfg.Clock.Now()
	res, err := w.st.dedupe.ExecContext(ctx, typ, id, micros(now.Add(w.s.dedupeOf(typ))), micros(now))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (s *Store) dedupeOf(typ string) time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if d := s.types[typ].Dedupe; d > 0 {
		return d
	}
	return s.cfg.Dedupe
}

func (w *writer) delay(ctx context.Context, d *store.DelayedEvent) error {
	ev := d.Event
	headers, err := headersText(ev.Headers)
	if err != nil {
		return err
	}
	if ev.DedupeID != "" { // a second publish is a duplicate even while the first waits
		if fresh, err := w.fresh(ctx, ev.Type, ev.DedupeID); err != nil || !fresh {
			return err
		}
	}
	_, err = w.st.delay.ExecContext(ctx, micros(d.Due), ev.DedupeID, ev.ID, ev.Type, ev.Source, ev.Key, max(ev.Attempt, 1), headers, ev.Data)
	return err
}

func (w *writer) deferDelivery(ctx context.Context, d *store.Deferred) (int64, error) {
	headers, err := headersText(d.Event.Headers)
	if err != nil {
		return 0, err
	}
	id := w.nextDefer
	w.nextDefer++
	ev := &d.Event
	_, err = w.st.deferral.ExecContext(ctx, id, d.Subscription, d.OrderKey, micros(d.Due), d.Attempt, d.Problem,
		ev.Seq, ev.ID, ev.Type, ev.Source, micros(ev.Time), ev.Key, max(ev.Attempt, 1), headers, ev.Data)
	return id, err
}

// LastSeq is the number of the newest event.
func (s *Store) LastSeq(ctx context.Context) (last int64, err error) {
	err = s.do(func(_ context.Context, w *writer) error { last = w.nextSeq - 1; return nil })
	return last, err
}

const eventSelect = "select seq, id, type, source, time, key, attempt, headers, data from events "

func (s *Store) events(ctx context.Context, query string, args ...any) ([]store.StoredEvent, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var out []store.StoredEvent
	for rows.Next() {
		var e store.StoredEvent
		var at int64
		var headers sql.NullString
		if err := rows.Scan(&e.Seq, &e.ID, &e.Type, &e.Source, &at, &e.Key, &e.Attempt, &headers, &e.Data); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		e.Time = fromMicros(at)
		if e.Headers, err = headersOf(headers); err != nil {
			return nil, fmt.Errorf("read the headers of event %s: %w", e.ID, err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// Read returns up to limit events above a number.
func (s *Store) Read(ctx context.Context, after int64, limit int) ([]store.StoredEvent, error) {
	return s.events(ctx, eventSelect+"where seq > ? order by seq limit ?", after, limit)
}

// FindEvents is Read for people.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) ([]store.StoredEvent, error) {
	where, args := []string{"seq > ?"}, []any{q.After}
	add := func(cond string, v ...any) { where, args = append(where, cond), append(args, v...) }
	if !q.Since.IsZero() {
		add("time >= ?", micros(q.Since))
	}
	if q.ID != "" {
		add("id = ?", q.ID)
	}
	if q.Key != "" {
		add("key = ?", q.Key)
	}
	if len(q.Types) > 0 {
		var any []string
		var patterns []interface{}
		for _, t := range q.Types {
			any = append(any, "type glob ?")
			patterns = append(patterns, t)
		}
		add("("+strings.Join(any, " or ")+")", patterns...)
	}
	direction := "asc"
	if q.Desc {
		direction = "desc"
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	return s.events(ctx, eventSelect+"where "+strings.Join(where, " and ")+" order by seq "+direction+" limit ?", append(args, limit)...)
}

// Deferred returns the waiting deliveries of a subscription.
func (s *Store) Deferred(ctx context.Context, subscription string) ([]store.Deferred, error) {
	rows, err := s.read.QueryContext(ctx, `select id, order_key, due, attempt, problem, seq, event_id, type, source, time, key,
		event_attempt, headers, data from deferred where subscription = ? order by due, id`, subscription)
	if err != nil {
		return nil, fmt.Errorf("read waiting deliveries: %w", err)
	}
	defer rows.Close()
	var out []store.Deferred
	for rows.Next() {
		d := store.Deferred{Subscription: subscription}
		var due, at int64
		var headers sql.NullString
		ev := &d.Event
		if err := rows.Scan(&d.ID, &d.OrderKey, &due, &d.Attempt, &d.Problem, &ev.Seq, &ev.ID, &ev.Type, &ev.Source, &at,
			&ev.Key, &ev.Attempt, &headers, &ev.Data); err != nil {
			return nil, fmt.Errorf("read waiting deliveries: %w", err)
		}
		d.Due, ev.Time = fromMicros(due), fromMicros(at)
		if ev.Headers, err = headersOf(headers); err != nil {
			return nil, fmt.Errorf("read the headers of event %s: %w", ev.ID, err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// NextDelayed is when the earliest delayed event is due.
func (s *Store) NextDelayed(ctx context.Context) (time.Time, error) {
	var due sql.NullInt64
	if err := s.read.QueryRowContext(ctx, "select min(due) from delayed").Scan(&due); err != nil {
		return time.Time{}, fmt.Errorf("read delayed events: %w", err)
	}
	return fromMicros(due.Int64), nil
}

// ReleaseDelayed moves delayed events that are due into the log. Their time is
// when they appear.
func (s *Store) ReleaseDelayed(ctx context.Context, now time.Time, limit int) (out []store.StoredEvent, err error) {
	err = s.do(func(ctx context.Context, w *writer) error {
		out = nil
		rows, err := w.conn.QueryContext(ctx, `select n, id, type, source, key, attempt, headers, data from delayed
			where due <= ? order by due, n limit ?`, micros(now), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		var numbers []int64
		var events []*pipelined.Event
		for rows.Next() {
			var n int64
			ev := &pipelined.Event{Time: now}
			var headers sql.NullString
			if err := rows.Scan(&n, &ev.ID, &ev.Type, &ev.Source, &ev.Key, &ev.Attempt, &headers, &ev.Data); err != nil {
				return err
			}
			if ev.Headers, err = headersOf(headers); err != nil {
				return err
			}
			numbers, events = append(numbers, n), append(events, ev)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		rows.Close()
		seqs, err := w.appendEvents(ctx, events)
		if err != nil {
			return err
		}
		for i, ev := range events {
			if _, err := w.conn.ExecContext(ctx, "delete from delayed where n = ?", numbers[i]); err != nil {
				return err
			}
			out = append(out, store.StoredEvent{Seq: seqs[i], Event: *ev})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
