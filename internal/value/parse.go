package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
	"unsafe"
)

// Limits of a document, checked once at the edge.
const (
	// MaxDepth bounds nesting, so that no later walk can run out of stack.
	MaxDepth = 512
	// MaxNumber bounds the digits of a number.
	MaxNumber = 1000
)

// SyntaxError says where a text is not JSON.
type SyntaxError struct {
	Offset       int // in bytes, from 0
	Line, Column int // from 1; columns in characters
	Reason       string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d, column %d", e.Reason, e.Line, e.Column)
}

// Parse checks b once and returns it as a document, without copying: b belongs to
// the document from then on and must not be changed. An object that repeats a key
// is valid; its first occurrence counts everywhere.
func Parse(b []byte) (Raw, error) {
	// What stands before a document would hide its kind; what follows an object or
	// a list stays, so that it leaves byte for byte.
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) > 0 && b[0] != '{' && b[0] != '[' {
		b = bytes.TrimRight(b, " \t\r\n")
	}
	c := checker{b: b}
	if !c.valid() {
		if c.reason != "" {
			return "", at(b, c.at, c.reason)
		}
		return "", invalid(b, c.at)
	}
	return Raw(unsafe.String(unsafe.SliceData(b), len(b))), nil
}

// ParseString is Parse for a text.
func ParseString(s string) (Raw, error) { return Parse([]byte(s)) }

// invalid words what is wrong at offset as encoding/json does.
func invalid(b []byte, offset int) error {
	if len(b) == 0 {
		return &SyntaxError{Line: 1, Column: 1, Reason: "the text is empty"}
	}
	var v json.RawMessage
	if s, ok := json.Unmarshal(b, &v).(*json.SyntaxError); ok {
		return at(b, max(int(s.Offset)-1, 0), s.Error())
	}
	return at(b, offset, "the text is not JSON")
}

func at(b []byte, offset int, reason string) error {
	offset = min(offset, len(b))
	line := 1 + bytes.Count(b[:offset], []byte{'\n'})
	start := bytes.LastIndexByte(b[:offset], '\n') + 1
	return &SyntaxError{Offset: offset, Line: line, Column: 1 + utf8.RuneCount(b[start:offset]), Reason: reason}
}
