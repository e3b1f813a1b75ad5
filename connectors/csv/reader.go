package csv

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"pipelined/internal/value"
)

// Options is what an author may say about CSV that is read, wherever it comes from.
type Options struct {
	Delimiter delimiter             `yaml:"delimiter" doc:"One character, such as ; or \\t; default is a comma."`
	Header    bool                  `yaml:"header" default:"true" doc:"The first line names the columns."`
	Columns   []string              `yaml:"columns" doc:"Names of the columns, instead of those in the header, or where there is none."`
	Types     map[string]columnType `yaml:"types" doc:"Column to text, integer, number or boolean; default is text."`
	Trim      bool                  `yaml:"trim" default:"false" doc:"Take spaces around cells away."`
	Quotes    string                `yaml:"quotes" enum:"strict,lazy" default:"strict" doc:"lazy accepts quotes inside unquoted cells."`
}

// maxName bounds a column's name, which every row repeats.
const maxName = 256

// Reader gives the rows of a CSV text, one by one, as JSON. Use NewReader.
type Reader struct {
	options Options
	csv     *csv.Reader
	columns []string // none: rows are lists
	begun   bool
}

// BadRow is a row that is not like the others; those that follow can be read.
type BadRow struct {
	Line   int // of the text, from 1
	Reason string
}

func (e BadRow) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// NewReader reads a text without a byte order mark.
func NewReader(text io.Reader, o Options) *Reader {
	r := csv.NewReader(text)
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace = o.Delimiter.rune(), o.Quotes == "lazy", o.Trim
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	return &Reader{options: o, csv: r}
}

// Columns are the names of the columns; none: rows are lists. It reads the header if
// there is one. An error is one of the whole text.
func (r *Reader) Columns() ([]string, error) {
	if !r.begun {
		r.begun = true
		if err := r.header(); err != nil {
			return nil, err
		}
	}
	return r.columns, nil
}

// Offset is the byte behind the last row that was read, or behind the header.
func (r *Reader) Offset() int64 { return r.csv.InputOffset() }

// Line is the line in which the last row that was read began, from 1.
func (r *Reader) Line() int {
	line, _ := r.csv.FieldPos(0)
	return line
}

// Append reads one row and appends it, as an object or, where columns have no names, as
// a list. It returns io.EOF behind the last row. After a BadRow it may be called again;
// any other error is one of the whole text.
func (r *Reader) Append(to []byte) ([]byte, error) {
	if _, err := r.Columns(); err != nil {
		return nil, err
	}
	record, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, err
	}
	if err != nil {
		return nil, unparsed(err)
	}
	return r.append(to, record)
}

// header finds out the names of the columns.
func (r *Reader) header() error {
	r.columns = r.options.Columns
	if r.options.Header {
		first, err := r.csv.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return problem("%v", unparsed(err))
		case r.columns == nil:
			for _, c := range first {
				r.columns = append(r.columns, strings.TrimSpace(c))
			}
		}
	}
	return r.options.check(r.columns)
}

// check reports names of columns that cannot be told apart, or that are not there.
func (o Options) check(columns []string) error {
	seen := map[string]bool{}
	for i, c := range columns {
		switch {
		case c == "":
			return problem("column %d has no name; name the columns with `columns`", i+1)
		case !utf8.ValidString(c):
			return problem("the name of column %d is not UTF-8", i+1)
		case len(c) > maxName:
			return problem("the name of column %d is longer than %d bytes; is there a header?", i+1, maxName)
		case seen[c]:
			return problem("two columns are called %q; name the columns with `columns`", c)
		}
		seen[c] = true
	}
	for c := range o.Types {
		if !seen[c] {
			return problem("types names the column %q, which is not there", c)
		}
	}
	return nil
}

func (r *Reader) append(out []byte, record []string) ([]byte, error) {
	line := r.Line()
	if r.columns != nil && len(record) != len(r.columns) {
		return nil, BadRow{line, fmt.Sprintf("%d cells, where there are %d columns", len(record), len(r.columns))}
	}
	opening, closing := byte('['), byte(']')
	if r.columns != nil {
		opening, closing = '{', '}'
	}
	out = append(out, opening)
	for i, cell := range record {
		if i > 0 {
			out = append(out, ',')
		}
		var t columnType
		name := strconv.Itoa(i + 1)
		if r.columns != nil {
			name = r.columns[i]
			out = append(append(out, value.Quote(name)...), ':')
			t = r.options.Types[name]
		}
		if r.options.Trim {
			cell = strings.TrimSpace(cell)
		}
		if !utf8.ValidString(cell) {
			return nil, BadRow{line, "column " + name + " is not UTF-8"}
		}
		text, err := t.cell(cell)
		if err != nil {
			return nil, BadRow{line, fmt.Sprintf("column %s is %v", name, err)}
		}
		out = append(out, text...)
	}
	return append(out, closing), nil
}

// unparsed tells what the library found, by line and column and without the text.
func unparsed(err error) error {
	var e *csv.ParseError
	if errors.As(err, &e) {
		return BadRow{e.Line, fmt.Sprintf("column %d: %v", e.Column, e.Err)}
	}
	return err
}
