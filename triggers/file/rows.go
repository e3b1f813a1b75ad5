package file

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf8"

	"pipelined"
	"pipelined/internal/value"
	"pipelined/triggers"
)

const (
	// batchRows and batchBytes bound what is committed at a time.
	batchRows  = 500
	batchBytes = 1 << 20
	// maxRaw is how much of a bad row is kept as its input.
	maxRaw = 64 << 10
	// ahead is how far a decoder may read beyond the row it gives.
	ahead = 64 << 10
)

// row is one row of a file.
type row struct {
	data     value.Raw
	problem  *pipelined.Problem // why it is none; those after it can be read
	from, to int64              // bytes of the file
	line     int                // in which it begins, from 1; 0: not known
}

// rowReader gives rows until io.EOF. An error that is a *pipelined.Problem says what is
// wrong with the content from here on, any other that the file cannot be read.
type rowReader interface {
	next() (row, error)
	// at adds to a cursor what it takes to go on behind the row that was given last.
	at(c *cursor)
}

// rows delivers a file row by row, from where its cursor is.
func (f *folder) rows(ctx context.Context, name string, c cursor, file *os.File) error {
	c.State, c.Format = reading, f.Format
	r, err := f.open(file, &c)
	for err == nil {
		var events []triggers.Event
		events, err = f.gather(r, name, &c, file)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil { // the end, which goes with the last rows
			return f.last(name, c, file, events, err)
		}
		if err := f.commit(name, c, events...); err != nil {
			return err
		}
		if err := f.meanwhile(ctx); err != nil {
			return err
		}
	}
	return f.last(name, c, file, nil, err)
}

// last delivers the last rows, and what keeps those after them from being read.
func (f *folder) last(name string, c cursor, file *os.File, events []triggers.Event, err error) error {
	var p *pipelined.Problem
	switch {
	case errors.Is(err, io.EOF):
		p = f.unchanged(file, c)
	case !errors.As(err, &p):
		p = unreadable(err)
	}
	if p != nil {
		events = append(events, f.bad(name, "", aboutRest(name, c), p))
	}
	c.State, c.Columns = read, nil
	return f.commit(name, c, events...)
}

// aboutRest is what is known of a file that is not read to its end.
func aboutRest(name string, c cursor) value.Raw {
	return object(map[string]any{"path": name, "size": c.Size, "rows": c.Row, "byte": c.At})
}

// gather reads the rows of one batch and moves the cursor behind them. An error is told
// with the rows before it.
func (f *folder) gather(r rowReader, name string, c *cursor, file *os.File) (events []triggers.Event, err error) {
	defer func() {
		if len(events) > 0 {
			r.at(c)
		}
	}()
	for size := 0; len(events) < batchRows && size < batchBytes; {
		one, err := r.next()
		if err != nil {
			return events, err
		}
		c.Row++
		c.At = one.to
		if one.problem == nil && one.to-one.from > int64(f.MaxSize) {
			one.problem = tooLarge("it has %d bytes; max_size is %d", one.to-one.from, int64(f.MaxSize))
		}
		number := strconv.Itoa(c.Row)
		if one.problem == nil {
			events = append(events, f.event(name, number, one.data))
			size += len(one.data)
			continue
		}
		data, err := f.aboutRow(name, c.Row, one, file)
		if err != nil {
			return events, err
		}
		events = append(events, f.bad(name, number, data, one.problem))
		size += len(data)
	}
	return events, nil
}

// aboutRow is what is known of a row that is none, with its text, or its bytes, as far
// as they are not too many.
func (f *folder) aboutRow(name string, number int, one row, file *os.File) (value.Raw, error) {
	m := map[string]any{"path": name, "row": number, "byte": one.from, "length": one.to - one.from}
	if one.line > 0 {
		m["line"] = one.line
	}
	raw, err := io.ReadAll(io.NewSectionReader(file, one.from, min(one.to-one.from, maxRaw)))
	if err != nil {
		return "", err
	}
	if utf8.Valid(raw) {
		m["raw"] = string(raw)
	} else {
		m["base64"] = base64.StdEncoding.EncodeToString(raw)
	}
	return object(m), nil
}

// open makes what reads the rows of a file from where its cursor is.
func (f *folder) open(file *os.File, c *cursor) (rowReader, error) {
	begin := int64(0)
	head := make([]byte, len(mark))
	if n, err := file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if bytes.Equal(head[:n], mark) {
		begin = int64(n)
	}
	c.At = max(c.At, begin)
	if f.Format == "csv" {
		return f.openCSV(file, c)
	}
	if f.Format == "json" {
		list, err := opensList(io.NewSectionReader(file, begin, c.Size-begin))
		if err != nil {
			return nil, err
		}
		if list {
			return f.openList(file, c, begin)
		}
	}
	return f.openLines(file, c), nil
}

// bounded gives no more than up to a limit, which moves with the rows, and may count lines.
type bounded struct {
	r       io.Reader
	n, most int64   // given, and to be given at most
	counts  bool    // lines
	ends    []int64 // where lines end that are not counted yet
	lines   int     // that are
}

// until counts the lines that end before a place.
func (b *bounded) until(at int64) int {
	n := 0
	for n < len(b.ends) && b.ends[n] < at {
		n++
	}
	b.ends = b.ends[n:]
	b.lines += n
	return b.lines
}

var errRowTooLarge = errors.New("a row is too large")

func (b *bounded) Read(p []byte) (int, error) {
	if b.n >= b.most {
		return 0, errRowTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.most-b.n)])
	for i := 0; b.counts && i < n; i++ {
		if p[i] == '\n' {
			b.ends = append(b.ends, b.n+int64(i))
		}
	}
	b.n += int64(n)
	return n, err
}

// endless is the problem of a row so large that those after it cannot be found.
func (f *folder) endless(number int) error {
	return tooLarge("row %d is larger than max_size (%d bytes); what follows it is not read", number, int64(f.MaxSize))
}

// from is a part of a file, to its end as it was when it was looked at.
func from(file *os.File, at, size int64) *io.SectionReader {
	return io.NewSectionReader(file, at, max(size-at, 0))
}

// opensList reports whether the first character that is no space opens a list.
func opensList(r io.Reader) (bool, error) {
	b, _, err := firstByte(r)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return b == '[', err
}

// firstByte is the first byte that is no space, and how many come before it.
func firstByte(r io.Reader) (b byte, before int64, err error) {
	buf := make([]byte, 512)
	for {
		n, err := r.Read(buf)
		for i, b := range buf[:n] {
			if b != ' ' && b != '\n' && b != '\r' && b != '\t' {
				return b, before + int64(i), nil
			}
		}
		before += int64(n)
		if err != nil {
			return 0, before, fmt.Errorf("look for the first character: %w", err)
		}
	}
}
