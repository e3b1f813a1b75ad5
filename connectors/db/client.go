package db

import (
	"database/sql"
	"errors"

	"pipelined/connectors"
)

// client is the opened connection: a pool.
type client struct {
	dialect dialect
	db      *sql.DB
}

// newClient prepares the pool. Nothing is dialled before the first statement: a
// database that is away keeps no project from starting.
func newClient(c connection, env connectors.Env) (*client, error) {
	d := dialect(c.Driver)
	if (d == sqliteDialect) != (c.Path != "") || (d == sqliteDialect) == !c.URL.IsZero() {
		return nil, errors.New("sqlite takes path, postgres and mysql take url")
	}
	var pool *sql.DB
	var err error
	switch d {
	case postgres:
		pool, err = openPostgres(c.URL.Reveal())
	case mysqlDialect:
		pool, err = openMySQL(c.URL.Reveal())
	default:
		pool, err = openSQLite(c, env.Dir)
	}
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(max(c.MaxOpen, 1))
	pool.SetMaxIdleConns(max(c.MaxOpen, 1))
	pool.SetConnMaxLifetime(c.MaxLifetime)
	return &client{dialect: d, db: pool}, nil
}

// Close closes the pool.
func (k *client) Close() error { return k.db.Close() }
