package csv

import (
	"context"
	"encoding/csv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pipelined"
	"pipelined/internal/value"
)

func rowsProblem(format string, args ...any) *pipelined.Problem {
	return pipelined.Problemf("csv/rows", "The rows cannot be written as CSV", 500, format, args...)
}

// writer writes rows; the columns are known with the first one.
type writer struct {
	formatParams
	csv   *csv.Writer
	named bool // the columns are those of the first row
	count int
}

func (*client) format(ctx context.Context, p formatParams) (any, error) {
	var text strings.Builder
	w := &writer{formatParams: p, csv: csv.NewWriter(&text)}
	w.csv.Comma, w.csv.UseCRLF = p.Delimiter.rune(), p.CRLF
	if err := w.all(ctx); err != nil {
		return nil, err
	}
	if w.count == 0 && w.Header && w.Columns != nil {
		if err := w.csv.Write(w.cells(w.Columns)); err != nil {
			return nil, rowsProblem("%v", err)
		}
	}
	w.csv.Flush()
	return map[string]any{"text": text.String(), "count": w.count}, w.csv.Error()
}

func (w *writer) all(ctx context.Context) error {
	s, stream, err := value.Read(w.Rows)
	if err != nil {
		return err
	}
	if stream {
		defer s.Close()
		for {
			row, ok, err := s.Next(ctx)
			if err != nil || !ok {
				return err
			}
			if err := w.row(row); err != nil {
				return err
			}
		}
	}
	rows, ok := value.Open(w.Rows).([]any)
	if !ok {
		return rowsProblem("rows must be a list or a stream, not %s", value.Describe(w.Rows))
	}
	for i, row := range rows {
		if i%1000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := w.row(row); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) row(row any) error {
	var cells []any
	switch t := value.Open(row).(type) {
	case []any:
		cells = t
	case map[string]any:
		if w.Columns == nil {
			w.named = true
			w.Columns = slices.Sorted(maps.Keys(t))
		}
		for _, c := range w.Columns {
			cells = append(cells, t[c])
		}
		if w.named && !w.covers(t) {
			return rowsProblem("row %d has a field that row 0 does not have; say which ones to write with `columns`", w.count)
		}
	default:
		return rowsProblem("row %d is neither an object nor a list, but %s", w.count, value.Describe(row))
	}
	if w.count == 0 && w.Header && w.Columns != nil {
		if err := w.csv.Write(w.cells(w.Columns)); err != nil {
			return rowsProblem("%v", err)
		}
	}
	texts := make([]string, len(cells))
	for i, v := range cells {
		text, err := value.Text(v)
		if err != nil {
			return rowsProblem("row %d, cell %d: %v", w.count, i+1, err)
		}
		texts[i] = text
	}
	w.count++
	if err := w.csv.Write(w.cells(texts)); err != nil {
		return rowsProblem("%v", err)
	}
	return nil
}

// covers reports whether every field of a row has a column.
func (w *writer) covers(row map[string]any) bool {
	for name := range row {
		if _, ok := slices.BinarySearch(w.Columns, name); !ok {
			return false
		}
	}
	return true
}

// cells keeps a spreadsheet from running what stands in a cell, where asked to.
// Numbers may begin with a sign.
func (w *writer) cells(texts []string) []string {
	if !w.EscapeFormulas {
		return texts
	}
	out := slices.Clone(texts)
	for i, c := range out {
		if c == "" || !strings.ContainsRune("=+-@\t\r\n", rune(c[0])) {
			continue
		}
		if _, err := strconv.ParseFloat(c, 64); err != nil {
			out[i] = "'" + c
		}
	}
	return out
}
