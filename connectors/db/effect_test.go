package db

import (
	"testing"

	"pipelined/connectors"
)

func TestWhatAStatementDoes(t *testing.T) {
	t.Parallel()
	reads := connectors.Effect{Outside: true, Reads: true, Idempotent: true}
	writes := connectors.Effect{Outside: true, Reads: true, Writes: true}
	again := connectors.Effect{Outside: true, Reads: true, Writes: true, Idempotent: true}
	for sql, want := range map[string]connectors.Effect{
		"select * from orders":                                       reads,
		"SELECT 'delete me' AS \"update\"":                           reads,
		"select 1 -- then insert":                                    reads,
		"with x as (select 1) select * from x for update":            reads,
		"with x as (delete from q returning *) select * from x":      writes,
		"insert into t values (1) returning id":                      writes,
		"update t set n = n + 1":                                     writes,
		"call refresh()":                                             writes,
		"insert into t values (1) on conflict do nothing":            again,
		"insert into t (a) values (1) on duplicate key update a = 1": again,
		"delete from t where id = 1":                                 again,
		"replace into t values (1)":                                  again,
	} {
		s := statement{postgres: prepared{text: sql}}
		if got := effectOf(s); got != want {
			t.Errorf("%s: %+v, want %+v", sql, got, want)
		}
	}
}
