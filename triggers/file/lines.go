package file

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"unicode/utf8"

	"pipelined/internal/value"
)

// lines reads the lines of a text, or JSON Lines. A bad line is no trouble for the next.
type lines struct {
	folder *folder
	r      *bufio.Reader
	offset int64
	line   int
	buf    []byte
}

func (f *folder) openLines(file *os.File, c *cursor) *lines {
	return &lines{folder: f, r: bufio.NewReaderSize(from(file, c.At, c.Size), 64<<10), offset: c.At, line: c.Line}
}

func (l *lines) at(c *cursor) { c.Line = l.line }

func (l *lines) next() (row, error) {
	for {
		begin := l.offset
		text, all, err := l.read()
		if err != nil {
			return row{}, err
		}
		one := row{from: begin, to: l.offset, line: l.line}
		switch {
		case !all:
			one.problem = tooLarge("the line has %d bytes; max_size is %d", one.to-one.from, int64(l.folder.MaxSize))
		case l.folder.Format == "text" && utf8.Valid(text):
			one.data = value.Raw(value.Quote(string(text)))
		case l.folder.Format == "text":
			one.problem = content("the line is not UTF-8")
		case len(bytes.TrimSpace(text)) == 0:
			continue
		default:
			data, err := value.Parse(bytes.Clone(text)) // the buffer is used again
			if err != nil {
				one.problem = content("%v", err)
			}
			one.data = data
		}
		return one, nil
	}
}

// read reads one line, without its end. all is false for one that is too long, which is
// read over.
func (l *lines) read() (text []byte, all bool, err error) {
	l.buf, all = l.buf[:0], true
	for {
		part, err := l.r.ReadSlice('\n')
		l.offset += int64(len(part))
		if all = all && int64(len(l.buf)+len(part)) <= int64(l.folder.MaxSize)+2; all {
			l.buf = append(l.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.buf) == 0 && all && len(part) == 0:
			return nil, true, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, true, err
		}
		l.line++
		text, _ := bytes.CutSuffix(l.buf, []byte("\n"))
		text, _ = bytes.CutSuffix(text, []byte("\r"))
		return text, all, nil
	}
}
