package main

import (
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver called sqlite
)

var update = flag.Bool("update", false, "write what the kept stores hold; only for stores that are new")

const storesDir = "testdata/stores"

// section is one part of a listing: a query with one text a row.
type section struct{ table, query string }

// sections say what a store holds, as the versions wrote it whose stores are kept. A
// table that only some of them have is left out for the others.
var sections = []section{
	{"subscriptions", `select name || ': floor ' || floor || iif(done = '', '', ', done ' || done) from subscriptions order by name`},
	{"events", `select type || ': ' || count(*) || ', ' || min(seq) || ' to ' || max(seq) from events group by type order by min(seq)`},
	{"deferred", `select subscription || ': attempt ' || attempt || ' of ' || type || ' ' || seq || iif(event_attempt > 1, ' (its attempt ' || event_attempt || ')', '') ||
		iif(order_key = '', '', ', key ' || order_key) || ', due ' || time(due / 1000000, 'unixepoch') || ', data ' || data from deferred order by id`},
	{"parked", `select subscription || ' ' || grp || ': ' || count(*) || ', ' || min(seq) || ' to ' || max(seq) from parked group by subscription, grp order by 1`},
	{"delayed", `select type || ' ' || id || iif(dedupe = '', '', ', published as ' || dedupe) || ', key ' || key || ', due ' || datetime(due / 1000000, 'unixepoch') || ', data ' || data from delayed order by n`},
	{"dedupe", `select type || ' ' || id || ', until ' || date(expires / 1000000, 'unixepoch') from dedupe order by type, id`},
	{"ticks", `select pipeline || ' ' || datetime(scheduled / 1000000, 'unixepoch') from ticks order by pipeline, scheduled`},
	{"meta", `select key || ' = ' || value from meta order by key`},
	{"documents", `select collection || ' ' || id || ', version ' || version || iif(expires = 0, '', ', until ' || date(expires / 1000000, 'unixepoch')) || ', ' || case
			when json_extract(body, '$.error.type') is not null then json_extract(body, '$.pipeline') || ', ' || json_extract(body, '$.status') || ', attempt ' ||
				coalesce(json_extract(body, '$.attempts'), json_extract(body, '$.attempt')) || coalesce(', due ' || json_extract(body, '$.next_attempt_at'), '') ||
				', ' || json_extract(body, '$.error.type') || ', input ' || json_extract(body, '$.input')
			when length(body) > 200 then substr(body, 1, 200) || '…'
			else body end from documents
		where collection in (select collection from documents group by 1 having count(*) <= 50)
		union all select collection || ': ' || count(*) || ', ' || min(id) || ' to ' || max(id) from documents group by collection having count(*) > 50 order by 1`},
	{"document_versions", `select collection || ' ' || id || ', version ' || version || ', ' || body from document_versions order by n`},
	{"executions", `select pipeline || ' ' || status || ': ' || count(*) from executions group by pipeline, status order by 1`},
}

// TestStoresHold compares each kept store with the listing beside it, so that one can
// see what it holds, and that nobody wrote it anew.
func TestStoresHold(t *testing.T) {
	t.Parallel()
	for _, name := range storeNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), name)
			copyStore(t, name, dir)
			got := listing(t, openStore(t, dir))
			file := filepath.Join(storesDir, name, "holds.txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the store does not hold what %s says:\n%s", file, got)
			}
		})
	}
}

// storeNames lists the kept stores.
func storeNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(storesDir, "*", "data.db"))
	if err != nil || len(files) == 0 {
		t.Fatal("no store is kept: the test looks in the wrong place", err)
	}
	for i, file := range files {
		files[i] = filepath.Base(filepath.Dir(file))
	}
	return files
}

// copyStore copies a kept project with its store, so that the test has its own.
func copyStore(t *testing.T, name, dir string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(storesDir, name))); err != nil {
		t.Fatal(err)
	}
}

// openStore opens the copy of a store as the plain database it is.
func openStore(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "data.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// listing is what a store holds, for people.
func listing(t *testing.T, db *sql.DB) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Listed by: go test ./cmd/pipelined -run TestStoresHold -update\n")
	b.WriteString("schema " + row(t, db, "select user_version from pragma_user_version") + "\n")
	tables := rows(t, db, "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
	for _, s := range sections {
		i := slices.Index(tables, s.table)
		if i < 0 {
			continue
		}
		tables = slices.Delete(tables, i, i+1)
		if list := rows(t, db, s.query); len(list) > 0 {
			b.WriteString("\n" + s.table + "\n  " + strings.Join(list, "\n  ") + "\n")
		}
	}
	if len(tables) > 0 {
		t.Errorf("tables without a section in the listing: %v", tables)
	}
	return b.String()
}

// rows runs a query with one text a row.
func rows(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer found.Close()
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		out = append(out, text)
	}
	if err := found.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// row runs a query that gives one text.
func row(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	list := rows(t, db, query)
	if len(list) != 1 {
		t.Fatalf("%s: %d rows, want one", query, len(list))
	}
	return list[0]
}
