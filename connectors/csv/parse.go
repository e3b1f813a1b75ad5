package csv

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"pipelined"
	"pipelined/internal/value"
)

const (
	// maxSkipped is how many skipped rows are told one by one.
	maxSkipped = 100
	// maxName bounds a column's name, which every row repeats.
	maxName = 256
	// maxGrowth bounds how much larger than the text its rows may be.
	maxGrowth = 16
)

func problem(format string, args ...any) *pipelined.Problem {
	return pipelined.Problemf("csv/parse", "Not the CSV that was expected", 422, format, args...)
}

// parser turns records into one JSON list.
type parser struct {
	parseParams
	csv     *csv.Reader
	columns []string // none: rows are lists
	out     []byte
	count   int
	skipped []any
	bad     int
}

// badRow is a row that on_bad_row may skip.
type badRow struct {
	line   int
	reason string
}

func (e badRow) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

func (*client) parse(ctx context.Context, p parseParams) (any, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(p.Text, "\ufeff")))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace = p.Delimiter.rune(), p.Quotes == "lazy", p.Trim
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	ps := &parser{parseParams: p, csv: r, out: []byte{'['}, skipped: []any{}}
	if err := ps.header(); err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		err := ps.row()
		if errors.Is(err, io.EOF) {
			break
		}
		if err = ps.forgiven(err); err != nil {
			return nil, err
		}
	}
	rows := value.Raw(append(ps.out, ']'))
	return map[string]any{"rows": rows, "count": ps.count, "skipped": ps.skipped, "skipped_count": ps.bad}, nil
}

// forgiven counts a bad row that may be skipped; any other error stays one.
func (p *parser) forgiven(err error) error {
	var bad badRow
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &bad):
		return err
	case p.OnBadRow != "skip":
		return problem("%v", bad)
	}
	if p.bad++; p.bad <= maxSkipped {
		p.skipped = append(p.skipped, map[string]any{"line": bad.line, "reason": bad.reason})
	}
	return nil
}

// header finds out the names of the columns.
func (p *parser) header() error {
	p.columns = p.Columns
	if p.Header {
		first, err := p.csv.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return problem("%v", unparsed(err))
		case p.columns == nil:
			for _, c := range first {
				p.columns = append(p.columns, strings.TrimSpace(c))
			}
		}
	}
	seen := map[string]bool{}
	for i, c := range p.columns {
		switch {
		case c == "":
			return problem("column %d has no name; name the columns with `columns`", i+1)
		case len(c) > maxName:
			return problem("the name of column %d is longer than %d bytes; is there a header?", i+1, maxName)
		case seen[c]:
			return problem("two columns are called %q; name the columns with `columns`", c)
		}
		seen[c] = true
	}
	for c := range p.Types {
		if !seen[c] {
			return problem("types names the column %q, which is not there", c)
		}
	}
	return nil
}

// row reads one record and appends it; a row that fails leaves nothing behind.
func (p *parser) row() error {
	record, err := p.csv.Read()
	if errors.Is(err, io.EOF) {
		return err
	}
	if err != nil {
		return unparsed(err)
	}
	if p.count >= p.MaxRows {
		return problem("there are more than max_rows (%d) rows", p.MaxRows)
	}
	mark := len(p.out)
	if p.count > 0 {
		p.out = append(p.out, ',')
	}
	if err := p.append(record); err != nil {
		p.out = p.out[:mark]
		return err
	}
	p.count++
	if len(p.out) > 1<<20+maxGrowth*len(p.Text) {
		return problem("the rows are more than %d times as large as the text; give shorter names with `columns`", maxGrowth)
	}
	return nil
}

func (p *parser) append(record []string) error {
	line, _ := p.csv.FieldPos(0)
	if p.columns != nil && len(record) != len(p.columns) {
		return badRow{line, fmt.Sprintf("%d cells, where there are %d columns", len(record), len(p.columns))}
	}
	opening, closing := byte('['), byte(']')
	if p.columns != nil {
		opening, closing = '{', '}'
	}
	p.out = append(p.out, opening)
	for i, cell := range record {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		var t columnType
		if p.columns != nil {
			p.out = append(append(p.out, value.Quote(p.columns[i])...), ':')
			t = p.Types[p.columns[i]]
		}
		if p.Trim {
			cell = strings.TrimSpace(cell)
		}
		text, err := t.cell(cell)
		if err != nil {
			return badRow{line, fmt.Sprintf("column %s is %v", p.columns[i], err)}
		}
		p.out = append(p.out, text...)
	}
	p.out = append(p.out, closing)
	return nil
}

// unparsed tells what the library found, by line and column and without the text.
func unparsed(err error) error {
	var e *csv.ParseError
	if errors.As(err, &e) {
		return badRow{e.Line, fmt.Sprintf("column %d: %v", e.Column, e.Err)}
	}
	return err
}
