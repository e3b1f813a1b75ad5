package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pipelined/internal/store"
)

func (w *writer) execution(ctx context.Context, e *store.Execution) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.st.execution.ExecContext(ctx, e.ID, e.Pipeline, e.Status, micros(e.StartedAt), string(text))
	return err
}

// FindExecutions reads the history, newest first.
func (s *Store) FindExecutions(ctx context.Context, q store.ExecutionQuery) ([]store.Execution, error) {
	where, args := []string{"1"}, []any{}
	if q.Pipeline != "" {
		where, args = append(where, "pipeline = ?"), append(args, q.Pipeline)
	}
	if q.Status != "" {
		where, args = append(where, "status = ?"), append(args, q.Status)
	}
	if !q.Since.IsZero() {
		where, args = append(where, "started >= ?"), append(args, micros(q.Since))
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	rows, err := s.read.QueryContext(ctx, "select record from executions where "+strings.Join(where, " and ")+" order by started desc, id desc limit ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	defer rows.Close()
	var out []store.Execution
	for rows.Next() {
		var text string
		var e store.Execution
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// GetExecution returns one execution, or nil.
func (s *Store) GetExecution(ctx context.Context, id string) (*store.Execution, error) {
	var text string
	err := s.read.QueryRowContext(ctx, "select record from executions where id = ?", id).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read execution %s: %w", id, err)
	}
	e := &store.Execution{}
	return e, json.Unmarshal([]byte(text), e)
}

// LastTick is the newest claimed tick of a pipeline.
func (s *Store) LastTick(ctx context.Context, pipeline string) (time.Time, error) {
	var n sql.NullInt64
	err := s.read.QueryRowContext(ctx, "select max(scheduled) from ticks where pipeline = ?", pipeline).Scan(&n)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the ticks of %s: %w", pipeline, err)
	}
	return fromMicros(n.Int64), nil
}

// trimStep is how many rows one step of Trim removes.
const trimStep = 2000

// tickRetain is how long claimed ticks are kept; the newest of each pipeline for
// ever.
const tickRetain = 30 * 24 * time.Hour

// Trim removes what retention no longer keeps, in small steps between which other
// commits take place.
func (s *Store) Trim(_ context.Context, now time.Time) (int64, error) {
	var total int64
	steps := []func(context.Context, *writer) (int64, error){
		func(ctx context.Context, w *writer) (int64, error) {
			return w.trim(ctx, "delete from documents where rowid in (select rowid from documents where expires > 0 and expires <= ? limit ?)", micros(now), trimStep)
		},
		func(ctx context.Context, w *writer) (int64, error) {
			return w.trim(ctx, "delete from dedupe where (type, id) in (select type, id from dedupe where expires <= ? limit ?)", micros(now), trimStep)
		},
		func(ctx context.Context, w *writer) (int64, error) {
			return w.trim(ctx, "delete from executions where rowid in (select rowid from executions where started <= ? limit ?)", micros(now.Add(-s.cfg.ExecutionRetain)), trimStep)
		},
		func(ctx context.Context, w *writer) (int64, error) {
			return w.trim(ctx, `delete from ticks where (pipeline, scheduled) in (select pipeline, scheduled from ticks t where scheduled <= ?
				and scheduled < (select max(scheduled) from ticks u where u.pipeline = t.pipeline) limit ?)`, micros(now.Add(-tickRetain)), trimStep)
		},
	}
	for _, step := range steps {
		n, err := s.repeat(step)
		if total += n; err != nil {
			return total, err
		}
	}
	n, err := s.trimEvents(now)
	return total + n, err
}

func (w *writer) trim(ctx context.Context, text string, args ...any) (int64, error) {
	res, err := w.conn.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *Store) repeat(step func(context.Context, *writer) (int64, error)) (total int64, err error) {
	for {
		var n int64
		if err := s.do(func(ctx context.Context, w *writer) (err error) { n, err = step(ctx, w); return err }); err != nil {
			return total, err
		}
		if total += n; n < trimStep {
			return total, nil
		}
	}
}

// trimEvents removes events every subscription is past, each type at its age. The
// number of the newest stays known.
func (s *Store) trimEvents(now time.Time) (total int64, err error) {
	var after int64
	for {
		var n, last int64
		err := s.do(func(ctx context.Context, w *writer) error {
			n, last = 0, 0
			floor := w.nextSeq - 1
			for _, sub := range w.subs {
				floor = min(floor, sub.floor)
			}
			old, err := w.oldEvents(ctx, after, floor, now)
			if err != nil {
				return err
			}
			for _, e := range old {
				last = e.seq
				if !e.gone {
					continue
				}
				if _, err := w.conn.ExecContext(ctx, "delete from events where seq = ?", e.seq); err != nil {
					return err
				}
				n++
			}
			if n == 0 {
				return nil
			}
			return w.meta(ctx, store.Meta{Key: trimmedKey, Value: fmt.Sprint(w.nextSeq - 1)})
		})
		total += n
		if err != nil || last == 0 {
			return total, err
		}
		after = last
	}
}

type oldEvent struct {
	seq  int64
	gone bool
}

// oldEvents looks at the next events below the floor and says which are old
// enough. Looking ends at the first event that is younger than the shortest
// retention.
func (w *writer) oldEvents(ctx context.Context, after, floor int64, now time.Time) ([]oldEvent, error) {
	rows, err := w.conn.QueryContext(ctx, "select seq, type, time from events where seq > ? and seq <= ? order by seq limit ?", after, floor, trimStep)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	shortest := w.s.cfg.Retain
	w.s.mu.RLock()
	defer w.s.mu.RUnlock()
	for _, t := range w.s.types {
		if t.Retain > 0 {
			shortest = min(shortest, t.Retain)
		}
	}
	var out []oldEvent
	for rows.Next() {
		var e oldEvent
		var typ string
		var at int64
		if err := rows.Scan(&e.seq, &typ, &at); err != nil {
			return nil, err
		}
		retain := w.s.cfg.Retain
		if r := w.s.types[typ].Retain; r > 0 {
			retain = r
		}
		age := now.Sub(fromMicros(at))
		if age <= shortest {
			return out, nil
		}
		e.gone = age > retain
		out = append(out, e)
	}
	return out, rows.Err()
}
