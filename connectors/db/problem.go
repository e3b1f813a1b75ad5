package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"pipelined"
)

// problem says what kind of failure the database reported. Messages of databases
// may quote values, so only what is safe of them is passed on: the code, the
// constraint, and the message where it speaks of the statement itself.
func (k *client) problem(ctx context.Context, err error) error {
	var (
		p  *pipelined.Problem
		pg *pgconn.PgError
		my *mysql.MySQLError
		lt *sqlite.Error
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, context.Canceled) && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return pipelined.NewProblem("db/timeout", "The database did not answer in time", 504, "").Transient()
	case errors.As(err, &pg):
		return postgresProblem(pg)
	case errors.As(err, &my):
		return mysqlProblem(my)
	case errors.As(err, &lt):
		return sqliteProblem(lt)
	}
	if lost(err) {
		return pipelined.NewProblem("db/connection", "The database cannot be reached", 503, hideAddress(err)).Transient()
	}
	return pipelined.NewProblem("db/failed", "The statement failed", 500, err.Error())
}

// lost reports whether an error means that there is no connection.
func lost(err error) bool {
	var op *net.OpError
	var connect *pgconn.ConnectError
	return errors.As(err, &op) || errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// hideAddress keeps the reason and drops user names and hosts.
func hideAddress(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, ": "); i >= 0 {
		return s[i+2:]
	}
	return "no connection"
}

func constraint(detail string) *pipelined.Problem {
	return pipelined.NewProblem("db/constraint", "The database refused the data", 409, detail)
}

func busy(detail string) *pipelined.Problem {
	return pipelined.NewProblem("db/busy", "The database gave way to another transaction", 503, detail).Transient()
}

func away(detail string) *pipelined.Problem {
	return pipelined.NewProblem("db/connection", "The database cannot be reached", 503, detail).Transient()
}

func failed(detail string) *pipelined.Problem {
	return pipelined.NewProblem("db/statement", "The database did not accept the statement", 500, detail)
}

func postgresProblem(e *pgconn.PgError) *pipelined.Problem {
	switch e.Code[:2] {
	case "23":
		return constraint("constraint " + e.ConstraintName + " of table " + e.TableName + " (" + e.Code + ")")
	case "40", "55":
		return busy(e.Message + " (" + e.Code + ")")
	case "08", "53", "57":
		return away(e.Message + " (" + e.Code + ")")
	case "42":
		return failed(e.Message + " (" + e.Code + ")")
	case "22":
		return pipelined.NewProblem("db/data", "The database cannot use a value", 422, "code "+e.Code)
	}
	return failed("code " + e.Code)
}

func mysqlProblem(e *mysql.MySQLError) *pipelined.Problem {
	code := fmt.Sprintf("code %d", e.Number)
	switch e.Number {
	case 1062, 1048, 1216, 1217, 1451, 1452, 3819, 4025:
		return constraint(code)
	case 1205, 1213:
		return busy(code)
	case 1040, 1053, 2002, 2003, 2006, 2013:
		return away(code)
	case 1064, 1054, 1146, 1049:
		return failed(e.Message)
	case 1264, 1292, 1366, 1406:
		return pipelined.NewProblem("db/data", "The database cannot use a value", 422, code)
	}
	return failed(code)
}

// SQLite's primary result codes.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteReadOnly   = 8
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteConstraint = 19
)

func sqliteProblem(e *sqlite.Error) *pipelined.Problem {
	switch e.Code() & 0xff {
	case sqliteConstraint:
		return constraint(e.Error())
	case sqliteBusy, sqliteLocked:
		return busy(e.Error())
	case sqliteCantOpen:
		return away("the file cannot be opened; is the path right, and `create: true` set where it may be missing?")
	case sqliteFull:
		return away(e.Error())
	case sqliteReadOnly:
		return failed("the database is open for reading only")
	}
	return failed(e.Error())
}
