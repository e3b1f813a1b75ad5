package db

import (
	"context"
	"database/sql"
	"errors"

	"pipelined/internal/value"
)

// tally is what a batch did so far.
type tally struct{ affected, items int }

func (k *client) batch(ctx context.Context, p batchParams) (any, error) {
	s := p.SQL.of(k.dialect)
	ctx, cancel := withTimeout(ctx, p.Timeout)
	defer cancel()
	items, done, err := elements(ctx, p.Items)
	if err != nil {
		return nil, err
	}
	defer done()
	i := -1
	next := func() ([]any, bool, error) {
		item, ok, err := items()
		if err != nil || !ok {
			return nil, false, err
		}
		i++
		args, err := k.bindItem(s, item)
		if err != nil {
			return nil, false, atItem{i, err}
		}
		return args, true, nil
	}
	run := k.sqlBatch
	if k.dialect == postgres {
		run = k.postgresBatch
	}
	total, err := run(ctx, s.text, next)
	if err != nil {
		return nil, problem(context.Cause(ctx), err)
	}
	return map[string]any{"affected": total.affected, "items": total.items}, nil
}

// elements visits a list, or a stream, whose rows are then read as they are sent.
func elements(ctx context.Context, v any) (next func() (any, bool, error), done func(), err error) {
	s, stream, err := value.Read(v)
	if err != nil {
		return nil, nil, err
	}
	if stream {
		return func() (any, bool, error) { return s.Next(ctx) }, func() { s.Close() }, nil
	}
	list, ok := value.Open(v).([]any)
	if !ok {
		return nil, nil, argsProblem("items must be a list or a stream, not %s", value.Describe(v))
	}
	next = func() (any, bool, error) {
		if len(list) == 0 {
			return nil, false, nil
		}
		item := list[0]
		list = list[1:]
		return item, true, nil
	}
	return next, func() {}, nil
}

// sqlBatch runs a prepared statement for each item, in one transaction.
func (k *client) sqlBatch(ctx context.Context, text string, next func() ([]any, bool, error)) (total tally, err error) {
	tx, err := k.db.BeginTx(ctx, nil)
	if err != nil {
		return tally{}, err
	}
	if err := total.run(ctx, tx, text, next); err != nil {
		if rerr := tx.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			err = errors.Join(err, rerr)
		}
		return tally{}, err
	}
	return total, tx.Commit()
}

func (t *tally) run(ctx context.Context, tx *sql.Tx, text string, next func() ([]any, bool, error)) error {
	st, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer st.Close()
	for {
		args, ok, err := next()
		if err != nil || !ok {
			return err
		}
		res, err := st.ExecContext(ctx, args...)
		if err != nil {
			return atItem{t.items, err}
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		t.items++
		t.affected += int(n)
	}
}
