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
	cells []any // pointers Scan fills
}

// kind is how a column's cells are written, where the driver's Go type alone does
// not say it.
type kind int

const (
	plain kind = iota
	number
	document
	date
	binary
	truth
	bits
	single // a float of 32 bits
)

func newReader(rows *sql.Rows, d dialect) (*reader, error) {
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	r := &reader{rows: rows, cells: make([]any, len(columns))}
	for i, c := range columns {
		r.names = append(r.names, value.Quote(c.Name()))
		r.kinds = append(r.kinds, kindOf(d, c.DatabaseTypeName()))
		r.cells[i] = new(any)
	}
	return r, nil
}

// kindOf goes by the database's name for the column's type. The kind of an array
// is that of its elements, behind asArray.
func kindOf(d dialect, name string) kind {
	name, _, _ = strings.Cut(strings.ToUpper(name), "(")
	if d == postgres && strings.HasPrefix(name, "_") {
		return asArray | kindOf(d, name[1:])
	}
	name = strings.TrimPrefix(name, "UNSIGNED ")
	switch name {
	case "NUMERIC", "DECIMAL", "INT", "INTEGER", "TINYINT", "SMALLINT", "MEDIUMINT", "BIGINT", "YEAR",
		"INT2", "INT4", "INT8", "OID", "FLOAT", "DOUBLE", "FLOAT8", "REAL":
		return number
	case "FLOAT4":
		return single
	case "JSON", "JSONB":
		return document
	case "DATE":
		return date
	case "BYTEA", "BLOB", "BINARY", "VARBINARY", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY":
		return binary
	case "BOOL", "BOOLEAN":
		return truth
	case "BIT":
		if d == mysqlDialect {
			return bits
		}
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
		if k == plain && !utf8.Valid(t) {
			k = binary
		}
		return appendText(dst, string(t), k), nil
	case string:
		if k&asArray != 0 {
			return appendArray(dst, t, k&^asArray), nil
		}
		return appendText(dst, t, k), nil
	case int64:
		if k == truth && (t == 0 || t == 1) {
			return strconv.AppendBool(dst, t == 1), nil
		}
		return strconv.AppendInt(dst, t, 10), nil
	case float32:
		return appendFloat(dst, float64(t), 32), nil
	case float64:
		if k == single {
			return appendFloat(dst, t, 32), nil
		}
		return appendFloat(dst, t, 64), nil
	case time.Time:
		return appendTime(dst, t, k)
	}
	return value.Append(dst, v)
}

// appendFloat writes the shortest text that is the same number; JSON has no NaN
// and no infinity.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

// appendTime writes days as days. What MySQL calls 0000-00-00 is no time.
func appendTime(dst []byte, t time.Time, k kind) ([]byte, error) {
	switch {
	case t.IsZero():
		return append(dst, "null"...), nil
	case k == date && t.Equal(t.Truncate(24*time.Hour)):
		return append(t.AppendFormat(append(dst, '"'), time.DateOnly), '"'), nil
	}
	return value.Append(dst, t)
}

// appendText writes what the driver gave as text or bytes.
func appendText(dst []byte, s string, k kind) []byte {
	switch k {
	case number, single:
		if isNumber(s) {
			return append(dst, s...)
		}
		if isNoNumber(s) {
			return append(dst, "null"...)
		}
	case document:
		if doc, err := value.ParseString(s); err == nil {
			return append(dst, doc...)
		}
	case truth:
		switch s {
		case "t", "f":
			return strconv.AppendBool(dst, s == "t")
		}
	case bits:
		var n uint64
		for i := range len(s) {
			n = n<<8 | uint64(s[i])
		}
		return strconv.AppendUint(dst, n, 10)
	case binary:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(s))
		return append(dst, '"')
	}
	return append(dst, value.Quote(s)...)
}

// isNumber reports whether a text is a JSON number as it stands.
func isNumber(s string) bool {
	if len(s) > value.MaxNumber {
		return false
	}
	s = strings.TrimPrefix(s, "-")
	n := digits(s)
	if n == 0 || n > 1 && s[0] == '0' {
		return false
	}
	if s = s[n:]; strings.HasPrefix(s, ".") {
		if n = digits(s[1:]); n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s != "" && s[0]|0x20 == 'e' {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		n = digits(s)
		return n > 0 && n == len(s)
	}
	return s == ""
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// isNoNumber reports whether a database calls this text a number and JSON cannot.
func isNoNumber(s string) bool {
	switch s {
	case "NaN", "Infinity", "-Infinity", "+Inf", "-Inf":
		return true
	}
	return false
}
