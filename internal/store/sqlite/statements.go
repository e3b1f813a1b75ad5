package sqlite

import (
	"context"
	"database/sql"
	"strings"
)

// rowsPerInsert is how many events one statement inserts.
const rowsPerInsert = 32

// statements are prepared once on the writing connection.
type statements struct {
	begin, commit, savepoint, rollbackTo, release           *sql.Stmt
	event, events, dedupe, delay, deferral, releaseDeferred *sql.Stmt
	tick, execution, saveSub                                *sql.Stmt
	docGet, docInsert, docUpdate, docDelete, docHistory     *sql.Stmt
}

const (
	eventColumns  = "(seq, id, type, source, time, key, attempt, headers, data)"
	eventValues   = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
	eventArgs     = 9
	deferredInput = "(id, subscription, order_key, due, attempt, problem, seq, event_id, type, source, time, key, event_attempt, headers, data)"
)

func (s *statements) prepare(ctx context.Context, c *sql.Conn) error {
	var first error
	p := func(text string) *sql.Stmt {
		st, err := c.PrepareContext(ctx, text)
		if err != nil && first == nil {
			first = err
		}
		return st
	}
	s.begin, s.commit = p("begin immediate"), p("commit")
	s.savepoint, s.rollbackTo, s.release = p("savepoint b"), p("rollback to b"), p("release b")
	s.event = p("insert into events " + eventColumns + " values " + eventValues)
	s.events = p("insert into events " + eventColumns + " values " + strings.Repeat(eventValues+", ", rowsPerInsert-1) + eventValues)
	s.dedupe = p("insert into dedupe (type, id, expires) values (?, ?, ?) on conflict (type, id) do update set expires = excluded.expires where expires <= ?")
	s.delay = p("insert into delayed (due, dedupe, id, type, source, key, attempt, headers, data) values (?, ?, ?, ?, ?, ?, ?, ?, ?)")
	s.deferral = p("insert into deferred " + deferredInput + " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	s.releaseDeferred = p("delete from deferred where id = ?")
	s.tick = p("insert into ticks (pipeline, scheduled) values (?, ?)")
	s.execution = p("insert into executions (id, pipeline, status, started, record) values (?, ?, ?, ?, ?) on conflict (id) do update set status = excluded.status, record = excluded.record")
	s.saveSub = p("insert into subscriptions (name, floor, done) values (?, ?, ?) on conflict (name) do update set floor = excluded.floor, done = excluded.done")
	s.docGet = p("select rowid, version, created, expires, body from documents where collection = ? and id = ?")
	s.docInsert = p("insert into documents (collection, id, version, created, updated, expires, body) values (?, ?, ?, ?, ?, ?, ?)")
	s.docUpdate = p("update documents set version = ?, created = ?, updated = ?, expires = ?, body = ? where rowid = ?")
	s.docDelete = p("delete from documents where rowid = ?")
	s.docHistory = p("insert into document_history (collection, id, version, updated, body) values (?, ?, ?, ?, ?) on conflict do nothing")
	return first
}
