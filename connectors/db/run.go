package db

import (
	"context"
	"time"

	"pipelined"
	"pipelined/internal/value"
)

func (k *client) query(ctx context.Context, p queryParams) (any, error) {
	s := p.SQL.of(k.dialect)
	args, err := k.bind(s, p.Args, p.Values)
	if err != nil {
		return nil, err
	}
	if p.Stream {
		return k.stream(ctx, s, args, p.Timeout)
	}
	ctx, cancel := withTimeout(ctx, p.Timeout)
	defer cancel()
	rows, err := k.db.QueryContext(ctx, s.text, args...)
	if err != nil {
		return nil, problem(context.Cause(ctx), err)
	}
	defer rows.Close()
	r, err := newReader(rows, k.dialect)
	if err != nil {
		return nil, problem(context.Cause(ctx), err)
	}
	list, n, err := r.all(p.MaxRows)
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		return nil, problem(context.Cause(ctx), err)
	}
	return map[string]any{"rows": list, "count": n}, nil
}

// all reads the rows into one list, at most limit of them.
func (r *reader) all(limit int) (list value.Raw, n int, err error) {
	out := append(make([]byte, 0, 1024), '[')
	for ; r.rows.Next(); n++ {
		if n >= limit {
			return "", 0, pipelined.Problemf("db/too-many-rows", "The query gives too many rows", 500,
				"more than max_rows (%d); use stream: true with foreach, a limit in the statement, or a higher max_rows", limit)
		}
		if n > 0 {
			out = append(out, ',')
		}
		if out, err = r.append(out); err != nil {
			return "", 0, err
		}
	}
	return value.Raw(append(out, ']')), n, nil
}

// withTimeout leaves the context as it is where there is no limit.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

func (k *client) exec(ctx context.Context, p execParams) (any, error) {
	s := p.SQL.of(k.dialect)
	args, err := k.bind(s, p.Args, p.Values)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withTimeout(ctx, p.Timeout)
	defer cancel()
	res, err := k.db.ExecContext(ctx, s.text, args...)
	if err != nil {
		return nil, problem(context.Cause(ctx), err)
	}
	affected, err := res.RowsAffected()
	if err != nil {
		return nil, problem(context.Cause(ctx), err)
	}
	out := map[string]any{"affected": int(affected), "last_id": nil}
	if k.dialect != postgres { // it has returning instead
		if id, err := res.LastInsertId(); err == nil {
			out["last_id"] = int(id)
		}
	}
	return out, nil
}
