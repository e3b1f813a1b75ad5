package db_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors/connectortest"
	"pipelined/connectors/db"
	"pipelined/internal/value"
)

// database is one that tests run on, with a table name of the test's own.
type database struct {
	driver, connection, table string
	*connectortest.Client
}

// addresses are where the services listen.
var addresses = map[string]string{"postgres": "127.0.0.1:5432", "mysql": "127.0.0.1:3306"}

// setup opens a database, or skips where its service is away, unless
// PIPELINED_TEST_REQUIRE names it.
func setup(t *testing.T, driver string) *database {
	t.Helper()
	d := &database{driver: driver, table: fmt.Sprintf("t%d", time.Now().UnixNano())}
	switch driver {
	case "sqlite":
		d.connection = "driver: sqlite\ncreate: true\npath: " + t.TempDir() + "/sub/data.db\n"
	case "postgres":
		d.connection = "driver: postgres\nurl: postgres://postgres:not-used@127.0.0.1:5432/test\n"
	case "mysql":
		d.connection = "driver: mysql\nurl: mysql://root@127.0.0.1:3306/test\n"
	}
	if at := addresses[driver]; at != "" {
		c, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(t.Context(), "tcp", at)
		switch {
		case err == nil:
			c.Close()
		case slices.Contains(strings.Split(os.Getenv("PIPELINED_TEST_REQUIRE"), ","), driver):
			t.Fatalf("%s is required: %v", driver, err)
		default:
			t.Skipf("%s is away: %v", driver, err)
		}
	}
	d.Client = connectortest.Open(t, db.Connector, d.connection)
	t.Cleanup(func() {
		d.Operate(context.WithoutCancel(t.Context()), "db.exec", "sql: drop table if exists "+d.table, nil)
	})
	return d
}

// each runs a test on every database.
func each(t *testing.T, test func(t *testing.T, d *database)) {
	t.Helper()
	for _, driver := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, driver))
		})
	}
}

// must runs an operation that has to succeed. {t} in the YAML is the table.
func (d *database) must(t *testing.T, key, params string, input any) map[string]any {
	t.Helper()
	out, err := d.Operate(t.Context(), key, d.yaml(params), input)
	if err != nil {
		t.Fatalf("%s: %v", params, err)
	}
	return out.(map[string]any)
}

func (d *database) yaml(params string) string { return strings.ReplaceAll(params, "{t}", d.table) }

// fails runs an operation that has to fail.
func (d *database) fails(t *testing.T, key, params string, input any) *pipelined.Problem {
	t.Helper()
	_, err := d.Operate(t.Context(), key, d.yaml(params), input)
	var p *pipelined.Problem
	if !errors.As(err, &p) {
		t.Fatalf("%s: %v, want a problem", params, err)
	}
	return p
}

func (d *database) rows(t *testing.T, sql string) string {
	t.Helper()
	return string(d.must(t, "db.query", "sql: |\n  "+sql, nil)["rows"].(value.Raw))
}

func TestConnector(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.must(t, "db.exec", "sql: create table {t} (id bigint primary key, name varchar(50) unique, total decimal(30,10))", nil)
		d.must(t, "db.batch", "sql: insert into {t} (id, name) values (?, ?)\nitems: [[1, ann], [2, bob], [3, null]]", nil)
		cases := []connectortest.Case{
			{Name: "named placeholders, a list in the order of the statement", Params: "sql: select name from {t} where id < :max and id >= :min and :max > 0 order by id\nargs: { min: 1, max: 3, unused: 1 }",
				Want: `{"rows": [{"name": "ann"}, {"name": "bob"}], "count": 2}`},
			{Name: "question marks", Params: "sql: select name from {t} where id = ? or name = ? order by id\nvalues: [1, bob]", Want: `{"count": 2}`},
			{Name: "numbered placeholders, in any order and more than once", Params: "sql: select name from {t} where id = $2 and name = $1 and $2 > 0\nvalues: [bob, 2]", Want: `{"rows": [{"name": "bob"}]}`},
			{Name: "no rows are an empty list", Params: "sql: select * from {t} where id = 99", Want: `{"rows": [], "count": 0}`},
			{Name: "null is null", Params: "sql: select name from {t} where id = 3", Want: `{"rows": [{"name": null}]}`},
			{Name: "a value is never part of the statement", Params: "sql: select id from {t} where name = :name\nargs: { name: \"${{ input }}\" }", Input: "x' or '1'='1", Want: `{"rows": []}`},
			{Name: "rows as a stream", Params: "sql: select id from {t} order by id\nstream: true", Want: `{"rows": [{"id": 1}, {"id": 2}, {"id": 3}]}`},
			{Name: "more rows than max_rows", Params: "sql: select id from {t}\nmax_rows: 2", Problem: "db/too-many-rows", Status: 500, Detail: "stream: true"},
			{Name: "exactly max_rows", Params: "sql: select id from {t}\nmax_rows: 3", Want: `{"count": 3}`},
			{Name: "an exec counts the rows it matched", Operation: "db.exec", Params: "sql: update {t} set total = 1 where id < 3", Want: `{"affected": 2}`},
			// Many of these at a time may deadlock in MySQL, which is another problem.
			{Name: "a name given twice", Operation: "db.exec", Params: "sql: insert into {t} (id, name) values (7, 'ann')", Problem: "db/constraint", Status: 409, Once: true},
			{Name: "a key given twice", Operation: "db.exec", Params: "sql: insert into {t} (id) values (:id)\nargs: { id: 1 }", Problem: "db/constraint", Status: 409, Once: true},
			{Name: "a table that is not there", Params: "sql: select * from no_such_table", Problem: "db/syntax", Status: 500, Detail: "no_such_table"},
			{Name: "a statement that is none", Operation: "db.exec", Params: "sql: selec 1", Problem: "db/syntax", Status: 500},
			{Name: "a name without an argument", Params: "sql: select :a, :b\nargs: { a: 1 }", Problem: "db/args", Detail: "no argument b"},
			{Name: "a list for names", Params: "sql: select :a\nvalues: [1]", Problem: "db/args", Detail: "map of args"},
			{Name: "a map for question marks", Params: "sql: select ?\nargs: { a: 1 }", Problem: "db/args", Detail: "list of values"},
			{Name: "too few for question marks", Params: "sql: select ?, ?\nvalues: [1]", Problem: "db/args", Detail: "2 placeholders, and there are 1 values"},
			{Name: "arguments nobody asked for", Params: "sql: select 1\nvalues: [1]", Problem: "db/args", Detail: "0 placeholders"},
			{Name: "a dialect that reads the statement otherwise", Params: "sql: select $$ ? $$, :a\nargs: { a: 1 }", Problem: "db/args", Detail: "several kinds"},
			{Name: "an item that is a number", Operation: "db.batch", Params: "sql: select 1\nitems: [1]", Problem: "db/args", Detail: "item 0"},
			{Name: "a batch of nothing", Operation: "db.batch", Params: "sql: delete from {t} where id = ?\nitems: []", Want: `{"affected": 0, "items": 0}`},
			{Name: "a batch of a text", Operation: "db.batch", Params: "sql: select 1\nitems: abc", Problem: "db/args", Detail: "items must be a list"},
		}
		if d.driver == "postgres" { // $$ quotes there
			cases = slices.DeleteFunc(cases, func(c connectortest.Case) bool { return strings.Contains(c.Params, "$$") })
		}
		for i := range cases {
			cases[i].Connection, cases[i].Params = d.connection, d.yaml(cases[i].Params)
			if cases[i].Operation == "" {
				cases[i].Operation = "db.query"
			}
		}
		connectortest.Run(t, db.Connector, cases)
	})
}

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.must(t, "db.exec", "sql: create table {t} (id bigint, total decimal(30,10), ratio double precision)", nil)
		d.must(t, "db.exec", "sql: insert into {t} values (:id, :total, :ratio)\nargs: { id: \"${{ input.id }}\", total: \"${{ input.total }}\", ratio: 0.1 }",
			value.Raw(`{"id": 9007199254740993, "total": 12345678901234567890.0123456789}`))
		want := `[{"id":9007199254740993,"total":12345678901234567890.0123456789,"ratio":0.1}]`
		if d.driver == "sqlite" { // its decimals are floats
			want = `[{"id":9007199254740993,"total":12345678901234567000,"ratio":0.1}]`
		}
		if got := d.rows(t, "select id, total, ratio from "+d.table); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestABatchIsAllOrNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.must(t, "db.exec", "sql: create table {t} (id bigint primary key, name varchar(20))", nil)
		items := make([]any, 1203)
		for i := range items {
			items[i] = map[string]any{"id": i, "name": "n", "more": true}
		}
		const insert = "sql: insert into {t} (id, name) values (:id, :name)\nitems: \"${{ input }}\""
		got := d.must(t, "db.batch", insert, items)
		if got["affected"] != 1203 || got["items"] != 1203 {
			t.Errorf("affected %v, items %v", got["affected"], got["items"])
		}
		for i := range items {
			items[i] = map[string]any{"id": 2000 + i, "name": "n"}
		}
		items[777] = map[string]any{"id": 5, "name": "secret-name"}
		p := d.fails(t, "db.batch", insert, items)
		if p.Type != "db/constraint" || !strings.Contains(p.Detail, "item 777") || strings.Contains(p.Error()+string(p.Data), "secret-name") {
			t.Errorf("%v %s", p, p.Data)
		}
		items[777] = map[string]any{"id": 1}
		if p = d.fails(t, "db.batch", insert, items); p.Type != "db/args" || !strings.Contains(p.Detail, "item 777") {
			t.Errorf("%v", p)
		}
		if n := d.rows(t, "select count(*) as n from "+d.table); n != `[{"n":1203}]` {
			t.Errorf("after two failures there are %s", n)
		}
	})
}

func TestAStreamFeedsABatch(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.must(t, "db.exec", "sql: create table {t} (id bigint)", nil)
		source := setup(t, "sqlite")
		out := source.must(t, "db.query", "sql: |\n  with recursive n(id) as (select 1 union all select id + 1 from n where id < 2000) select id from n\nstream: true", nil)
		got := d.must(t, "db.batch", "sql: insert into {t} values (:id)\nitems: \"${{ input }}\"", out["rows"])
		if got["items"] != 2000 {
			t.Errorf("%v", got)
		}
		if sum := d.rows(t, "select sum(id) as s from "+d.table); sum != `[{"s":2001000}]` {
			t.Errorf("the sum is %s", sum)
		}
	})
}

func TestLastID(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{"sqlite": "integer primary key autoincrement", "mysql": "bigint auto_increment primary key", "postgres": "bigserial primary key"}
	each(t, func(t *testing.T, d *database) {
		d.must(t, "db.exec", "sql: create table {t} (id "+kinds[d.driver]+", name varchar(20))", nil)
		d.must(t, "db.exec", "sql: insert into {t} (name) values ('a')", nil)
		got := d.must(t, "db.exec", "sql: insert into {t} (name) values ('b')", nil)
		if d.driver == "postgres" {
			if got["last_id"] != nil {
				t.Errorf("last_id %v", got["last_id"])
			}
		} else if got["last_id"] != 2 {
			t.Errorf("last_id %v", got["last_id"])
		}
		if got := d.rows(t, "insert into "+d.table+" (name) values ('c') returning id"); got != `[{"id":3}]` {
			t.Errorf("returning gives %s", got)
		}
	})
}

// slow is a statement that runs until it is stopped.
var slow = map[string]string{
	"sqlite":   "with recursive n(id) as (select 1 union all select id + 1 from n) select count(*) from n",
	"postgres": "select pg_sleep(30)",
	"mysql":    "select sleep(30)",
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		for _, more := range []string{"", "\nstream: true"} {
			began := time.Now()
			out, err := d.Operate(t.Context(), "db.query", "sql: "+slow[d.driver]+"\ntimeout: 100ms"+more, nil)
			if err == nil { // some drivers give rows before the first is there
				_, _, err = out.(map[string]any)["rows"].(value.Stream).Next(t.Context())
			}
			if p := pipelined.AsProblem(err); p == nil || p.Type != "db/timeout" || !p.Retriable || p.Status != 504 {
				t.Errorf("%q: %v", more, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%q: back after %v", more, took)
			}
		}
		if p := d.fails(t, "db.exec", "sql: "+slow[d.driver]+"\ntimeout: 50ms", nil); p.Type != "db/timeout" {
			t.Errorf("exec: %v", p)
		}
		if p := d.fails(t, "db.batch", "sql: "+slow[d.driver]+"\nitems: [[]]\ntimeout: 50ms", nil); p.Type != "db/timeout" {
			t.Errorf("batch: %v", p)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(pipelined.ErrStopping) })
		if _, err := d.Operate(ctx, "db.query", "sql: "+slow[d.driver], nil); !errors.Is(err, pipelined.ErrStopping) {
			t.Errorf("cancelled: %v", err)
		}
	})
}
