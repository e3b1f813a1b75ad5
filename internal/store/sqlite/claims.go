package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"pipelined/internal/store"
)

// Claim acquires claims. Nobody but this process can hold one, since it has the file
// for itself; what the process before held is there with its attempts.
func (s *Store) Claim(ctx context.Context, claims []store.Claim) (out []store.Claimed, err error) {
	err = s.do(ctx, func(ctx context.Context, w *writer) error {
		out = out[:0]
		for _, c := range claims {
			got, err := w.acquire(ctx, c)
			if err != nil {
				return err
			}
			out = append(out, got)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return out, nil
}

// acquire gives one claim, under an epoch that this process did not give before.
func (w *writer) acquire(ctx context.Context, c store.Claim) (out store.Claimed, err error) {
	w.lastEpoch++
	out.Claim = store.Claim{Kind: c.Kind, Key: c.Key, Epoch: w.lastEpoch}
	err = w.st.claim.QueryRowContext(ctx, c.Kind, c.Key, w.lastEpoch).Scan(&out.Attempts, &out.Value)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Claimed{Claim: store.Claim{Kind: c.Kind, Key: c.Key}, Err: fmt.Errorf("%s is done: %w", c, store.ErrTaken)}, nil
	}
	return out, err
}

// prove does what a batch wants of the claims it holds.
func (w *writer) prove(ctx context.Context, b *store.Batch, now time.Time) error {
	for _, v := range b.Values {
		if err := heldAt(v.Claim)(w.st.claimValue.ExecContext(ctx, v.Value, v.Kind, v.Key, v.Epoch)); err != nil {
			return err
		}
	}
	for _, cursor := range b.Cursors {
		c := cursor.Claim()
		if err := heldAt(c)(w.st.claimValue.ExecContext(ctx, cursor.Value, c.Kind, c.Key, c.Epoch)); err != nil {
			return err
		}
	}
	for _, c := range b.Claims {
		if err := heldAt(c)(w.st.claimDone.ExecContext(ctx, max(micros(now), 1), c.Kind, c.Key, c.Epoch)); err != nil {
			return err
		}
	}
	for _, c := range b.Drop {
		if err := heldAt(c)(w.st.claimDrop.ExecContext(ctx, c.Kind, c.Key, c.Epoch)); err != nil {
			return err
		}
	}
	return nil
}

// heldAt refuses a batch that holds a claim no more.
func heldAt(c store.Claim) func(sql.Result, error) error {
	return taken("%s is not held at epoch %d", c, c.Epoch)
}

// taken refuses a batch, as taken by another, if a statement that should change a row
// changed none.
func taken(format string, args ...any) func(sql.Result, error) error {
	return func(res sql.Result, err error) error {
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return refused{fmt.Errorf(format+": %w", append(args, store.ErrTaken)...)}
	}
}

// Claims lists the claims that are held, by key.
func (s *Store) Claims(ctx context.Context, kind, prefix string) ([]store.Claimed, error) {
	rows, err := s.read.QueryContext(ctx, "select key, epoch, attempts, value from claims where kind = ? and key >= ? and key < ? and done = 0 order by key",
		kind, prefix, prefix+string(utf8.MaxRune))
	out, err := collect(rows, err, func(rows *sql.Rows) (c store.Claimed, err error) {
		c.Kind = kind
		err = rows.Scan(&c.Key, &c.Epoch, &c.Attempts, &c.Value)
		return c, err
	})
	if err != nil {
		return nil, s.failed(err, "read the claims of kind %s", kind)
	}
	return out, nil
}

// Cursor is how far a partition of a source was read.
func (s *Store) Cursor(ctx context.Context, source, partition string) (store.Cursor, error) {
	c := store.Cursor{Source: source, Partition: partition}
	err := s.read.QueryRowContext(ctx, "select epoch, value from claims where kind = ? and key = ?", store.CursorClaim, c.Claim().Key).Scan(&c.Epoch, &c.Value)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Cursor{}, nil
	}
	if err != nil {
		return store.Cursor{}, s.failed(err, "read how far %s/%s was read", source, partition)
	}
	return c, nil
}

// LastTick is the newest tick of a pipeline that is done.
func (s *Store) LastTick(ctx context.Context, pipeline string) (time.Time, error) {
	var key string
	err := s.lookups.lastTick.QueryRowContext(ctx, pipeline+"/", pipeline+"0").Scan(&key) // 0 follows /
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, s.failed(err, "read the ticks of %s", pipeline)
	}
	t, err := store.ParseTick(key)
	return t.Scheduled, err
}
