package value

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
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
	if !gjson.ValidBytes(b) {
		return "", invalid(b)
	}
	if i := notUTF8(b); i >= 0 {
		return "", at(b, i, "the text is not UTF-8")
	}
	if i, reason := beyondLimits(b); i >= 0 {
		return "", at(b, i, reason)
	}
	return Raw(unsafe.String(unsafe.SliceData(b), len(b))), nil
}

// ParseString is Parse for a text.
func ParseString(s string) (Raw, error) { return Parse([]byte(s)) }

// invalid finds out where a text goes wrong, which the quick check does not say.
func invalid(b []byte) error {
	if len(b) == 0 {
		return &SyntaxError{Line: 1, Column: 1, Reason: "the text is empty"}
	}
	var v any
	err := json.Unmarshal(b, &v)
	if s, ok := err.(*json.SyntaxError); ok {
		return at(b, max(int(s.Offset)-1, 0), s.Error())
	}
	return at(b, 0, "the text is not JSON")
}

func at(b []byte, offset int, reason string) error {
	offset = min(offset, len(b))
	line := 1 + bytes.Count(b[:offset], []byte{'\n'})
	start := bytes.LastIndexByte(b[:offset], '\n') + 1
	return &SyntaxError{Offset: offset, Line: line, Column: 1 + utf8.RuneCount(b[start:offset]), Reason: reason}
}

func notUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// beyondLimits returns where a valid text is nested too deeply or has a number
// that is too long; -1 if it is within.
func beyondLimits(b []byte) (int, string) {
	depth, digits := 0, 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			digits = 0
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return i, fmt.Sprintf("nested more than %d deep", MaxDepth)
			}
			digits = 0
		case c == '}' || c == ']':
			depth--
			digits = 0
		case c >= '0' && c <= '9':
			if digits++; digits > MaxNumber {
				return i, fmt.Sprintf("a number of more than %d digits", MaxNumber)
			}
		case c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-':
		default:
			digits = 0
		}
	}
	return -1, ""
}
