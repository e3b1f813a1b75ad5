package db

import (
	"context"
	"database/sql/driver"
	"encoding/json"
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

// facts are what a database says about a failure without repeating values; they
// become error.data.
type facts struct {
	Code       string `json:"code,omitempty"`
	Constraint string `json:"constraint,omitempty"`
	Table      string `json:"table,omitempty"`
	Column     string `json:"column,omitempty"`
}

func (f facts) problem(typ, title string, status int, detail string) *pipelined.Problem {
	if f.Code != "" {
		detail = strings.TrimSpace(detail + " (" + f.Code + ")")
	}
	p := pipelined.NewProblem(typ, title, status, detail)
	if f != (facts{}) {
		p.Data, _ = json.Marshal(f) // texts always have a JSON form
	}
	return p
}

func constraint(f facts) *pipelined.Problem {
	detail := "a constraint"
	switch {
	case f.Constraint != "":
		detail = "constraint " + f.Constraint
	case f.Column != "":
		detail = "column " + f.Column + " needs a value"
	}
	if f.Table != "" {
		detail += " of table " + f.Table
	}
	return f.problem("db/constraint", "The database refused the data", 409, detail)
}

func busy(f facts) *pipelined.Problem {
	return f.problem("db/busy", "The database gave way to another transaction", 503, "").Transient()
}

func away(detail string, f facts) *pipelined.Problem {
	return f.problem("db/connection", "The database cannot be used", 503, detail)
}

func unfit(f facts) *pipelined.Problem {
	return f.problem("db/data", "The database cannot use a value", 422, "an argument does not fit its column or place")
}

func failed(detail string, f facts) *pipelined.Problem {
	return f.problem("db/syntax", "The database did not accept the statement", 500, detail)
}

func timeout() *pipelined.Problem {
	return pipelined.NewProblem("db/timeout", "The database did not answer in time", 504, "").Transient()
}

// atItem is the failure of one item of a batch.
type atItem struct {
	index int
	err   error
}

func (e atItem) Error() string { return fmt.Sprintf("item %d: %v", e.index, e.err) }
func (e atItem) Unwrap() error { return e.err }

// problem says what kind of failure the database reported, without any value.
// cause is why the context ended, nil if it did not.
func problem(cause, err error) error {
	var p *pipelined.Problem
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return timeout()
	case cause != nil:
		return cause
	}
	if !errors.As(err, &p) {
		p = reported(err)
	}
	var item atItem
	if errors.As(err, &item) {
		p = p.Clone()
		p.Detail = fmt.Sprintf("item %d: %s", item.index, p.Detail)
	}
	return p
}

// reported goes by the driver that made the error.
func reported(err error) *pipelined.Problem {
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	var lite *sqlite.Error
	switch {
	case errors.As(err, &pg):
		return postgresProblem(pg)
	case errors.As(err, &my):
		return mysqlProblem(my)
	case errors.As(err, &lite):
		return sqliteProblem(lite)
	case errors.Is(err, context.DeadlineExceeded):
		return timeout()
	case lost(err):
		return away("there is no connection to it", facts{}).Transient()
	}
	if p := encodeProblem(err); p != nil {
		return p
	}
	// What is left is a driver's own message, which may repeat anything.
	return pipelined.NewProblem("db/failed", "The statement failed", 500, fmt.Sprintf("the driver reported %T", root(err)))
}

func root(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

// lost reports whether an error means that there is no connection.
func lost(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}
