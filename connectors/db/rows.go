package db

import (
	"database/sql"
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pipelined/internal/value"
)

// reader turns rows into JSON objects, column by column, without maps.
type reader struct {
	rows  *sql.Rows
	names []value.Raw
	kinds []kind
	cells []any
}

// kind is how a column's cells are written.
type kind int

const (
	plain    kind = iota // by the Go type the driver gives
	decimal              // exact text that is a number
	document             // JSON already
	date                 // a day without a time
	text
	binary
	truth
)

func newReader(rows *sql.Rows, driver string) (*reader, error) {
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	r := &reader{rows: rows, cells: make([]any, len(columns))}
	for i, c := range columns {
		r.names = append(r.names, value.Quote(c.Name()))
		r.kinds = append(r.kinds, kindOf(driver, c.DatabaseTypeName()))
		r.cells[i] = new(any)
	}
	return r, nil
}

// kindOf goes by the database's name for the column's type.
func kindOf(driver, name string) kind {
	name = strings.ToUpper(name)
	if i := strings.IndexByte(name, '('); i >= 0 {
		name = name[:i]
	}
	switch name {
	case "NUMERIC", "DECIMAL", "NEWDECIMAL":
		return decimal
	case "JSON", "JSONB":
		return document
	case "DATE":
		return date
	case "BYTEA", "BLOB", "BINARY", "VARBINARY", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB":
		return binary
	case "BOOL", "BOOLEAN":
		if driver == "sqlite" {
			return truth
		}
	case "TEXT", "VARCHAR", "CHAR", "BPCHAR", "UUID", "NAME", "ENUM", "SET", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT":
		return text
	}
	return plain
}

// append adds the current row as an object.
func (r *reader) append(dst []byte) ([]byte, error) {
	if err := r.rows.Scan(r.cells...); err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i, c := range r.cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, r.names[i]...), ':')
		var err error
		if dst, err = appendCell(dst, *(c.(*any)), r.kinds[i]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendCell(dst []byte, v any, k kind) ([]byte, error) {
	switch t := v.(type) {
	case []byte:
		return appendText(dst, string(t), k, t)
	case string:
		return appendText(dst, t, k, nil)
	case int64:
		if k == truth && (t == 0 || t == 1) {
			return strconv.AppendBool(dst, t == 1), nil
		}
		return strconv.AppendInt(dst, t, 10), nil
	case float32:
		return value.Append(dst, shortest(t))
	case float64:
		if math.IsNaN(t) || math.IsInf(t, 0) {
			return append(dst, "null"...), nil // JSON has no such number
		}
		return value.Append(dst, t)
	case time.Time:
		if k == date {
			return append(t.AppendFormat(append(dst, '"'), time.DateOnly), '"'), nil
		}
		return value.Append(dst, t)
	}
	return value.Append(dst, v)
}

// shortest is the float64 whose shortest text is that of f.
func shortest(f float32) float64 {
	n, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return n
}

// appendText writes what the driver gave as text or bytes.
func appendText(dst []byte, s string, k kind, raw []byte) ([]byte, error) {
	switch k {
	case decimal:
		if isNumber(s) {
			return append(dst, s...), nil
		}
	case document:
		if doc, err := value.ParseString(s); err == nil {
			return append(dst, doc...), nil
		}
	case binary:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(s))
		return append(dst, '"'), nil
	case date:
		if len(s) >= 10 {
			s = s[:10]
		}
	}
	if raw != nil && k == plain && !utf8.Valid(raw) {
		return appendText(dst, s, binary, nil)
	}
	return append(dst, value.Quote(s)...), nil
}

// isNumber reports whether a decimal's text is a JSON number as it stands; NaN
// and a leading dot are not.
func isNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] == '.' || strings.HasSuffix(digits, ".") {
		return false
	}
	if len(digits) > 1 && digits[0] == '0' && digits[1] != '.' {
		return false
	}
	dots := 0
	for _, c := range digits {
		if c == '.' {
			dots++
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return dots <= 1
}

func isTime(v any) bool { _, ok := v.(time.Time); return ok }
