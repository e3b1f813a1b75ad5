package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

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
	out, err := collect(rows, err, scanExecution)
	if err != nil {
		return nil, s.failed(err, "read the history")
	}
	return out, nil
}

func scanExecution(rows *sql.Rows) (e store.Execution, err error) {
	text, err := scanText(rows)
	if err == nil {
		err = json.Unmarshal([]byte(text), &e)
	}
	return e, err
}

// GetExecution returns one execution, or nil.
func (s *Store) GetExecution(ctx context.Context, id string) (*store.Execution, error) {
	var text string
	err := s.read.QueryRowContext(ctx, "select record from executions where id = ?", id).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failed(err, "read execution %s", id)
	}
	e := &store.Execution{}
	if err := json.Unmarshal([]byte(text), e); err != nil {
		return nil, s.failed(err, "read execution %s", id)
	}
	return e, nil
}
