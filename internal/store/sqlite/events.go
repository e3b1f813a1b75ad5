package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"pipelined"
	"pipelined/internal/pattern"
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

// appendEvents gives events their numbers and has them inserted. A duplicate within
// its window gets 0.
func (w *writer) appendEvents(ctx context.Context, events []*pipelined.Event, now time.Time) ([]int64, error) {
	if len(events) == 0 {
		return nil, nil
	}
	seqs := make([]int64, len(events))
	for i, ev := range events {
		if ev.DedupeID != "" {
			fresh, err := w.fresh(ctx, ev, now)
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
		w.rows = append(w.rows, seqs[i], ev.ID, ev.Type, ev.Source, micros(ev.Time), ev.Key, max(ev.Attempt, 1), headers, ev.Data, micros(now))
		if len(w.rows) == eventArgs*rowsPerInsert {
			if _, err := w.st.events.ExecContext(ctx, w.rows...); err != nil {
				return nil, err
			}
			w.rows = w.rows[:0]
		}
	}
	return seqs, nil
}

// flushEvents inserts the events that have numbers and wait for others to share a
// statement with.
func (w *writer) flushEvents(ctx context.Context) error {
	for rest := w.rows; len(rest) > 0; rest = rest[eventArgs:] {
		if _, err := w.st.event.ExecContext(ctx, rest[:eventArgs]...); err != nil {
			return err
		}
	}
	clear(w.rows)
	w.rows = w.rows[:0]
	return nil
}

// fresh remembers a publish.id for its window and reports whether it is new.
func (w *writer) fresh(ctx context.Context, ev *pipelined.Event, now time.Time) (bool, error) {
	res, err := w.st.dedupe.ExecContext(ctx, ev.Type, ev.DedupeID, micros(now.Add(store.Deduped(ev))), micros(now))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// delay adds a delayed event, unless it is a duplicate.
func (w *writer) delay(ctx context.Context, d *store.DelayedEvent, now time.Time) (added bool, err error) {
	ev := d.Event
	headers, err := headersText(ev.Headers)
	if err != nil {
		return false, err
	}
	if ev.DedupeID != "" { // a second publish is a duplicate even while the first waits
		if fresh, err := w.fresh(ctx, ev, now); err != nil || !fresh {
			return false, err
		}
	}
	_, err = w.st.delay.ExecContext(ctx, micros(d.Due), ev.DedupeID, ev.ID, ev.Type, ev.Source, ev.Key, max(ev.Attempt, 1), headers, ev.Data)
	return err == nil, err
}

func (w *writer) deferDelivery(ctx context.Context, d *store.Deferred) error {
	headers, err := headersText(d.Event.Headers)
	if err != nil {
		return err
	}
	ev := &d.Event
	_, err = w.st.deferral.ExecContext(ctx, d.ID, d.Subscription, d.OrderKey, micros(d.Due), d.Attempt, d.Problem,
		ev.Seq, ev.ID, ev.Type, ev.Source, micros(ev.Time), ev.Key, max(ev.Attempt, 1), headers, ev.Data)
	return err
}

// LastSeq is the number of the newest event that is durable.
func (s *Store) LastSeq(context.Context) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, fmt.Errorf("read the end of the log: %w", store.ErrClosed)
	}
	return s.head.Load(), nil
}

// Watch never wakes anybody: no other process has the file.
func (s *Store) Watch(int64) <-chan struct{} { return nil }

const eventSelect = "select seq, id, type, source, time, key, attempt, headers, data, appended from events "

func scanEvent(rows *sql.Rows) (e store.StoredEvent, err error) {
	var at, appended int64
	var headers sql.NullString
	if err := rows.Scan(&e.Seq, &e.ID, &e.Type, &e.Source, &at, &e.Key, &e.Attempt, &headers, &e.Data, &appended); err != nil {
		return e, err
	}
	e.Time, e.AppendedAt = fromMicros(at), fromMicros(appended)
	e.Headers, err = headersOf(headers)
	return e, err
}

// Read returns up to limit events above a number.
func (s *Store) Read(ctx context.Context, after int64, limit int) (out []store.StoredEvent, through int64, err error) {
	head := s.head.Load() // what is durable now is what the statement sees, and maybe more
	rows, err := s.lookups.events.QueryContext(ctx, after, limit)
	if out, err = collect(rows, err, scanEvent); err != nil {
		return nil, 0, s.failed(err, "read events")
	}
	through = after
	if n := len(out); n > 0 {
		through = out[n-1].Seq
	}
	if len(out) < limit {
		through = max(through, head)
	}
	return out, through, nil
}

// FindEvents is Read for people.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) ([]store.StoredEvent, error) {
	where, args := eventConditions(q)
	direction := "asc"
	if q.Desc {
		direction = "desc"
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	rows, err := s.search.QueryContext(ctx, eventSelect+"where "+where+" order by seq "+direction, args...)
	var out []store.StoredEvent
	err = each(rows, err, scanEvent, func(e store.StoredEvent) bool {
		if len(q.Types) == 0 || pattern.MatchAny(q.Types, e.Type) {
			out = append(out, e)
		}
		return len(out) < limit
	})
	if err != nil {
		return nil, s.failed(err, "search events")
	}
	return out, nil
}

// eventConditions is the SQL of a query. A pattern of a type narrows the search
// only roughly, since a * of SQLite's does not stop at a dot.
func eventConditions(q store.EventQuery) (where string, args []any) {
	conditions := []string{"seq > ?"}
	args = []any{q.After}
	add := func(cond string, v ...any) { conditions, args = append(conditions, cond), append(args, v...) }
	if !q.Since.IsZero() {
		add("appended >= ?", micros(q.Since))
	}
	if q.ID != "" {
		add("id = ?", q.ID)
	}
	if q.Key != "" {
		add("key = ?", q.Key)
	}
	var types []string
	var patterns []any
	for _, t := range q.Types {
		if strings.ContainsAny(t, "[?") { // mean something else to SQLite, and nothing as a type
			continue
		}
		types, patterns = append(types, "type glob ?"), append(patterns, t)
	}
	if len(q.Types) > 0 {
		add("("+strings.Join(append(types, "0"), " or ")+")", patterns...)
	}
	return strings.Join(conditions, " and "), args
}

// Deferred returns the waiting deliveries of a subscription.
func (s *Store) Deferred(ctx context.Context, q store.WaitQuery) ([]store.Deferred, error) {
	if q.Partition != partition {
		return nil, nil
	}
	before := int64(math.MaxInt64)
	if !q.Before.IsZero() {
		before = micros(q.Before)
	}
	rows, err := s.lookups.deferred.QueryContext(ctx, q.Subscription, before, micros(q.AfterDue), q.AfterID, pageOf(q.Limit))
	out, err := collect(rows, err, scanDeferred)
	if err != nil {
		return nil, s.failed(err, "read waiting deliveries of %s", q.Subscription)
	}
	for i := range out {
		out[i].Subscription = q.Subscription
	}
	return out, nil
}

func pageOf(limit int) int {
	if limit <= 0 {
		return store.PageLimit
	}
	return limit
}

func scanDeferred(rows *sql.Rows) (d store.Deferred, err error) {
	var due, at int64
	var headers sql.NullString
	ev := &d.Event
	if err := rows.Scan(&d.ID, &d.OrderKey, &due, &d.Attempt, &d.Problem, &ev.Seq, &ev.ID, &ev.Type, &ev.Source, &at,
		&ev.Key, &ev.Attempt, &headers, &ev.Data); err != nil {
		return d, err
	}
	d.Due, ev.Time = fromMicros(due), fromMicros(at)
	ev.Headers, err = headersOf(headers)
	return d, err
}

// NextDelayed is when the earliest delayed event is due.
func (s *Store) NextDelayed(ctx context.Context) (time.Time, error) {
	var due sql.NullInt64
	if err := s.lookups.nextDelayed.QueryRowContext(ctx).Scan(&due); err != nil {
		return time.Time{}, s.failed(err, "read delayed events")
	}
	return fromMicros(due.Int64), nil
}

// ReleaseDelayed moves delayed events that are due into the log. Their time is
// when they appear.
func (s *Store) ReleaseDelayed(ctx context.Context, now time.Time, limit int) (out []store.StoredEvent, err error) {
	err = s.do(ctx, func(ctx context.Context, w *writer) error {
		due, err := w.dueEvents(ctx, now, limit)
		if err != nil {
			return err
		}
		events := make([]*pipelined.Event, len(due))
		for i := range due {
			events[i] = &due[i].Event
		}
		seqs, err := w.appendEvents(ctx, events, now)
		if err != nil {
			return err
		}
		out = nil
		for i := range due {
			if _, err := w.conn.ExecContext(ctx, "delete from delayed where n = ?", due[i].Seq); err != nil {
				return err
			}
			out = append(out, store.StoredEvent{Seq: seqs[i], AppendedAt: now, Event: due[i].Event})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("release delayed events: %w", err)
	}
	return out, nil
}

// dueEvents reads the delayed events that are due; Seq is the number of the row.
func (w *writer) dueEvents(ctx context.Context, now time.Time, limit int) ([]store.StoredEvent, error) {
	rows, err := w.conn.QueryContext(ctx, `select n, id, type, source, key, attempt, headers, data from delayed
		where due <= ? order by due, n limit ?`, micros(now), limit)
	return collect(rows, err, func(rows *sql.Rows) (e store.StoredEvent, err error) {
		var headers sql.NullString
		if err := rows.Scan(&e.Seq, &e.ID, &e.Type, &e.Source, &e.Key, &e.Attempt, &headers, &e.Data); err != nil {
			return e, err
		}
		e.Time = now
		e.Headers, err = headersOf(headers)
		return e, err
	})
}
