package db

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"

	"pipelined"
)

func openSQLite(c connection, dir string) (*sql.DB, error) {
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if c.Create && !c.ReadOnly {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("create the folder of %s: %w", c.Path, err)
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
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	return sql.Open("sqlite", u.String())
}

// SQLite's primary result codes.
const (
	sqlitePermission  = 3
	sqliteBusy        = 5
	sqliteLocked      = 6
	sqliteReadOnly    = 8
	sqliteInterrupted = 9
	sqliteFull        = 13
	sqliteCantOpen    = 14
	sqliteConstraint  = 19
	sqliteMismatch    = 20
	sqliteNotADB      = 26
)

// sqliteProblem goes by the result code. SQLite's messages name tables and columns
// and repeat no values.
func sqliteProblem(e *sqlite.Error) *pipelined.Problem {
	f := facts{Code: fmt.Sprint(e.Code())}
	switch e.Code() & 0xff {
	case sqliteConstraint:
		// constraint failed: UNIQUE constraint failed: users.email (2067)
		name := e.Error()[strings.LastIndex(e.Error(), "constraint failed")+len("constraint failed"):]
		f.Constraint, _, _ = strings.Cut(strings.TrimPrefix(name, ": "), " (")
		return constraint(f)
	case sqliteBusy, sqliteLocked:
		return busy(f)
	case sqliteInterrupted:
		return timeout()
	case sqliteCantOpen, sqlitePermission, sqliteNotADB:
		return away("the file cannot be opened; is the path right, and `create: true` set where it may be missing?", f)
	case sqliteFull:
		return away("the disk is full", f).Transient()
	case sqliteReadOnly:
		return failed("the database is open for reading only", f)
	case sqliteMismatch:
		return unfit(f)
	}
	return failed(e.Error(), f)
}
