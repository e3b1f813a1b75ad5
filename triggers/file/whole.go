package file

import (
	"bytes"
	"errors"
	"io"
	"os"
	"unicode/utf8"

	"pipelined"
	"pipelined/connectors/csv"
	"pipelined/internal/value"
)

// mark is the byte order mark of UTF-8, which is no part of the content.
var mark = []byte("\ufeff")

// whole delivers a file as one event.
func (f *folder) whole(name string, c cursor, file *os.File) error {
	text, err := io.ReadAll(io.LimitReader(file, int64(f.MaxSize)+1))
	if err != nil {
		return f.fails(name, c, unreadable(err))
	}
	if p := f.unchanged(file, c); p != nil {
		return f.fails(name, c, p)
	}
	data, p := f.decode(bytes.TrimPrefix(text, mark))
	if p != nil {
		return f.fails(name, c, p)
	}
	c.State = read
	return f.commit(name, c, f.event(name, "", data))
}

// unchanged says why what was read of an open file may not be a whole; nil if it is.
func (f *folder) unchanged(file *os.File, c cursor) *pipelined.Problem {
	info, err := file.Stat()
	if err != nil {
		return unreadable(err)
	}
	if stampOf(info) != c.stamp {
		return problem(typeChanged, 409, "it is taken again from its beginning")
	}
	return nil
}

// decode reads a whole content.
func (f *folder) decode(text []byte) (value.Raw, *pipelined.Problem) {
	switch f.Format {
	case "text":
		if !utf8.Valid(text) {
			return "", content("it is not UTF-8")
		}
		return value.Raw(value.Quote(string(text))), nil
	case "json":
		data, err := value.Parse(text)
		if err != nil {
			return "", content("%v", err)
		}
		return data, nil
	}
	r := csv.NewReader(bytes.NewReader(text), f.csvOptions())
	out := []byte{'['}
	for first := true; ; first = false {
		before := len(out)
		if !first {
			out = append(out, ',')
		}
		row, err := r.Append(out)
		if errors.Is(err, io.EOF) {
			return value.Raw(append(out[:before], ']')), nil
		}
		if err != nil {
			return "", csvProblem(err)
		}
		out = row
	}
}

func (f *folder) csvOptions() csv.Options {
	if f.CSV == nil {
		return csv.Options{Header: true}
	}
	return *f.CSV
}

// csvProblem is what was wrong with CSV, in the words of csv.parse.
func csvProblem(err error) *pipelined.Problem {
	var p *pipelined.Problem
	if errors.As(err, &p) {
		return content("%s", p.Detail)
	}
	return content("%v", err)
}
