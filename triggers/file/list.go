package file

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"pipelined/internal/value"
)

// elements reads the elements of a list in JSON.
type elements struct {
	folder *folder
	bound  *bounded
	dec    *json.Decoder
	base   int64 // of the decoder's offsets
	number int
}

// openList begins with the list, or behind one of its elements.
func (f *folder) openList(file *os.File, c *cursor, begin int64) (rowReader, error) {
	e := &elements{folder: f, number: c.Row}
	if c.Row == 0 {
		e.base = begin
		e.bound = &bounded{r: from(file, begin, c.Size)}
	} else {
		at, err := behind(file, c)
		if err != nil {
			return nil, err
		}
		// The decoder is told that a list begins here.
		e.base = at - 1
		e.bound = &bounded{r: io.MultiReader(strings.NewReader("["), from(file, at, c.Size))}
	}
	e.bound.most = int64(f.MaxSize) + ahead
	e.dec = json.NewDecoder(e.bound)
	if _, err := e.dec.Token(); err != nil {
		return nil, e.wrong(err)
	}
	return e, nil
}

// behind is where the next element begins, or the list ends, after the element that was
// read last.
func behind(file *os.File, c *cursor) (int64, error) {
	next, spaces, err := firstByte(from(file, c.At, c.Size))
	at := c.At + spaces
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case next == ']':
		return at, nil
	case next != ',':
		return 0, content("there is no comma after row %d", c.Row)
	}
	if next, _, err = firstByte(from(file, at+1, c.Size)); err == nil && next == ']' {
		return 0, content("there is a comma after row %d, the last one", c.Row)
	}
	return at + 1, nil
}

func (*elements) at(*cursor) {}

func (e *elements) next() (row, error) {
	e.bound.most = e.dec.InputOffset() + int64(e.folder.MaxSize) + ahead
	e.number++
	if !e.dec.More() {
		return row{}, e.end()
	}
	var raw json.RawMessage
	if err := e.dec.Decode(&raw); err != nil {
		return row{}, e.wrong(err)
	}
	to := e.base + e.dec.InputOffset()
	one := row{from: to - int64(len(raw)), to: to}
	data, err := value.Parse(raw)
	if err != nil {
		one.problem = content("%v", err)
	}
	one.data = data
	return one, nil
}

// end reads the end of the list; nothing may follow it.
func (e *elements) end() error {
	if _, err := e.dec.Token(); err != nil {
		return e.wrong(err)
	}
	if _, err := e.dec.Token(); !errors.Is(err, io.EOF) {
		return content("something follows the list")
	}
	return io.EOF
}

// wrong is why the list cannot be read on.
func (e *elements) wrong(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, errRowTooLarge):
		return e.folder.endless(e.number)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return content("the list has no end")
	case errors.As(err, &syntax):
		return content("row %d: %v", e.number, err)
	}
	return err
}
