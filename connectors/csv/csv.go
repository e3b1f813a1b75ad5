// Package csv reads and writes comma-separated values.
package csv

import (
	"context"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"pipelined/connectors"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// Connector is the `csv` connector.
var Connector = connectors.Define("csv", connectors.Doc{
	Summary: "Reads and writes comma-separated values.",
	Details: "Lines end with LF or CR LF; inside quotes too CR LF is read as LF, and empty lines are skipped, as is a byte order mark at the beginning. Errors: `csv/parse` (422), which names line and column, and `csv/rows`.",
}, open,
	connectors.Op("parse", connectors.Doc{
		Summary: "Turns CSV text into rows.",
		Details: "Cells are texts; `types` says which columns are something else. Nothing is guessed. An empty cell of another type than text is null.",
		Result:  "`rows` (objects, or lists where columns have no names), `count`, `skipped` (with `on_bad_row: skip`: the first 100, each `line` and `reason`), `skipped_count`",
		Examples: []connectors.Example{
			{Title: "Orders", YAML: "text: ${{ input }}\ntypes: { qty: integer, price: number }\n"},
			{Title: "Semicolons, no header", YAML: "text: ${{ input }}\ndelimiter: \";\"\nheader: false\n"},
		},
	}, connectors.Pure, (*client).parse),
	connectors.Op("format", connectors.Doc{
		Summary:  "Turns rows into CSV text.",
		Result:   "`text`, `count`",
		Examples: []connectors.Example{{Title: "Orders", YAML: "rows: ${{ input.orders }}\ncolumns: [id, total]\n"}},
	}, connectors.Pure, (*client).format),
)

type parseParams struct {
	Text string `yaml:"text" required:"" doc:"The CSV text."`
	Options
	OnBadRow string `yaml:"on_bad_row" enum:"fail,skip" default:"fail" doc:"A row with too few or too many cells, or one that is not of its column's type: an error, or left out and told in skipped."`
	MaxRows  int    `yaml:"max_rows" default:"100000" min:"1" doc:"More rows than this are an error."`
}

type formatParams struct {
	Rows           any       `yaml:"rows" required:"" doc:"A list of objects, or of lists; or a stream of them."`
	Columns        []string  `yaml:"columns" doc:"Which columns, in this order; default are those of the first row, sorted, and then every row must have no others."`
	Delimiter      delimiter `yaml:"delimiter" doc:"One character; default is a comma."`
	Header         bool      `yaml:"header" default:"true" doc:"Begin with a line that names the columns."`
	EscapeFormulas bool      `yaml:"escape_formulas" default:"false" doc:"Put ' before cells that a spreadsheet would take for a formula."`
	CRLF           bool      `yaml:"crlf" default:"false" doc:"End lines with CR LF."`
}

// Findings about parameters.
var (
	CodeDelimiter = diag.Code{ID: "E264", Title: "not a delimiter"}
	CodeType      = diag.Code{ID: "E265", Title: "not a column type"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code { return []diag.Code{CodeDelimiter, CodeType} }

// delimiter is one character; 0 is the comma.
type delimiter rune

// FieldType is what the reference calls it.
func (*delimiter) FieldType() string { return "character" }

// DecodeField takes a literal character.
func (d *delimiter) DecodeField(c *field.Context, n *yaml.Node) {
	text := n.Value
	if text == `\t` {
		text = "\t"
	}
	r, size := utf8.DecodeRuneInString(text)
	if n.Kind != yaml.ScalarNode || size == 0 || size != len(text) || r == utf8.RuneError || strings.ContainsRune("\"\r\n", r) {
		c.Report(CodeDelimiter, diag.Error, n, "a delimiter is one character, and neither a quote nor a line end",
			"Cells could not be told apart.", `write ",", ";", "|" or "\t"`)
		return
	}
	*d = delimiter(r)
}

func (d delimiter) rune() rune {
	if d == 0 {
		return ','
	}
	return rune(d)
}

// columnType is what a column's cells become; the zero value is text.
type columnType struct {
	read func(cell string) (string, error)
}

// FieldType is what the reference calls it.
func (*columnType) FieldType() string { return "`text` `integer` `number` `boolean`" }

// DecodeField takes a type's name.
func (t *columnType) DecodeField(c *field.Context, n *yaml.Node) {
	switch n.Value {
	case "text":
	case "integer":
		t.read = integer
	case "number":
		t.read = number
	case "boolean":
		t.read = boolean
	default:
		c.Report(CodeType, diag.Error, n, "there is no such type of column", "Its cells could not be read.",
			"write text, integer, number or boolean")
	}
}

type client struct{}

func open(context.Context, connectors.None, connectors.Env) (*client, error) { return &client{}, nil }

// Close does nothing: there is nothing to close.
func (*client) Close() error { return nil }
