package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// rowsPerInsert is how many events one statement inserts.
const rowsPerInsert = 32

// statements are prepared once on the writing connection.
type statements struct {
	begin, commit, savepoint, rollbackTo, release           *sql.Stmt
	event, events, dedupe, delay, deferral, releaseDeferred *sql.Stmt
	execution, saveSub, metaGet, metaSet, metaDrop          *sql.Stmt
	claim, claimDone, claimDrop, claimValue                 *sql.Stmt
	park, unpark                                            *sql.Stmt
	docGet, docInsert, docUpdate, docDelete, docVersion     *sql.Stmt
	docCount                                                *sql.Stmt
}

const (
	eventColumns  = "(seq, id, type, source, time, key, attempt, headers, data, appended)"
	eventValues   = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	eventArgs     = 10
	deferredInput = "(id, subscription, order_key, due, attempt, problem, seq, event_id, type, source, time, key, event_attempt, headers, data)"
)

func (s *statements) prepare(ctx context.Context, c *sql.Conn) error {
	var errs []error
	p := func(text string) *sql.Stmt {
		st, err := c.PrepareContext(ctx, text)
		errs = append(errs, err)
		return st
	}
	s.begin, s.commit = p("begin immediate"), p("commit")
	s.savepoint, s.rollbackTo, s.release = p("savepoint b"), p("rollback to b"), p("release b")
	s.event = p("insert into events " + eventColumns + " values " + eventValues)
	s.events = p("insert into events " + eventColumns + " values " + strings.Repeat(eventValues+", ", rowsPerInsert-1) + eventValues)
	s.dedupe = p("insert into dedupe (type, id, expires) values (?, ?, ?) on conflict (type, id) do update set expires = excluded.expires where expires <= ?")
	s.delay = p("insert into delayed (due, dedupe, id, type, source, key, attempt, headers, data) values (?, ?, ?, ?, ?, ?, ?, ?, ?)")
	s.deferral = p("insert into deferred " + deferredInput + " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing")
	s.releaseDeferred = p("delete from deferred where id = ?")
	s.park = p("insert into parked (subscription, grp, seq) values (?, ?, ?) on conflict do nothing")
	s.unpark = p("delete from parked where subscription = ? and grp = ? and seq = ?")
	s.claim = p("insert into claims (kind, key, epoch, attempts, done, value) values (?, ?, ?, 1, 0, '') " +
		"on conflict (kind, key) do update set epoch = excluded.epoch, attempts = attempts + 1 where done = 0 returning attempts, value")
	s.claimDone = p("update claims set done = ? where kind = ? and key = ? and epoch = ? and done = 0")
	s.claimDrop = p("delete from claims where kind = ? and key = ? and epoch = ? and done = 0")
	s.claimValue = p("update claims set value = ? where kind = ? and key = ? and epoch = ? and done = 0")
	s.execution = p("insert into executions (id, pipeline, status, started, record) values (?, ?, ?, ?, ?) on conflict (id) do update set status = excluded.status, record = excluded.record")
	s.saveSub = p("insert into subscriptions (name, floor, done) values (?, ?, ?) on conflict (name) do update set floor = excluded.floor, done = excluded.done")
	s.metaGet = p("select value from meta where key = ?")
	s.metaSet = p("insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value")
	s.metaDrop = p("delete from meta where key = ?")
	s.docGet = p("select rowid, version, created, updated, expires, body from documents where collection = ? and id = ?")
	s.docInsert = p("insert into documents (collection, id, version, created, updated, expires, body) values (?, ?, ?, ?, ?, ?, ?)")
	s.docUpdate = p("update documents set version = ?, created = ?, updated = ?, expires = ?, body = ? where rowid = ?")
	s.docDelete = p("delete from documents where rowid = ?")
	s.docVersion = p("insert into document_versions (collection, id, version, created, updated, replaced, body) values (?, ?, ?, ?, ?, ?, ?)")
	s.docCount = p("insert into document_counts (collection, n) values (?, ?) on conflict (collection) do update set n = n + excluded.n")
	return errors.Join(errs...)
}

// lookups are the reads of every execution, prepared once for each reading
// connection.
type lookups struct {
	document, count, events, deferred, nextDelayed, lastTick, meta *sql.Stmt
}

func (l *lookups) prepare(ctx context.Context, db *sql.DB) error {
	var errs []error
	p := func(text string) *sql.Stmt {
		st, err := db.PrepareContext(ctx, text)
		errs = append(errs, err)
		return st
	}
	l.document = p("select version, created, updated, expires, body from documents where collection = ? and id = ?")
	// The rows of a collection are counted as they change (see counts); of the rest, only
	// what expired and is not trimmed yet is looked at. The + keeps SQLite from going
	// through the whole collection for that instead of the index of what expires.
	l.count = p("select coalesce((select n from document_counts where collection = ?1), 0) - " +
		"(select count(*) from documents where +collection = ?1 and expires > 0 and expires <= ?2)")
	l.events = p(eventSelect + "where seq > ? order by seq limit ?")
	l.deferred = p(`select id, order_key, due, attempt, problem, seq, event_id, type, source, time, key,
		event_attempt, headers, data from deferred where subscription = ?1 and due <= ?2 and (due, id) > (?3, ?4) order by due, id limit ?5`)
	l.nextDelayed = p("select min(due) from delayed")
	l.lastTick = p("select key from claims where kind = 'tick' and key > ? and key < ? and done > 0 order by key desc limit 1")
	l.meta = p("select value from meta where key = ?")
	return errors.Join(errs...)
}
