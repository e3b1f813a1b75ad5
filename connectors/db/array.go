package db

import (
	"encoding/hex"
	"strings"

	"pipelined/internal/value"
)

// asArray marks the kind of a PostgreSQL array's elements.
const asArray kind = 1 << 8

// appendArray writes PostgreSQL's text of an array, such as {1,NULL,"a b"} or
// {{1,2},{3,4}}, as a list. What is not one stays a text.
func appendArray(dst []byte, s string, k kind) []byte {
	body := s
	if strings.HasPrefix(s, "[") { // [0:1]={…}: bounds that are not the usual ones
		_, body, _ = strings.Cut(s, "=")
	}
	mark := len(dst)
	dst, rest, ok := appendElements(dst, body, k, 0)
	if !ok || rest != "" {
		return append(dst[:mark], value.Quote(s)...)
	}
	return dst
}

// maxDimensions is PostgreSQL's own limit.
const maxDimensions = 6

func appendElements(dst []byte, s string, k kind, depth int) (out []byte, rest string, ok bool) {
	if !strings.HasPrefix(s, "{") || depth >= maxDimensions {
		return dst, s, false
	}
	s = s[1:]
	dst = append(dst, '[')
	if strings.HasPrefix(s, "}") {
		return append(dst, ']'), s[1:], true
	}
	for {
		if strings.HasPrefix(s, "{") {
			dst, s, ok = appendElements(dst, s, k, depth+1)
		} else {
			dst, s, ok = appendElement(dst, s, k)
		}
		if !ok || s == "" {
			return dst, s, false
		}
		end := s[0]
		s = s[1:]
		switch end {
		case ',':
			dst = append(dst, ',')
		case '}':
			return append(dst, ']'), s, true
		default:
			return dst, s, false
		}
	}
}

// appendElement writes one element: quoted, with backslashes, or bare, where NULL
// is null.
func appendElement(dst []byte, s string, k kind) (out []byte, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, ",}")
		switch {
		case i <= 0:
			return dst, s, false
		case s[:i] == "NULL":
			return append(dst, "null"...), s[i:], true
		}
		return appendElementText(dst, s[:i], k), s[i:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return appendElementText(dst, b.String(), k), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return dst, s, false
}

// appendElementText writes an element as the same kind of column would be written:
// inside arrays, PostgreSQL gives bytes in hex.
func appendElementText(dst []byte, s string, k kind) []byte {
	if k == binary {
		if b, err := hex.DecodeString(strings.TrimPrefix(s, `\x`)); err == nil {
			s = string(b)
		}
	}
	return appendText(dst, s, k)
}
