package file

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// What a file is at.
const (
	reading = "reading" // rows up to At are delivered
	read    = "read"    // all there is of it is delivered; its events have not ended
	kept    = "kept"    // they have, and it stays where it is
)

// cursor is how far a file is; it is what the store keeps of one.
type cursor struct {
	stamp
	State  string `json:"state"`
	Format string `json:"format,omitempty"` // by which rows are read
	At     int64  `json:"at,omitempty"`     // bytes from the beginning of the file
	Row    int    `json:"row,omitempty"`    // rows so far
	Line   int    `json:"line,omitempty"`   // lines before At, for CSV
	// Columns are those of the header, for CSV that is read on behind it.
	Columns []string `json:"columns,omitempty"`
}

// stamp is by what a file is the same as before, beside its path.
type stamp struct {
	Size     int64 `json:"size"`
	Modified int64 `json:"modified"` // nanoseconds since 1970
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime().UnixNano()} }

func (c cursor) text() (string, error) {
	text, err := json.Marshal(c)
	return string(text), err
}

func parseCursor(text string) (c cursor, err error) {
	if text == "" { // held, and nothing was delivered
		return cursor{}, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read how far a file is: %w", err)
	}
	return c, nil
}
