package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"

	"pipelined/internal/store"
)

// migrations bring a store from one version to the next; forward only. The
// version is the number of those that ran.
var migrations = []string{`
create table events (
  seq integer primary key, id text not null, type text not null, source text not null, time integer not null,
  key text not null, attempt integer not null, headers text, data text not null);
create index events_id on events (id);
create table dedupe (type text not null, id text not null, expires integer not null, primary key (type, id)) without rowid;
create index dedupe_expires on dedupe (expires);
create table subscriptions (name text primary key, floor integer not null, done text not null) without rowid;
create table deferred (
  id integer primary key autoincrement, subscription text not null, order_key text not null, due integer not null,
  attempt integer not null, problem text not null,
  seq integer not null, event_id text not null, type text not null, source text not null, time integer not null,
  key text not null, event_attempt integer not null, headers text, data text not null);
create index deferred_due on deferred (subscription, due);
create table delayed (
  n integer primary key autoincrement, due integer not null, dedupe text not null,
  id text not null, type text not null, source text not null, key text not null, attempt integer not null, headers text, data text not null);
create index delayed_due on delayed (due);
create table documents (
  collection text not null, id text not null, version integer not null, created integer not null, updated integer not null,
  expires integer not null, body text not null);
create unique index documents_id on documents (collection, id);
create index documents_expires on documents (expires) where expires > 0;
create table document_history (collection text not null, id text not null, version integer not null, updated integer not null,
  body text, primary key (collection, id, version)) without rowid;
create table ticks (pipeline text not null, scheduled integer not null, primary key (pipeline, scheduled)) without rowid;
create table executions (id text not null, pipeline text not null, status text not null, started integer not null, record text not null);
create unique index executions_id on executions (id);
create index executions_started on executions (started);
create index executions_pipeline on executions (pipeline, started);
create table meta (key text primary key, value text not null) without rowid;
`, `
drop table document_history;
create table document_versions (
  n integer primary key, collection text not null, id text not null, version integer not null, created integer not null,
  updated integer not null, replaced integer not null, body text not null);
create index document_versions_id on document_versions (collection, id, n);
create index document_versions_replaced on document_versions (collection, replaced);
drop index documents_expires;
create index documents_expires on documents (expires, collection) where expires > 0;
`, `
create table parked (subscription text not null, grp text not null, seq integer not null, primary key (subscription, grp, seq)) without rowid;
create index parked_seq on parked (seq);
`, `
create table claims (
  kind text not null, key text not null, epoch integer not null, attempts integer not null, done integer not null, value text not null,
  primary key (kind, key)) without rowid;
create index claims_held on claims (kind, key) where done = 0;
create index claims_done on claims (done) where done > 0;
insert into claims select 'tick', pipeline || '/' || strftime('%Y-%m-%dT%H:%M:%S', scheduled / 1000000, 'unixepoch') || printf('.%06dZ', scheduled % 1000000),
  1, 1, max(scheduled, 1), '' from ticks;
insert into claims
  select 'tick', substr(key, 6, instr(substr(key, 6), '/')) || substr(moment, 1, 19) || '.' || substr(rtrim(substr(moment, 21), 'Z') || '000000', 1, 6) || 'Z',
    cast(value as integer), cast(value as integer), 0, ''
  from (select key, value, substr(key, 6 + instr(substr(key, 6), '/')) as moment from meta where key glob 'open/*/*')
  where true on conflict do nothing;
delete from meta where key glob 'open/*';
drop table ticks;
`, `
create table document_counts (collection text primary key, n integer not null) without rowid;
insert into document_counts select collection, count(*) from documents group by collection;
`, `
alter table events add column appended integer not null default 0;
update events set appended = min(time, cast(strftime('%s', 'now') as integer) * 1000000);
create table waiting (
  id text not null, subscription text not null, order_key text not null, due integer not null,
  attempt integer not null, problem text not null,
  seq integer not null, event_id text not null, type text not null, source text not null, time integer not null,
  key text not null, event_attempt integer not null, headers text, data text not null);
insert into waiting select cast(id as text), subscription, order_key, due, attempt, problem,
  seq, event_id, type, source, time, key, event_attempt, headers, data from deferred;
drop table deferred;
alter table waiting rename to deferred;
create unique index deferred_id on deferred (id);
create index deferred_due on deferred (subscription, due, id);
`}

// migrate brings the file to the newest version, in one transaction.
func migrate(ctx context.Context, c *sql.Conn, path string) error {
	var version int
	if err := c.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("%s has version %d, this program knows %d: %w", path, version, len(migrations), store.ErrNewer)
	}
	if version == 0 {
		var tables int
		if err := c.QueryRowContext(ctx, "select count(*) from sqlite_master").Scan(&tables); err != nil {
			return err
		}
		if tables > 0 {
			return fmt.Errorf("%s is a database of another program; set store.path to another file", path)
		}
	}
	if version == len(migrations) {
		return nil
	}
	text := fmt.Sprintf("begin immediate; %s pragma user_version = %d; commit;", strings.Join(migrations[version:], ""), len(migrations))
	if _, err := c.ExecContext(ctx, text); err != nil {
		return fmt.Errorf("migrate from version %d to %d: %w", version, len(migrations), err)
	}
	return nil
}

// SQLite's primary result codes.
const (
	codeError      = 1
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIOErr      = 10
	codeFull       = 13
	codeCantOpen   = 14
	codeCorrupt    = 11
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeRange      = 25
	codeNotADB     = 26
)

func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isCorrupt(err error) bool { c := code(err); return c == codeCorrupt || c == codeNotADB }

func isConstraint(err error) bool { return code(err) == codeConstraint }

// isOfBatch reports whether an error lies in what was asked for and not in the
// medium or the connection, so that only the batch that asked need fail.
func isOfBatch(err error) bool {
	switch code(err) {
	case codeError, codeTooBig, codeConstraint, codeMismatch, codeRange:
		return true
	case 0:
		return !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone)
	}
	return false
}
