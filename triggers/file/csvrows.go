package file

import (
	"errors"
	"io"
	"os"

	"pipelined/connectors/csv"
	"pipelined/internal/value"
)

// csvRows reads the rows of CSV.
type csvRows struct {
	folder  *folder
	bound   *bounded
	r       *csv.Reader
	base    int64 // of the reader's offsets
	lines   int   // before the reader's first one
	before  int64 // where the row begins that is read next
	number  int
	columns []string
}

// openCSV begins with the header, or behind a row.
func (f *folder) openCSV(file *os.File, c *cursor) (rowReader, error) {
	options := f.csvOptions()
	if c.Row > 0 {
		options.Header, options.Columns = false, c.Columns
	}
	r := &csvRows{folder: f, base: c.At, lines: c.Line, before: c.At, number: c.Row}
	r.bound = &bounded{counts: true, r: from(file, c.At, c.Size), most: int64(f.MaxSize) + ahead}
	r.r = csv.NewReader(r.bound, options)
	columns, err := r.r.Columns()
	if err != nil {
		return nil, r.wrong(err)
	}
	r.columns, r.before = columns, r.base+r.r.Offset()
	return r, nil
}

func (r *csvRows) next() (row, error) {
	r.bound.most = r.r.Offset() + int64(r.folder.MaxSize) + ahead
	r.number++
	data, err := r.r.Append(nil)
	one := row{data: value.Raw(data), from: r.before, to: r.base + r.r.Offset()}
	var bad csv.BadRow
	switch {
	case errors.As(err, &bad):
		one.problem = content("%s", bad.Reason)
		one.line = r.lines + bad.Line
	case err != nil:
		return row{}, r.wrong(err)
	default:
		one.line = r.lines + r.r.Line()
	}
	r.before = one.to
	return one, nil
}

// wrong is an error that is no row's.
func (r *csvRows) wrong(err error) error {
	switch {
	case errors.Is(err, errRowTooLarge):
		return r.folder.endless(r.number)
	case errors.Is(err, io.EOF), errors.As(err, new(*os.PathError)):
		return err
	}
	return csvProblem(err)
}

// at keeps the columns, and how many lines there were.
func (r *csvRows) at(c *cursor) {
	c.Columns, c.Line = r.columns, r.lines+r.bound.until(r.before-r.base)
}
