package db_test

import (
	"strings"
	"testing"

	"pipelined/connectors/connectortest"
	"pipelined/connectors/db"
)

func TestStatements(t *testing.T) {
	t.Parallel()
	// A statement's text for PostgreSQL, MySQL and SQLite, where they differ; = is
	// the one before.
	tests := []struct{ name, sql, postgres, mysql, sqlite, args string }{
		{"a name", "select :a", "select $1", "select ?", "=", "a"},
		{"a name twice", "select :a, :b, :a", "select $1, $2, $3", "select ?, ?, ?", "=", "a b a"},
		{"a question mark", "a = ? and b=?", "a = $1 and b=$2", "a = ? and b=?", "=", "0 1"},
		{"a number", "a = $2 and b = $1", "a = $1 and b = $2", "a = ? and b = ?", "=", "1 0"},
		{"a doubled question mark is an operator", "a ?? 'b' and c = :c", "a ? 'b' and c = $1", "a ? 'b' and c = ?", "=", "c"},
		{"a cast", "select :a::int, '1'::int", "select $1::int, '1'::int", "select ?::int, '1'::int", "=", "a"},
		{"an assignment", "select @x := :a", "select @x := $1", "select @x := ?", "=", "a"},
		{"a slice", "select a[1:2], a[lo:hi], :b", "select a[1:2], a[lo:hi], $1", "select a[1:2], a[lo:hi], ?", "select a[1:2], a[lo:hi], ?", "b"},
		{"a name with a dollar", "select v$1 from v$session where a = :a", "select v$1 from v$session where a = $1", "select v$1 from v$session where a = ?", "=", "a"},
		{"quotes", `select ':a ?' , ":b", 'it''s :c', :d`, `select ':a ?' , ":b", 'it''s :c', $1`, `select ':a ?' , ":b", 'it''s :c', ?`, "=", "d"},
		{"comments", "select 1 -- :a\n, /* :b ? */ :c", "select 1 -- :a\n, /* :b ? */ $1", "select 1 -- :a\n, /* :b ? */ ?", "=", "c"},
		{"a comment to the end", "select :a -- ?", "select $1 -- ?", "select ? -- ?", "=", "a"},
		{"an open quote", "select :a, 'b :c", "select $1, 'b :c", "select ?, 'b :c", "=", "a"},
		{"an open comment", "select :a /* :b", "select $1 /* :b", "select ? /* :b", "=", "a"},
		{"no placeholder", "select a:b, 10:30, : x, $, $x", "select a:b, 10:30, : x, $, $x", "=", "=", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tt.postgres
			for _, d := range []struct{ name, want string }{{"postgres", tt.postgres}, {"mysql", tt.mysql}, {"sqlite", tt.sqlite}} {
				if d.want != "=" {
					want = d.want
				}
				got, args, err := db.Prepare(tt.sql, d.name)
				if err != nil || got != want || strings.Join(args, " ") != tt.args {
					t.Errorf("%s: %q %v %v; want %q %s", d.name, got, args, err, want, tt.args)
				}
			}
		})
	}
}

func TestStatementsOfOneDialect(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, dialect, sql, want string }{
		{"dollar quotes", "postgres", "select $$ :a ? $$, $x$ $$ :b $x$, :c", "select $$ :a ? $$, $x$ $$ :b $x$, $1"},
		{"a dollar quote that is open", "postgres", "select :a, $x$ :b", "select $1, $x$ :b"},
		{"escape strings", "postgres", `select e'\':a', E'\\', :b`, `select e'\':a', E'\\', $1`},
		{"a backslash is nothing special in others", "postgres", `select '\', :b, name'\', :c`, `select '\', $1, name'\', $2`},
		{"comments inside comments", "postgres", "/* a /* :b */ :c */ select :d", "/* a /* :b */ :c */ select $1"},
		{"but not elsewhere", "sqlite", "/* a /* :b */ select :d", "/* a /* :b */ select ?"},
		{"backslashes", "mysql", `select 'it\'s :a', "\":b", :c`, `select 'it\'s :a', "\":b", ?`},
		{"backticks", "mysql", "select `a:b?`, :c", "select `a:b?`, ?"},
		{"a hash begins a comment", "mysql", "select 1 # :a\n, :b", "select 1 # :a\n, ?"},
		{"but not in PostgreSQL", "postgres", "select a #> :b", "select a #> $1"},
		{"a minus of a negative number", "mysql", "select 1--:a", "select 1--?"},
		{"brackets", "sqlite", "select [a:b?], :c", "select [a:b?], ?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, _, err := db.Prepare(tt.sql, tt.dialect); err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	connectortest.Golden(t, db.Connector, "testdata/findings.txt")
	if len(db.Codes()) != 2 {
		t.Errorf("codes: %v", db.Codes())
	}
}

// Whatever the statement, the placeholders of the driver are as many as the
// arguments, and a text without any stays as it is.
func FuzzPrepare(f *testing.F) {
	for _, s := range []string{"select :a", "? ?? $1", "':a", `"\"`, "$$ :a $$", "$a$", "e'\\'", "/*/* */", "-- :a\n:b", "a::b :c:=1", "[:a]", "`", "#:a", ":é", "::", "$99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		for _, dialect := range []string{"postgres", "mysql", "sqlite"} {
			got, args, err := db.Prepare(sql, dialect)
			if err != nil {
				continue
			}
			// Only a doubled ? outside of texts becomes one.
			if len(args) == 0 && (strings.ReplaceAll(sql, "?", "") != strings.ReplaceAll(got, "?", "") || strings.Count(got, "?") > strings.Count(sql, "?")) {
				t.Fatalf("%s: %q became %q", dialect, sql, got)
			}
			if len(args) > 0 && dialect == "postgres" && !strings.Contains(got, "$1") {
				t.Fatalf("%q has %v and became %q", sql, args, got)
			}
			if strings.Count(got, "'") != strings.Count(sql, "'") {
				t.Fatalf("%s: quotes of %q are not those of %q", dialect, got, sql)
			}
		}
	})
}

// A PostgreSQL array is told as JSON, whatever stands in it.
func FuzzArray(f *testing.F) {
	for _, s := range []string{"{}", "{1,2}", `{"a\"b",NULL}`, "{{1},{2}}", "[0:1]={1,2}", "{", "{,}", `{"`, "{a}b", "{{{{{{{1}}}}}}}", "{1,{2}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := db.Array(text); !db.IsJSON(got) {
			t.Fatalf("%q became %s", text, got)
		}
	})
}
