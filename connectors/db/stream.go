package db

import (
	"context"
	"database/sql"
	"runtime"
	"time"

	"pipelined/internal/value"
)

// stream is the rows of a query, one by one. It outlives the step that made it, so
// its life hangs on its own context: ended by Close, by the context of a Next, or
// when nobody has it any more.
type stream struct {
	rows   *sql.Rows
	reader *reader
	end    context.CancelCauseFunc
	cause  func() error // why it ended; nil while it has not

	watched <-chan struct{} // of the last Next's context
	unwatch func() bool
}

func (k *client) stream(ctx context.Context, s *prepared, args []any, limit time.Duration) (any, error) {
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	defer unwatch()
	if limit > 0 {
		timer := time.AfterFunc(limit, func() { end(context.DeadlineExceeded) })
		defer timer.Stop()
	}
	rows, err := k.db.QueryContext(life, s.text, args...)
	if err != nil {
		err = problem(context.Cause(life), err)
		end(nil)
		return nil, err
	}
	r, err := newReader(rows, k.dialect)
	if err != nil {
		err = problem(context.Cause(life), err)
		rows.Close()
		end(nil)
		return nil, err
	}
	out := &stream{rows: rows, reader: r, end: end, cause: func() error { return context.Cause(life) }}
	// A stream that a step made and nothing consumes must not keep its connection.
	runtime.AddCleanup(out, func(end context.CancelCauseFunc) { end(nil) }, end)
	return map[string]any{"rows": out}, nil
}

// Next returns the next row as a document.
func (s *stream) Next(ctx context.Context) (any, bool, error) {
	s.watch(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return nil, false, problem(cause, cause)
	}
	if !s.rows.Next() {
		if err := s.rows.Err(); err != nil {
			return nil, false, problem(s.cause(), err)
		}
		return nil, false, nil
	}
	row, err := s.reader.append(make([]byte, 0, 256))
	if err != nil {
		return nil, false, problem(s.cause(), err)
	}
	return value.Raw(row), true, nil
}

// watch lets the end of ctx end the rows. Loops give the same context every time.
func (s *stream) watch(ctx context.Context) {
	if ctx.Done() == s.watched {
		return
	}
	if s.unwatch != nil {
		s.unwatch()
	}
	s.watched = ctx.Done()
	end := s.end
	s.unwatch = context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
}

// Close gives the connection back.
func (s *stream) Close() error {
	if s.unwatch != nil {
		s.unwatch()
	}
	err := s.rows.Close()
	s.end(nil)
	return err
}
