package db_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors/connectortest"
	"pipelined/connectors/db"
	"pipelined/internal/value"
)

func TestPostgresColumns(t *testing.T) {
	t.Parallel()
	d := setup(t, "postgres")
	tests := []struct{ name, sql, want string }{
		{"integers", "select 9223372036854775807::bigint, 1::smallint, 5::int, 7::oid", `[{"int8":9223372036854775807,"int2":1,"int4":5,"oid":7}]`},
		{"decimals keep every digit", "select 0.10::numeric as a, -12345678901234567890.123456789::numeric as b, 'NaN'::numeric as c", `[{"a":0.10,"b":-12345678901234567890.123456789,"c":null}]`},
		{"floats", "select 0.1::float4 as a, 1e30::float4 as e, 0.1::float8 as b, 'NaN'::float8 as c, '-Infinity'::float4 as d", `[{"a":0.1,"e":1e+30,"b":0.1,"c":null,"d":null}]`},
		{"true and false", "select true as a, false as b, null::bool as c", `[{"a":true,"b":false,"c":null}]`},
		{"times in UTC", "select '2026-03-08 09:30:00.25+02'::timestamptz as a, '2026-03-08 09:30:00'::timestamp as b", `[{"a":"2026-03-08T07:30:00.25Z","b":"2026-03-08T09:30:00Z"}]`},
		{"days are days, and times of day texts", "select '2026-03-08'::date as a, '09:30:00'::time as b", `[{"a":"2026-03-08","b":"09:30:00"}]`},
		{"a time that never comes", "select 'infinity'::timestamptz as a, '-infinity'::date as b", `[{"a":"infinity","b":"-infinity"}]`},
		{"JSON is JSON, digit by digit", `select '{"n": 1.10}'::json as a, '[1.10]'::jsonb as b`, `[{"a":{"n": 1.10},"b":[1.10]}]`},
		{"bytes", `select '\x00ff'::bytea as a`, `[{"a":"AP8="}]`},
		{"a uuid, an interval and an enumeration are texts", `select '0198c5a2-7b1e-7000-8000-000000000000'::uuid as a, '1 day'::interval as b`, `[{"a":"0198c5a2-7b1e-7000-8000-000000000000","b":"1 day"}]`},
		{"arrays are lists", `select array[1,null,3] as a, array['a b','c"d','NULL',null,'']::text[] as b, '{}'::int[] as c, array[true,false] as d, array[[1,2],[3,4]] as e`,
			`[{"a":[1,null,3],"b":["a b","c\"d","NULL",null,""],"c":[],"d":[true,false],"e":[[1,2],[3,4]]}]`},
		{"arrays of decimals, bytes and JSON", `select array[1.10,'NaN']::numeric[] as a, array['\x00ff']::bytea[] as b, array['{"n": 1.10}']::jsonb[] as c, '[0:1]={5,6}'::int[] as d`,
			`[{"a":[1.10,null],"b":["AP8="],"c":[{"n": 1.10}],"d":[5,6]}]`},
		{"texts with everything", `select E'a"b\\c\n' as a, 'ü' as b, 'x'::char(3) as c`, `[{"a":"a\"b\\c\n","b":"ü","c":"x  "}]`},
		{"names given twice stay", "select 1 as a, 2 as a", `[{"a":1,"a":2}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := d.rows(t, tt.sql); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPostgresArguments(t *testing.T) {
	t.Parallel()
	d := setup(t, "postgres")
	input := value.Raw(`{"ids": [1, 3], "names": ["a", null], "doc": {"n": 1.10, "list": [1]}, "big": 12345678901234567890.5, "at": "2026-03-08T09:30:00Z", "none": []}`)
	tests := []struct{ name, sql, args, want string }{
		{"a list is an array", "select n from generate_series(1,4) n where n = any(:ids)", "{ ids: \"${{ input.ids }}\" }", `[{"n":1},{"n":3}]`},
		{"with nulls in it", "select cardinality(:names::text[]) as n", "{ names: \"${{ input.names }}\" }", `[{"n":2}]`},
		{"or an empty one", "select :none::int[] as a", "{ none: \"${{ input.none }}\" }", `[{"a":[]}]`},
		{"or JSON, where JSON is wanted", "select :ids::jsonb as a, :doc::jsonb as b, :doc::json as c", "{ ids: \"${{ input.ids }}\", doc: \"${{ input.doc }}\" }", `[{"a":[1, 3],"b":{"n": 1.10, "list": [1]},"c":{"n": 1.10, "list": [1]}}]`},
		{"a decimal keeps its digits", "select :big::numeric as a", "{ big: \"${{ input.big }}\" }", `[{"a":12345678901234567890.5}]`},
		{"a text is a time where one is wanted", "select :at::timestamptz as a", "{ at: \"${{ input.at }}\" }", `[{"a":"2026-03-08T09:30:00Z"}]`},
		{"null, true and a float", "select :a::text as a, :b::bool as b, :c::float8 as c", "{ a: null, b: true, c: 0.5 }", `[{"a":null,"b":true,"c":0.5}]`},
		{"an operator with a question mark", `select '{"a":1}'::jsonb ?? :key as has`, "{ key: a }", `[{"has":true}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := d.must(t, "db.query", "sql: |\n  "+tt.sql+"\nargs: "+tt.args, input)["rows"]
			if string(got.(value.Raw)) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPostgresProblems(t *testing.T) {
	t.Parallel()
	d := setup(t, "postgres")
	d.must(t, "db.exec", "sql: create table {t} (id int primary key, name text not null, qty int constraint positive check (qty > 0), parent int references {t}(id))", nil)
	tests := []struct {
		name, sql, args, problem, detail, data string
		retriable                              bool
	}{
		{"a check names itself", "insert into {t} values (1, 'secret-v', -1)", "", "db/constraint", "constraint positive", `"constraint":"positive"`, false},
		{"a reference that leads nowhere", "insert into {t} values (1, 'secret-v', 1, 77)", "", "db/constraint", "_parent_fkey", `"code":"23503"`, false},
		{"a null names its column", "insert into {t} (id) values (1)", "", "db/constraint", "column name needs a value", `"column":"name"`, false},
		{"a text that is no number", "insert into {t} values (:id, 'a', 1)", "{ id: secret-v }", "db/data", "", "", false},
		{"a number for a text names the argument", "insert into {t} values (1, :name, 1)", "{ name: 4711 }", "db/data", "argument 1", "", false},
		{"a number beyond its column", "insert into {t} values (:id, 'a', 1)", "{ id: 99999999999 }", "db/data", "", "", false},
		{"an unknown column", "select nothing from {t}", "", "db/syntax", "nothing", `"code":"42703"`, false},
		{"a division by zero", "select 1/0", "", "db/data", "22012", "", false},
		{"what a procedure raises keeps its words to itself", "do $$ begin raise exception 'secret-v'; end $$", "", "db/syntax", "P0001", "", false},
		{"a serialization failure is retriable", "do $$ begin raise exception 'secret-v' using errcode = '40001'; end $$", "", "db/busy", "40001", "", true},
		{"a lock that is taken is retriable", "do $$ begin raise exception 'secret-v' using errcode = '55P03'; end $$", "", "db/busy", "", "", true},
		{"a server that stops is retriable", "do $$ begin raise exception 'secret-v' using errcode = '57P01'; end $$", "", "db/connection", "", "", true},
		{"a statement the server stopped is a time limit", "do $$ begin raise exception 'secret-v' using errcode = '57014'; end $$", "", "db/timeout", "", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			params := "sql: |\n  " + tt.sql
			if tt.args != "" {
				params += "\nargs: " + tt.args
			}
			p := d.fails(t, "db.exec", params, nil)
			if p.Type != tt.problem || p.Retriable != tt.retriable || !strings.Contains(p.Detail, tt.detail) || !strings.Contains(string(p.Data), tt.data) {
				t.Errorf("%s, retriable %v: %s, %s", p.Type, p.Retriable, p.Detail, p.Data)
			}
			if text := p.Error() + string(p.Data); strings.Contains(text, "secret-v") || strings.Contains(text, "4711") {
				t.Errorf("a value is in the problem: %s", text)
			}
		})
	}
}

func TestMySQLColumns(t *testing.T) {
	t.Parallel()
	d := setup(t, "mysql")
	d.must(t, "db.exec", "sql: create table {t} (a bigint unsigned, b tinyint(1), c bit(10), d decimal(20,5), e float, f double, g datetime(3), h timestamp null, i date, j time, k year, l varbinary(9), m text, n blob, o enum('x','y'), p int)", nil)
	d.must(t, "db.exec", `sql: |
  insert into {t} values (18446744073709551615, 1, b'1000000001', 0.10000, 0.1, 1e25, '2026-03-08 09:30:00.250', '2026-03-08 09:30:00', '2026-03-08', '09:30:00', 2026, x'00ff', 'ü"', x'00ff', 'x', null)`, nil)
	want := `[{"a":18446744073709551615,"b":1,"c":513,"d":0.10000,"e":0.1,"f":1e+25,"g":"2026-03-08T09:30:00.25Z","h":"2026-03-08T09:30:00Z","i":"2026-03-08","j":"09:30:00","k":2026,"l":"AP8=","m":"ü\"","n":"AP8=","o":"x","p":null}]`
	if got := d.rows(t, "select * from "+d.table); got != want {
		t.Errorf("text protocol:\n got %s\nwant %s", got, want)
	}
	got := d.must(t, "db.query", "sql: select * from {t} where b = ?\nvalues: [1]", nil)["rows"]
	if string(got.(value.Raw)) != want {
		t.Errorf("binary protocol:\n got %s\nwant %s", got, want)
	}
	if got := d.rows(t, "select cast('0000-00-00' as date) as a"); got != `[{"a":null}]` {
		t.Errorf("a day that is none: %s", got)
	}
}

func TestMySQLArguments(t *testing.T) {
	t.Parallel()
	d := setup(t, "mysql")
	d.must(t, "db.exec", "sql: create table {t} (a decimal(40,10), b text, c datetime, d varchar(50), e boolean)", nil)
	d.must(t, "db.exec", "sql: insert into {t} values (:a, :b, :c, :d, :e)\nargs: { a: \"${{ input.a }}\", b: \"${{ input.b }}\", c: \"${{ date(input.c) }}\", d: \"${{ input.d }}\", e: true }",
		value.Raw(`{"a": 12345678901234567890.0000000001, "b": {"n": 1.10}, "c": "2026-03-08T09:30:00Z", "d": "it's \\ ? :d"}`))
	want := `[{"a":12345678901234567890.0000000001,"b":"{\"n\": 1.10}","c":"2026-03-08T09:30:00Z","d":"it's \\ ? :d","e":1}]`
	if got := d.rows(t, "select * from "+d.table); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := d.rows(t, `select 'it\'s :no ?' as a, 2--1 as b -- :no ?`); got != `[{"a":"it's :no ?","b":3}]` {
		t.Errorf("quotes and comments: %s", got)
	}
}

func TestMySQLProblems(t *testing.T) {
	t.Parallel()
	d := setup(t, "mysql")
	d.must(t, "db.exec", "sql: create table {t} (id int primary key, name varchar(5) not null, email varchar(50), qty int, parent int, unique key uq_email (email), constraint c_{t} check (qty > 0), constraint f_{t} foreign key (parent) references {t}(id))", nil)
	d.must(t, "db.exec", "sql: insert into {t} values (1, 'a', 'secret-v', 1, null)", nil)
	tests := []struct {
		name, sql, problem, data string
		retriable                bool
	}{
		{"a key given twice names itself and not its value", "insert into {t} values (2, 'a', 'secret-v', 1, null)", "db/constraint", `"constraint":"uq_email"`, false},
		{"a check", "insert into {t} values (2, 'a', 'b', -1, null)", "db/constraint", `"code":"4025"`, false},
		{"a reference that leads nowhere", "insert into {t} values (2, 'a', 'b', 1, 99)", "db/constraint", `"constraint":"f_`, false},
		{"a null", "insert into {t} values (2, null, 'b', 1, null)", "db/constraint", `"column":"name"`, false},
		{"a column without a default", "insert into {t} (id) values (2)", "db/constraint", `"column":"name"`, false},
		{"a text that is too long", "insert into {t} values (2, 'secret-v', 'b', 1, null)", "db/data", `"code":"1406"`, false},
		{"a text that is no number", "insert into {t} values ('secret-v', 'a', 'b', 1, null)", "db/data", "", false},
		{"a column nobody knows", "select nothing from {t}", "db/syntax", `"code":"1054"`, false},
		{"a deadlock is retriable", "signal sqlstate '40001' set mysql_errno = 1213, message_text = 'secret-v'", "db/busy", "", true},
		{"a server that stops is retriable", "signal sqlstate '08S01' set mysql_errno = 1053, message_text = 'secret-v'", "db/connection", "", true},
		{"a statement the server stopped is a time limit", "signal sqlstate '70100' set mysql_errno = 1317, message_text = 'secret-v'", "db/timeout", "", true},
		{"what a procedure raises keeps its words to itself", "signal sqlstate '45000' set message_text = 'secret-v'", "db/syntax", `"code":"1644"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := d.fails(t, "db.exec", "sql: |\n  "+tt.sql, nil)
			if p.Type != tt.problem || p.Retriable != tt.retriable || !strings.Contains(string(p.Data), tt.data) {
				t.Errorf("%s, retriable %v: %s, %s", p.Type, p.Retriable, p.Detail, p.Data)
			}
			if text := p.Error() + string(p.Data); strings.Contains(text, "secret-v") {
				t.Errorf("a value is in the problem: %s", text)
			}
		})
	}
}

func TestSQLiteColumns(t *testing.T) {
	t.Parallel()
	d := setup(t, "sqlite")
	d.must(t, "db.exec", "sql: create table {t} (a integer, b boolean, c decimal(20,5), d real, e datetime, f date, g blob, h text, i json, j any)", nil)
	d.must(t, "db.exec", "sql: insert into {t} values (:a, :b, 0.1, 0.5, :e, '2026-03-08', x'00ff', 'ü', :i, 'x')\nargs: { a: 9223372036854775807, b: true, e: \"${{ date(input.at) }}\", i: \"${{ input }}\" }",
		value.Raw(`{"at": "2026-03-08T09:30:00Z"}`))
	want := `[{"a":9223372036854775807,"b":true,"c":0.1,"d":0.5,"e":"2026-03-08T09:30:00Z","f":"2026-03-08","g":"AP8=","h":"ü","i":{"at": "2026-03-08T09:30:00Z"},"j":"x"}]`
	if got := d.rows(t, "select * from "+d.table); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := d.rows(t, "select 1 as [a:b?], ':x' as \"c?\", 2 as `d:e` -- :f ?"); got != `[{"a:b?":1,"c?":":x","d:e":2}]` {
		t.Errorf("quotes and comments: %s", got)
	}
}

func TestSQLiteFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a b?c.db") // a name that a URL would take apart
	made := connectortest.Open(t, db.Connector, "driver: sqlite\ncreate: true\npath: \""+file+"\"\n")
	if _, err := made.Operate(t.Context(), "db.exec", "sql: create table t (id integer primary key)", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "text.db"), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	connectortest.Run(t, db.Connector, []connectortest.Case{
		{Name: "a file is below the project folder", Dir: dir, Connection: "driver: sqlite\npath: \"a b?c.db\"", Params: "sql: select count(*) as n from t", Want: `{"rows": [{"n": 0}]}`},
		{Name: "read_only does not write", Dir: dir, Operation: "db.exec", Connection: "driver: sqlite\nread_only: true\npath: \"a b?c.db\"", Params: "sql: insert into t values (1)", Problem: "db/syntax", Detail: "reading only"},
		{Name: "a missing file is not made in silence", Dir: dir, Connection: "driver: sqlite\npath: none.db", Params: "sql: select 1", Problem: "db/connection", Status: 503, Detail: "create: true"},
		{Name: "a file that is no database", Dir: dir, Connection: "driver: sqlite\npath: text.db", Params: "sql: select 1 from t", Problem: "db/connection"},
		{Name: "a missing value names its column", Dir: dir, Operation: "db.exec", Connection: "driver: sqlite\npath: \"a b?c.db\"", Params: "sql: insert into t values ('secret')", Problem: "db/data", Once: true},
	})
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("none.db was made")
	}
}

func TestSQLiteConstraintsAreNamed(t *testing.T) {
	t.Parallel()
	d := setup(t, "sqlite")
	d.must(t, "db.exec", "sql: create table {t} (id integer primary key, email text unique, qty integer check (qty > 0), parent integer references {t}(id))", nil)
	for sql, want := range map[string]string{
		"insert into {t} (email, qty) values ('secret-v', 0)":    "qty > 0",
		"insert into {t} (email, parent) values ('secret-v', 9)": "FOREIGN KEY",
	} {
		p := d.fails(t, "db.exec", "sql: "+sql, nil)
		if p.Type != "db/constraint" || strings.Contains(p.Error(), "secret-v") {
			t.Errorf("%s: %v, %s; want %s", sql, p, p.Data, want)
		}
	}
	d.must(t, "db.exec", "sql: insert into {t} (email) values ('secret-v')", nil)
	p := d.fails(t, "db.exec", "sql: insert into {t} (email) values ('secret-v')", nil)
	if !strings.Contains(string(p.Data), d.table+".email") {
		t.Errorf("%s", p.Data)
	}
}

func TestConnectionProblems(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	cases := []connectortest.Case{
		{Name: "postgres is away", Connection: "driver: postgres\nurl: postgres://me:secret-word@" + closed + "/db", Params: "sql: select 1", Problem: "db/connection", Status: 503, Retriable: true},
		{Name: "mysql is away", Connection: "driver: mysql\nurl: mysql://me:secret-word@" + closed + "/db", Params: "sql: select 1", Problem: "db/connection", Status: 503, Retriable: true},
		{Name: "a stream when it is away", Connection: "driver: mysql\nurl: mysql://me:secret-word@" + closed + "/db", Params: "sql: select 1\nstream: true", Problem: "db/connection", Status: 503, Retriable: true},
		{Name: "a batch when it is away", Operation: "db.batch", Connection: "driver: postgres\nurl: postgres://me:secret-word@" + closed + "/db", Params: "sql: select 1\nitems: [[]]", Problem: "db/connection", Status: 503, Retriable: true},
	}
	connectortest.Run(t, db.Connector, cases)
	t.Run("postgres without the database", func(t *testing.T) {
		t.Parallel()
		setup(t, "postgres")
		connectortest.Run(t, db.Connector, []connectortest.Case{
			{Name: "is not retriable", Connection: "driver: postgres\nurl: postgres://postgres:secret-word@127.0.0.1:5432/no_such_db", Params: "sql: select 1", Problem: "db/connection", Status: 503, Detail: "refuses"},
		})
	})
	t.Run("mysql with a wrong password", func(t *testing.T) {
		t.Parallel()
		setup(t, "mysql")
		connectortest.Run(t, db.Connector, []connectortest.Case{
			{Name: "is not retriable", Connection: "driver: mysql\nurl: mysql://nobody:secret-word@127.0.0.1:3306/test", Params: "sql: select 1", Problem: "db/connection", Status: 503, Detail: "refuses"},
		})
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, conn := range map[string]string{
		"sqlite with an empty path":      "driver: sqlite\npath: ''",
		"postgres with an empty url":     "driver: postgres\nurl: ''",
		"a url of another database":      "driver: postgres\nurl: mysql://a:secret@b/c",
		"a url of another database, too": "driver: mysql\nurl: postgres://a:secret@b/c",
		"a url without a scheme":         "driver: postgres\nurl: \"host=a password=secret\"",
		"a url that is none":             "driver: postgres\nurl: \"postgres://a:secret@b:port/c\"",
		"a parameter nobody reads":       "driver: mysql\nurl: mysql://a:secret@b/c?parseTime=false",
		"a tls that is none":             "driver: mysql\nurl: mysql://a:secret@b/c?tls=secret",
	} {
		err := connectortest.OpenError(t, db.Connector, conn, t.TempDir())
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := connectortest.OpenError(t, db.Connector, "driver: mysql\nurl: mysql://a:secret@b/c?tls=skip-verify", ""); err != nil {
		t.Errorf("tls: %v", err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := connectortest.OpenError(t, db.Connector, "driver: sqlite\ncreate: true\npath: "+blocked+"/a.db", ""); err == nil {
		t.Error("a folder was made where a file is")
	}
}

// Two transactions that want each other's rows: one gives way.
func TestADeadlockIsRetriable(t *testing.T) {
	t.Parallel()
	d := setup(t, "postgres")
	d.must(t, "db.exec", "sql: create table {t} (id int primary key, n int)", nil)
	d.must(t, "db.batch", "sql: insert into {t} values (?, 0)\nitems: [[1], [2]]", nil)
	errs := make(chan error, 2)
	for _, order := range [][2]string{{"1", "2"}, {"2", "1"}} {
		go func() {
			sql := "do $$ begin update {t} set n = 1 where id = " + order[0] + "; perform pg_sleep(0.5); update {t} set n = 1 where id = " + order[1] + "; end $$"
			_, err := d.Operate(t.Context(), "db.exec", d.yaml("sql: "+sql), nil)
			errs <- err
		}()
	}
	failed := 0
	for range 2 {
		if err := <-errs; err != nil {
			failed++
			if p := pipelined.AsProblem(err); p.Type != "db/busy" || !p.Retriable || p.Status != 503 {
				t.Errorf("%v", err)
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d of two gave way", failed)
	}
}

func TestBytesAndTimesAreSentAsSuch(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{"sqlite": "blob", "mysql": "varbinary(9)", "postgres": "bytea"}
	each(t, func(t *testing.T, d *database) {
		d.must(t, "db.exec", "sql: create table {t} (b "+kinds[d.driver]+", at timestamp null)", nil)
		d.must(t, "db.exec", "sql: insert into {t} values (:b, :at)\nargs: { b: \"${{ input.b }}\", at: \"${{ input.at }}\" }",
			map[string]any{"b": []byte{0, 255}, "at": time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)})
		d.must(t, "db.batch", "sql: insert into {t} values (?, ?)\nitems: \"${{ input }}\"", []any{[]any{[]byte{0, 255}, nil}})
		if got := d.rows(t, "select * from "+d.table); got != `[{"b":"AP8=","at":"2026-03-08T09:30:00Z"},{"b":"AP8=","at":null}]` {
			t.Error(got)
		}
	})
}
