// Package csv reads and writes comma-separated values.
package csv

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/value"
)

// Connector is the `csv` connector.
var Connector = connectors.Define("csv", connectors.Doc{
	Summary: "Reads and writes comma-separated values.",
}, open,
	connectors.Op("parse", connectors.Doc{
		Summary: "Turns CSV text into rows.",
		Details: "Cells are texts; `types` says which columns are something else. Nothing is guessed.",
		Result:  "`rows` (objects, or lists with `header: false`), `count`",
		Examples: []connectors.Example{
			{Title: "Orders", YAML: "text: ${{ input }}\ntypes: { qty: integer, price: number }\n"},
			{Title: "Semicolons, no header", YAML: "text: ${{ input }}\ndelimiter: \";\"\nheader: false\n"},
		},
	}, (*client).parse),
	connectors.Op("format", connectors.Doc{
		Summary:  "Turns rows into CSV text.",
		Result:   "`text`, `count`",
		Examples: []connectors.Example{{Title: "Orders", YAML: "rows: ${{ input.orders }}\ncolumns: [id, total]\n"}},
	}, (*client).format),
)

type parseParams struct {
	Text      string            `yaml:"text" required:"" doc:"The CSV text."`
	Delimiter string            `yaml:"delimiter" default:"," doc:"One character."`
	Header    bool              `yaml:"header" default:"true" doc:"The first line names the columns."`
	Columns   []string          `yaml:"columns" doc:"Names of the columns, instead of those in the header, or where there is none."`
	Types     map[string]string `yaml:"types" doc:"Column to text, integer, number or boolean; default text. An empty cell is null then."`
	Trim      bool              `yaml:"trim" default:"false" doc:"Take spaces around cells away."`
	Quotes    string            `yaml:"quotes" enum:"strict,lazy" default:"strict" doc:"lazy accepts quotes inside unquoted cells."`
	MaxRows   int               `yaml:"max_rows" default:"100000" min:"1" doc:"More rows than this are an error."`
}

type formatParams struct {
	Rows           any      `yaml:"rows" required:"" doc:"A list of objects, or of lists."`
	Columns        []string `yaml:"columns" doc:"Which columns, in this order; default are those of the first row, sorted."`
	Delimiter      string   `yaml:"delimiter" default:"," doc:"One character."`
	Header         bool     `yaml:"header" default:"true" doc:"Begin with a line that names the columns."`
	EscapeFormulas bool     `yaml:"escape_formulas" default:"false" doc:"Put ' before cells that a spreadsheet would take for a formula."`
	CRLF           bool     `yaml:"crlf" default:"false" doc:"End lines with CR LF."`
}

type client struct{}

func open(context.Context, connectors.None, connectors.Env) (*client, error) { return &client{}, nil }

// Close does nothing: there is nothing to close.
func (*client) Close() error { return nil }

func problem(format string, args ...any) error {
	return pipelined.Problemf("csv/parse", "Not the CSV that was expected", 422, format, args...)
}

func delimiter(s string) (rune, error) {
	r := []rune(s)
	if len(r) != 1 || r[0] == '"' || r[0] == '\n' || r[0] == '\r' {
		return 0, pipelined.NewProblem("csv/delimiter", "Not a delimiter", 500, "delimiter takes one character, not a quote or a line end")
	}
	return r[0], nil
}

func (*client) parse(ctx context.Context, p parseParams) (any, error) {
	comma, err := delimiter(p.Delimiter)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(p.Text, "\ufeff")))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace, r.ReuseRecord = comma, p.Quotes == "lazy", p.Trim, true
	r.FieldsPerRecord = -1
	columns, err := header(r, p)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(p.Text)*2), '[')
	n := 0
	for ; ; n++ {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, problem("%v", err)
		}
		if n >= p.MaxRows {
			return nil, problem("more than max_rows (%d) rows", p.MaxRows)
		}
		if n%1000 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if n > 0 {
			out = append(out, ',')
		}
		line, _ := r.FieldPos(0)
		if out, err = appendRecord(out, record, columns, p, line); err != nil {
			return nil, err
		}
	}
	return map[string]any{"rows": value.Raw(append(out, ']')), "count": n}, nil
}

// header returns the names of the columns; none means that rows are lists.
func header(r *csv.Reader, p parseParams) ([]string, error) {
	columns := p.Columns
	if p.Header {
		first, err := r.Read()
		if errors.Is(err, io.EOF) {
			return columns, nil
		}
		if err != nil {
			return nil, problem("%v", err)
		}
		if columns == nil {
			for _, c := range first {
				columns = append(columns, strings.TrimSpace(c))
			}
		}
	}
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c] {
			return nil, problem("two columns are called %q; name them with columns", c)
		}
		seen[c] = true
	}
	for c := range p.Types {
		if columns != nil && !seen[c] {
			return nil, problem("types names the column %q, which is not there", c)
		}
	}
	return columns, nil
}

func appendRecord(dst []byte, record, columns []string, p parseParams, line int) ([]byte, error) {
	if columns == nil {
		dst = append(dst, '[')
		for i, cell := range record {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, value.Quote(trim(cell, p.Trim))...)
		}
		return append(dst, ']'), nil
	}
	if len(record) != len(columns) {
		return dst, problem("line %d has %d cells, not %d", line, len(record), len(columns))
	}
	dst = append(dst, '{')
	for i, cell := range record {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, value.Quote(columns[i])...), ':')
		v, err := typed(trim(cell, p.Trim), p.Types[columns[i]])
		if err != nil {
			return dst, problem("line %d, column %s: %v", line, columns[i], err)
		}
		dst = append(dst, v...)
	}
	return append(dst, '}'), nil
}

func trim(cell string, do bool) string {
	if do {
		return strings.TrimSpace(cell)
	}
	return cell
}

// typed reads a cell as a type.
func typed(cell, typ string) (value.Raw, error) {
	if typ == "" || typ == "text" {
		return value.Quote(cell), nil
	}
	cell = strings.TrimSpace(cell)
	if cell == "" {
		return "null", nil
	}
	switch typ {
	case "integer":
		if _, err := strconv.ParseInt(cell, 10, 64); err != nil {
			return "", errors.New("not a whole number")
		}
	case "number":
		if _, err := strconv.ParseFloat(cell, 64); err != nil {
			return "", errors.New("not a number")
		}
	case "boolean":
		b, err := strconv.ParseBool(strings.ToLower(cell))
		if err != nil {
			return "", errors.New("neither true nor false")
		}
		return value.Raw(strconv.FormatBool(b)), nil
	default:
		return "", fmt.Errorf("there is no type %q; use text, integer, number or boolean", typ)
	}
	raw, err := value.ParseString(strings.TrimLeft(strings.TrimPrefix(cell, "+"), " "))
	if err != nil {
		return "", errors.New("not a number as JSON writes it")
	}
	return raw, nil
}

func (*client) format(ctx context.Context, p formatParams) (any, error) {
	comma, err := delimiter(p.Delimiter)
	if err != nil {
		return nil, err
	}
	rows, err := value.Elements(p.Rows)
	if err != nil {
		return nil, pipelined.Problemf("csv/rows", "rows is not a list", 500, "it is %s", value.Describe(p.Rows))
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = comma, p.CRLF
	columns := p.Columns
	if columns == nil && len(rows) > 0 {
		if first, ok := value.Open(rows[0]).(map[string]any); ok {
			columns = sortedKeys(first)
		}
	}
	if p.Header && columns != nil {
		if err := w.Write(columns); err != nil {
			return nil, err
		}
	}
	for i, row := range rows {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		cells, err := cellsOf(row, columns)
		if err != nil {
			return nil, pipelined.Problemf("csv/rows", "A row cannot be written", 500, "row %d: %v", i, err)
		}
		if p.EscapeFormulas {
			escapeFormulas(cells)
		}
		if err := w.Write(cells); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return map[string]any{"text": b.String(), "count": len(rows)}, w.Error()
}

func cellsOf(row any, columns []string) ([]string, error) {
	var values []any
	switch t := value.Open(row).(type) {
	case []any:
		values = t
	case map[string]any:
		for _, c := range columns {
			values = append(values, t[c])
		}
	default:
		return nil, fmt.Errorf("neither an object nor a list: %s", value.Describe(row))
	}
	cells := make([]string, len(values))
	for i, v := range values {
		text, err := value.Text(v)
		if err != nil {
			return nil, err
		}
		cells[i] = text
	}
	return cells, nil
}

// escapeFormulas keeps a spreadsheet from running what stands in a cell. Numbers
// may begin with a sign.
func escapeFormulas(cells []string) {
	for i, c := range cells {
		if c == "" || !strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			continue
		}
		if _, err := strconv.ParseFloat(c, 64); err != nil {
			cells[i] = "'" + c
		}
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
