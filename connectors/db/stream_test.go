package db_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"pipelined"
	"pipelined/connectors/connectortest"
	"pipelined/connectors/db"
	"pipelined/internal/value"
)

const numbers = "sql: |\n  with recursive n(id) as (select 1 union all select id + 1 from n where id < 1000) select id from n\nstream: true"

// single opens the database with one connection only, so that one which is not
// given back is missed.
func single(t *testing.T, d *database) *connectortest.Client {
	t.Helper()
	return connectortest.Open(t, db.Connector, d.connection+"max_open: 1\n")
}

// endless are queries whose rows never end.
var endless = map[string]string{
	"sqlite":   "with recursive n(id) as (select 1 union all select id + 1 from n) select id from n",
	"postgres": "with recursive n(id) as (select 1 union all select id + 1 from n) select id from n",
	"mysql":    "select seq as id from seq_1_to_1000000000",
}

func streamOf(t *testing.T, ctx context.Context, c *connectortest.Client) value.Stream {
	t.Helper()
	return queryStream(t, ctx, c, numbers)
}

func queryStream(t *testing.T, ctx context.Context, c *connectortest.Client, params string) value.Stream {
	t.Helper()
	out, err := c.Operate(ctx, "db.query", params, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out.(map[string]any)["rows"].(value.Stream)
}

func TestAStreamOutlivesItsStepAndGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		c := single(t, d)
		step, over := context.WithCancel(t.Context())
		s := streamOf(t, step, c)
		over()
		for i := range 1000 {
			row, ok, err := s.Next(t.Context())
			if err != nil || !ok {
				t.Fatalf("row %d: %v %v %v", i, row, ok, err)
			}
		}
		if _, ok, err := s.Next(t.Context()); ok || err != nil {
			t.Fatalf("behind the end: %v %v", ok, err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Fatalf("close: %v", err)
		}
		s = streamOf(t, t.Context(), c)
		if _, ok, err := s.Next(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := s.Close(); err != nil { // in the middle
			t.Fatal(err)
		}
		if _, err := c.Operate(t.Context(), "db.query", "sql: select 1 as one", nil); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAStreamEndsWithTheContextOfItsReader(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		s := queryStream(t, t.Context(), single(t, d), "sql: "+endless[d.driver]+"\nstream: true")
		defer s.Close()
		if _, _, err := s.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		if _, _, err := s.Next(ctx); err != nil {
			t.Fatal(err)
		}
		cancel(pipelined.ErrStopping)
		if _, _, err := s.Next(ctx); !errors.Is(err, pipelined.ErrStopping) {
			t.Errorf("%v", err)
		}
		for { // for anyone else too, as soon as the driver has noticed
			_, ok, err := s.Next(t.Context())
			if errors.Is(err, pipelined.ErrStopping) {
				return
			}
			if !ok || err != nil {
				t.Fatalf("%v %v", ok, err)
			}
		}
	})
}

func TestAStreamNobodyConsumesGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	d := setup(t, "sqlite")
	c := single(t, d)
	streamOf(t, t.Context(), c)
	done := make(chan error, 1)
	go func() {
		_, err := c.Operate(t.Context(), "db.query", "sql: select 1 as one", nil)
		done <- err
	}()
	for {
		runtime.GC()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		case <-t.Context().Done():
			t.Fatal("the connection never came back")
		default:
		}
	}
}

func TestAStreamFailsAsAQueryDoes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		p := d.fails(t, "db.query", "sql: select * from no_such_table\nstream: true", nil)
		if p.Type != "db/syntax" || !strings.Contains(p.Detail, "no_such_table") {
			t.Errorf("%v", p)
		}
	})
}
