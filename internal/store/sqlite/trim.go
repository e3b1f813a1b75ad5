package sqlite

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"pipelined/internal/fault"
	"pipelined/internal/store"
)

const (
	// trimStep is how many rows one step of Trim removes, in some milliseconds. Other
	// commits take place between two steps.
	trimStep = 200
	// trimPause is between two steps, so that trimming takes half of the writer's
	// time at most.
	trimPause = 2 * time.Millisecond
)

// Trim removes what retention no longer keeps.
func (s *Store) Trim(ctx context.Context, now time.Time, keep store.Retention) (total int64, err error) {
	type removal struct {
		text string
		args []any
	}
	removals := []removal{
		{"delete from dedupe where (type, id) in (select type, id from dedupe where expires <= ? limit ?)", []any{micros(now)}},
		{"delete from executions where rowid in (select rowid from executions where started <= ? limit ?)", []any{micros(now.Add(-keep.Execution()))}},
		{`delete from claims where (kind, key) in (select kind, key from claims c where done > 0 and done <= ? and (kind <> 'tick' or exists (
			select 1 from claims u where u.kind = 'tick' and u.key > c.key and u.key < substr(c.key, 1, instr(c.key, '/') - 1) || '0' and u.done > 0)) limit ?)`,
			[]any{micros(now.Add(-keep.Claim()))}},
	}
	for name, age := range keep.Versions {
		removals = append(removals, removal{"delete from document_versions where n in (select n from document_versions where collection = ? and replaced <= ? limit ?)",
			[]any{name, micros(now.Add(-age))}})
	}
	if total, err = s.trimDocuments(ctx, now); err != nil {
		return total, s.failed(err, "trim the documents")
	}
	for _, r := range removals {
		n, err := s.remove(ctx, r.text, append(r.args, trimStep))
		if total += n; err != nil {
			return total, s.failed(err, "trim the store")
		}
	}
	n, err := s.trimEvents(ctx, now, &keep)
	if total += n; err != nil {
		return total, s.failed(err, "trim the events")
	}
	return total, nil
}

// Shrink removes the oldest documents of a collection that takes more than it may.
func (s *Store) Shrink(ctx context.Context, collection string, most int64) (total int64, err error) {
	for {
		var size int64
		if err := s.search.QueryRowContext(ctx, "select coalesce(sum(octet_length(body)), 0) from documents where collection = ?", collection).Scan(&size); err != nil {
			return total, s.failed(err, "measure %s", collection)
		}
		if size <= most {
			return total, nil
		}
		n, err := s.oldest(ctx, collection, size-most)
		if total += n; err != nil {
			return total, s.failed(err, "shrink %s", collection)
		}
		time.Sleep(trimPause)
	}
}

// oldest removes, of the documents that were written the longest ago, those that take so
// many bytes together, at most trimStep.
func (s *Store) oldest(ctx context.Context, collection string, excess int64) (n int64, err error) {
	err = s.do(ctx, func(ctx context.Context, w *writer) (err error) {
		n, err = w.removeDocuments(ctx, `delete from documents where rowid in (select number from
			(select rowid number, sum(octet_length(body)) over (order by updated, id) - octet_length(body) before from documents where collection = ? order by updated, id limit ?)
			where before < ?) returning collection`, collection, trimStep, excess)
		return err
	})
	return n, err
}

// trimDocuments removes documents that expired.
func (s *Store) trimDocuments(ctx context.Context, now time.Time) (int64, error) {
	return s.inSteps(ctx, func(ctx context.Context, w *writer) (int64, error) {
		return w.removeDocuments(ctx, "delete from documents where rowid in (select rowid from documents where expires > 0 and expires <= ? limit ?) returning collection",
			micros(now), trimStep)
	})
}

// remove repeats a statement that removes up to trimStep rows.
func (s *Store) remove(ctx context.Context, text string, args []any) (int64, error) {
	return s.inSteps(ctx, func(ctx context.Context, w *writer) (int64, error) {
		res, err := w.conn.ExecContext(ctx, text, args...)
		if err != nil {
			return 0, err
		}
		return res.RowsAffected()
	})
}

// inSteps repeats something that removes up to trimStep rows until fewer went.
func (s *Store) inSteps(ctx context.Context, step func(context.Context, *writer) (int64, error)) (total int64, err error) {
	for {
		var n int64
		err := s.do(ctx, func(ctx context.Context, w *writer) (err error) { n, err = step(ctx, w); return err })
		if err != nil {
			return total, err
		}
		fault.Point(fault.Trimmed)
		if total += n; n < trimStep {
			return total, nil
		}
		time.Sleep(trimPause)
	}
}

// trimEvents removes events that every subscription is past and no waiting delivery
// refers to, each type at its age. What goes is looked up beside the writer.
func (s *Store) trimEvents(ctx context.Context, now time.Time, keep *store.Retention) (total int64, err error) {
	var floor int64
	if err := s.do(ctx, func(_ context.Context, w *writer) error { floor = w.floor(); return nil }); err != nil {
		return 0, err
	}
	// A delivery that waits was deferred below the floor already, or will be above
	// it: reading them once, after the floor, is enough.
	waiting, err := s.waitingSeqs(ctx, floor)
	if err != nil {
		return 0, err
	}
	for after := int64(0); ; {
		old, last, err := s.oldEvents(ctx, after, floor, now, keep, waiting)
		if err != nil || last == 0 {
			return total, err
		}
		n, err := s.removeEvents(ctx, old)
		if total += n; err != nil {
			return total, err
		}
		if n > 0 {
			time.Sleep(trimPause)
		}
		after = last
	}
}

// floor is the number up to which every subscription is done.
func (w *writer) floor() int64 {
	floor := w.nextSeq - 1
	for _, sub := range w.subs {
		floor = min(floor, sub.Floor)
	}
	return floor
}

func (s *Store) waitingSeqs(ctx context.Context, floor int64) (map[int64]bool, error) {
	rows, err := s.search.QueryContext(ctx, "select seq from deferred where seq <= ?1 union select seq from parked where seq <= ?1", floor)
	out := map[int64]bool{}
	return out, each(rows, err, scanNumber, func(seq int64) bool { out[seq] = true; return true })
}

func scanNumber(rows *sql.Rows) (n int64, err error) {
	err = rows.Scan(&n)
	return n, err
}

// removeEvents removes events by their numbers. The number of the newest stays
// known, so that none is given out again.
func (s *Store) removeEvents(ctx context.Context, old []store.Range) (n int64, err error) {
	if len(old) == 0 {
		return 0, nil
	}
	err = s.do(ctx, func(ctx context.Context, w *writer) error {
		n = 0
		floor := w.floor() // a subscription may have come that begins below
		for _, e := range old {
			res, err := w.conn.ExecContext(ctx, "delete from events where seq between ? and ?", e.From, min(e.To, floor))
			if err != nil {
				return err
			}
			gone, err := res.RowsAffected()
			if err != nil {
				return err
			}
			n += gone
		}
		return w.meta(ctx, store.Meta{Key: trimmedKey, Value: strconv.FormatInt(w.nextSeq-1, 10)})
	})
	return n, err
}

// oldEvents looks at the next events up to the floor and returns which are old
// enough, and the last one looked at. Looking ends at the first event that is
// younger than the shortest retention.
func (s *Store) oldEvents(ctx context.Context, after, floor int64, now time.Time, keep *store.Retention, waiting map[int64]bool) (old []store.Range, last int64, err error) {
	rows, err := s.search.QueryContext(ctx, "select seq, type, appended from events where seq > ? and seq <= ? order by seq limit ?", after, floor, trimStep)
	shortest := keep.Shortest()
	err = each(rows, err, scanAge, func(e aging) bool {
		age := now.Sub(e.at)
		if age <= shortest {
			return false
		}
		last = e.seq
		if age <= keep.Event(e.typ) || waiting[e.seq] {
			return true
		}
		if n := len(old); n > 0 && old[n-1].To == e.seq-1 {
			old[n-1].To = e.seq
		} else {
			old = append(old, store.Range{From: e.seq, To: e.seq})
		}
		return true
	})
	return old, last, err
}

// aging is what retention looks at of an event.
type aging struct {
	seq int64
	typ string
	at  time.Time
}

func scanAge(rows *sql.Rows) (e aging, err error) {
	var at int64
	err = rows.Scan(&e.seq, &e.typ, &at)
	e.at = fromMicros(at)
	return e, err
}
