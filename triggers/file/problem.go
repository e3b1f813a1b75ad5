package file

import (
	"errors"
	"io/fs"

	"pipelined"
)

// Types of problems.
const (
	typeTooLarge   = "file/too-large"  // a file, or a row, is over max_size
	typeContent    = "file/content"    // not what format says
	typeUnreadable = "file/unreadable" // the system does not let us
	typeNoFile     = "file/not-a-file" // a link, a pipe
	typeChanged    = "file/changed"    // it changed, or went, while it was read
)

var titles = map[string]string{
	typeTooLarge: "The file is too large", typeContent: "Not the content that was expected", typeUnreadable: "The file cannot be read",
	typeNoFile: "Not a file", typeChanged: "The file changed while it was read",
}

func problem(typ string, status int, format string, args ...any) *pipelined.Problem {
	return pipelined.Problemf(typ, titles[typ], status, format, args...)
}

func tooLarge(format string, args ...any) *pipelined.Problem {
	return problem(typeTooLarge, 413, format, args...)
}

func content(format string, args ...any) *pipelined.Problem {
	return problem(typeContent, 422, format, args...)
}

// unreadable tells what the system says, without the path, which is told anyway.
func unreadable(err error) *pipelined.Problem {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return problem(typeUnreadable, 500, "%v", err)
}
