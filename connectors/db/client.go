package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver called pgx
	_ "modernc.org/sqlite"             // the driver called sqlite

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/value"
)

// client is the opened connection: a pool.
type client struct {
	connection
	db *sql.DB
}

// newClient prepares the pool; nothing is dialled until the first statement, so a
// database that is away keeps no project from starting.
func newClient(_ context.Context, c connection, env connectors.Env) (*client, error) {
	driver, dsn, err := c.source(env.Dir)
	if err != nil {
		return nil, err
	}
	pool, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, errors.New("url cannot be read; it looks like postgres://user:password@host/db or mysql://user:password@host/db")
	}
	pool.SetMaxOpenConns(max(c.MaxOpen, 1))
	pool.SetMaxIdleConns(max(c.MaxOpen, 1))
	pool.SetConnMaxLifetime(c.MaxLifetime)
	return &client{connection: c, db: pool}, nil
}

// source is the driver's name and data source.
func (c connection) source(dir string) (driver, dsn string, err error) {
	if (c.Driver == "sqlite") != (c.Path != "") || (c.Driver == "sqlite") == !c.URL.IsZero() {
		return "", "", errors.New("sqlite takes path, postgres and mysql take url")
	}
	switch c.Driver {
	case "postgres":
		u, err := url.Parse(c.URL.Reveal())
		if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			return "", "", errors.New("url must look like postgres://user:password@host/db")
		}
		return "pgx", c.URL.Reveal(), nil
	case "mysql":
		dsn, err := mysqlSource(c.URL.Reveal())
		return "mysql", dsn, err
	}
	dsn, err = c.sqliteSource(dir)
	return "sqlite", dsn, err
}

func mysqlSource(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "mysql" || u.Host == "" {
		return "", errors.New("url must look like mysql://user:password@host:3306/db")
	}
	m := mysql.NewConfig()
	m.Net, m.Addr, m.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	if u.Port() == "" {
		m.Addr += ":3306"
	}
	if u.User != nil {
		m.User = u.User.Username()
		m.Passwd, _ = u.User.Password()
	}
	m.ParseTime, m.ClientFoundRows = true, true
	if u.Query().Get("tls") != "" {
		m.TLSConfig = u.Query().Get("tls")
	}
	return m.FormatDSN(), nil
}

func (c connection) sqliteSource(dir string) (string, error) {
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if c.Create {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", fmt.Errorf("create the folder of %s: %w", c.Path, err)
		}
	}
	q := url.Values{"_pragma": {"busy_timeout(10000)", "foreign_keys(1)"}}
	switch {
	case c.ReadOnly:
		q.Set("mode", "ro")
	case c.Create:
		q.Set("mode", "rwc")
		q.Add("_pragma", "journal_mode(wal)")
	default:
		q.Set("mode", "rw")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String(), nil
}

// Close closes the pool.
func (k *client) Close() error { return k.db.Close() }

// bind puts the arguments in the order of the statement's placeholders.
func (k *client) bind(s statement, args any) ([]any, error) {
	if len(s.names) == 0 {
		return nil, nil
	}
	if s.names[0] == "" {
		list, ok := value.Open(args).([]any)
		if !ok || len(list) != len(s.names) {
			return nil, argsProblem("the statement has %d ?, and args is %s of %d", len(s.names), value.Describe(args), value.Length(args))
		}
		return k.arguments(list)
	}
	m, ok := value.Open(args).(map[string]any)
	if !ok {
		return nil, argsProblem("the statement has :name placeholders, and args is %s", value.Describe(args))
	}
	list := make([]any, len(s.names))
	for i, name := range s.names {
		v, given := m[name]
		if !given {
			return nil, argsProblem("args has no %s", name)
		}
		list[i] = v
	}
	return k.arguments(list)
}

func argsProblem(format string, args ...any) error {
	return pipelined.Problemf("db/args", "The arguments do not fit the statement", 500, format, args...)
}

// arguments turns values into what drivers take: objects and lists travel as JSON
// text, numbers beyond float64 as their text.
func (k *client) arguments(list []any) ([]any, error) {
	out := make([]any, len(list))
	for i, v := range list {
		switch t := value.Scalar(v).(type) {
		case value.Raw, map[string]any, []any:
			raw, err := value.JSON(t)
			if err != nil {
				return nil, err
			}
			out[i] = string(raw)
		case value.Stream:
			return nil, argsProblem("a stream cannot be an argument")
		case int:
			out[i] = int64(t)
		default:
			out[i] = t
			// A decimal keeps its exact text: NUMERIC columns are exact, float64 is not.
			if r, isRaw := v.(value.Raw); isRaw {
				if _, isFloat := t.(float64); isFloat && k.Driver != "sqlite" {
					out[i] = string(r)
				}
			}
			if s, ok := t.(fmt.Stringer); ok && !isTime(t) {
				out[i] = s.String()
			}
		}
	}
	return out, nil
}
