package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"pipelined"
	"pipelined/internal/value"
)

func (k *client) query(ctx context.Context, p queryParams) (any, error) {
	args, err := k.bind(p.SQL, p.Args)
	if err != nil {
		return nil, err
	}
	if p.Stream {
		return k.stream(ctx, p, args)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	rows, err := k.db.QueryContext(ctx, p.SQL.forDriver(k.Driver), args...)
	if err != nil {
		return nil, k.problem(ctx, err)
	}
	defer rows.Close()
	r, err := newReader(rows, k.Driver)
	if err != nil {
		return nil, k.problem(ctx, err)
	}
	out := append(make([]byte, 0, 1024), '[')
	n := 0
	for ; rows.Next(); n++ {
		if n >= p.MaxRows {
			return nil, pipelined.Problemf("db/too-many-rows", "The query gives too many rows", 500,
				"more than max_rows (%d); use stream: true with foreach, a limit, or a higher max_rows", p.MaxRows)
		}
		if n > 0 {
			out = append(out, ',')
		}
		if out, err = r.append(out); err != nil {
			return nil, k.problem(ctx, err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, k.problem(ctx, err)
	}
	return map[string]any{"rows": value.Raw(append(out, ']')), "count": n}, nil
}

// stream leaves the rows open; whoever consumes them closes them.
func (k *client) stream(ctx context.Context, p queryParams, args []any) (any, error) {
	sctx, cancel := context.WithCancelCause(ctx)
	limit := time.AfterFunc(p.Timeout, func() { cancel(context.DeadlineExceeded) })
	rows, err := k.db.QueryContext(sctx, p.SQL.forDriver(k.Driver), args...)
	limit.Stop()
	if err != nil {
		err = k.problem(sctx, err)
		cancel(nil)
		return nil, err
	}
	r, err := newReader(rows, k.Driver)
	if err != nil {
		rows.Close()
		cancel(nil)
		return nil, k.problem(ctx, err)
	}
	return map[string]any{"rows": &stream{client: k, rows: rows, reader: r, cancel: func() { cancel(nil) }}}, nil
}

// stream is the rows of a query, one by one.
type stream struct {
	client *client
	rows   *sql.Rows
	reader *reader
	cancel func()
}

// Next returns the next row as a document.
func (s *stream) Next(ctx context.Context) (any, bool, error) {
	if !s.rows.Next() {
		if err := s.rows.Err(); err != nil {
			return nil, false, s.client.problem(ctx, err)
		}
		return nil, false, nil
	}
	row, err := s.reader.append(make([]byte, 0, 256))
	if err != nil {
		return nil, false, s.client.problem(ctx, err)
	}
	return value.Raw(row), true, nil
}

// Close gives the connection back.
func (s *stream) Close() error {
	err := s.rows.Close()
	s.cancel()
	return err
}

func (k *client) exec(ctx context.Context, p execParams) (any, error) {
	args, err := k.bind(p.SQL, p.Args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	res, err := k.db.ExecContext(ctx, p.SQL.forDriver(k.Driver), args...)
	if err != nil {
		return nil, k.problem(ctx, err)
	}
	affected, err := res.RowsAffected()
	if err != nil {
		return nil, k.problem(ctx, err)
	}
	out := map[string]any{"affected": int(affected), "last_id": nil}
	if id, err := res.LastInsertId(); err == nil && k.Driver != "postgres" {
		out["last_id"] = int(id)
	}
	return out, nil
}

func (k *client) batch(ctx context.Context, p batchParams) (any, error) {
	items, err := value.Elements(p.Items)
	if err != nil {
		return nil, argsProblem("items is %s", value.Describe(p.Items))
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	tx, err := k.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, k.problem(ctx, err)
	}
	affected, err := k.each(ctx, tx, p.SQL, items)
	if err != nil {
		if rerr := tx.Rollback(); rerr != nil && ctx.Err() == nil {
			return nil, k.problem(ctx, rerr)
		}
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, k.problem(ctx, err)
	}
	return map[string]any{"affected": affected, "items": len(items)}, nil
}

// each runs the prepared statement for every item.
func (k *client) each(ctx context.Context, tx *sql.Tx, s statement, items []any) (affected int, err error) {
	st, err := tx.PrepareContext(ctx, s.forDriver(k.Driver))
	if err != nil {
		return 0, k.problem(ctx, err)
	}
	defer st.Close()
	for i, item := range items {
		args, err := k.bind(s, item)
		if err != nil {
			return 0, argsProblem("item %d: %v", i, err)
		}
		res, err := st.ExecContext(ctx, args...)
		if err != nil {
			p := pipelined.AsProblem(k.problem(ctx, err)).Clone()
			p.Detail = fmt.Sprintf("at item %d: %s", i, p.Detail)
			return 0, p
		}
		n, err := res.RowsAffected()
		if err != nil {
			return 0, k.problem(ctx, err)
		}
		affected += int(n)
	}
	return affected, nil
}
