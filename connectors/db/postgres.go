package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"

	"pipelined"
	"pipelined/internal/value"
)

func openPostgres(url string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil || !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, errors.New("url must look like postgres://user:password@host:5432/db") // the error would repeat it
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "pipelined"
	}
	return stdlib.OpenDB(*config), nil
}

// pipelineSize is how many statements of a batch are under way at a time: enough
// to hide the network, few enough to keep answers out of memory.
const pipelineSize = 500

// postgresBatch sends the statements of a transaction without waiting for each.
func (k *client) postgresBatch(ctx context.Context, text string, next func() ([]any, bool, error)) (total tally, err error) {
	conn, err := k.db.Conn(ctx)
	if err != nil {
		return tally{}, err
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		return pgx.BeginFunc(ctx, driver.(*stdlib.Conn).Conn(), func(tx pgx.Tx) error {
			for {
				more, err := pipeline(ctx, tx, text, next, &total)
				if err != nil || !more {
					return err
				}
			}
		})
	})
	return total, err
}

// pipeline sends up to pipelineSize statements and counts what they changed.
func pipeline(ctx context.Context, tx pgx.Tx, text string, next func() ([]any, bool, error), total *tally) (more bool, err error) {
	var b pgx.Batch
	for b.Len() < pipelineSize {
		args, ok, err := next()
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
		b.Queue(text, args...)
	}
	if b.Len() == 0 {
		return false, nil
	}
	results := tx.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, results.Close()) }()
	for range b.Len() {
		tag, err := results.Exec()
		if err != nil {
			return false, atItem{total.items, err}
		}
		total.items++
		total.affected += int(tag.RowsAffected())
	}
	return b.Len() == pipelineSize, nil
}

// array is a list that is sent as what its place is: an array, or JSON.
type array struct {
	elems []any
	json  value.Raw
}

func (k *client) newArray(list []any) (array, error) {
	raw, err := value.JSON(list)
	if err != nil {
		return array{}, argsProblem("%v", err)
	}
	a := array{elems: make([]any, len(list)), json: raw}
	for i, e := range list {
		if a.elems[i], err = k.argument(e); err != nil {
			return array{}, err
		}
	}
	return a, nil
}

// MarshalJSON is asked for where a json value goes; the others where an array goes.
func (a array) MarshalJSON() ([]byte, error) { return []byte(a.json), nil }

func (a array) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(a.elems)), LowerBound: 1}}
}
func (a array) Index(i int) any { return a.elems[i] }
func (a array) IndexType() any  { return nil }

// postgresProblem goes by the SQLSTATE. Only messages about the statement itself
// are passed on: others repeat values.
func postgresProblem(e *pgconn.PgError) *pipelined.Problem {
	f := facts{Code: e.Code, Constraint: e.ConstraintName, Table: e.TableName, Column: e.ColumnName}
	switch {
	case e.Code == "57014":
		return timeout()
	case e.Code == "40002" || strings.HasPrefix(e.Code, "23"):
		return constraint(f)
	case e.Code == "55P03" || strings.HasPrefix(e.Code, "40"):
		return busy(f)
	case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "53"), strings.HasPrefix(e.Code, "57"):
		return away("the server refuses connections or is stopping", f).Transient()
	case strings.HasPrefix(e.Code, "28"), strings.HasPrefix(e.Code, "3D"):
		return away("the server refuses the user, the password or the database", f)
	case strings.HasPrefix(e.Code, "22"):
		return unfit(f)
	case strings.HasPrefix(e.Code, "42"):
		return failed(e.Message, f)
	}
	return failed("", f)
}

// encodeProblem is an argument the driver cannot write as its column's type; the
// driver's own message repeats the value.
func encodeProblem(err error) *pipelined.Problem {
	text := err.Error()
	if !strings.Contains(text, "unable to encode") && !strings.Contains(text, "cannot convert") {
		return nil
	}
	var n int
	which := "an argument"
	if i := strings.Index(text, "args["); i >= 0 {
		if _, err := fmt.Sscanf(text[i:], "args[%d]", &n); err == nil {
			which = fmt.Sprintf("argument %d", n+1)
		}
	}
	p := unfit(facts{})
	p.Detail = which + " has another type than its column; convert it, with string(…) for a text or int(…) for a number"
	return p
}
