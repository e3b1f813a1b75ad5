package value

import (
	"fmt"
	"unicode/utf8"
)

// checker validates a text in one pass: the grammar of RFC 8259, UTF-8, and the
// limits on depth and numbers. It knows the depth before it goes deeper, so that a
// hostile text cannot use up the stack.
type checker struct {
	b      []byte
	at     int    // where it went wrong
	reason string // empty: it is not JSON, and encoding/json says it best
}

const failed = -1

// valid reports whether the whole text is one document.
func (c *checker) valid() bool {
	i := c.value(c.space(0), 1)
	if i == failed {
		return false
	}
	if i = c.space(i); i < len(c.b) {
		c.at = i
		return false
	}
	return true
}

func (c *checker) fail(i int, reason string) int {
	c.at, c.reason = i, reason
	return failed
}

func (c *checker) space(i int) int {
	for i < len(c.b) && (c.b[i] == ' ' || c.b[i] == '\n' || c.b[i] == '\r' || c.b[i] == '\t') {
		i++
	}
	return i
}

// value checks the value that begins at i and returns what follows it.
func (c *checker) value(i, depth int) int {
	if i >= len(c.b) {
		return c.fail(i, "")
	}
	switch c.b[i] {
	case '{', '[':
		if depth > MaxDepth {
			return c.fail(i, fmt.Sprintf("nested more than %d deep", MaxDepth))
		}
		if c.b[i] == '{' {
			return c.object(i+1, depth)
		}
		return c.list(i+1, depth)
	case '"':
		return c.text(i + 1)
	case 't':
		return c.literal(i, "true")
	case 'f':
		return c.literal(i, "false")
	case 'n':
		return c.literal(i, "null")
	}
	return c.number(i)
}

func (c *checker) object(i, depth int) int {
	i = c.space(i)
	if i < len(c.b) && c.b[i] == '}' {
		return i + 1
	}
	for i < len(c.b) && c.b[i] == '"' {
		if i = c.text(i + 1); i == failed {
			return failed
		}
		if i = c.space(i); i >= len(c.b) || c.b[i] != ':' {
			return c.fail(i, "")
		}
		if i = c.value(c.space(i+1), depth+1); i == failed {
			return failed
		}
		if i = c.space(i); i < len(c.b) && c.b[i] == '}' {
			return i + 1
		}
		if i >= len(c.b) || c.b[i] != ',' {
			return c.fail(i, "")
		}
		i = c.space(i + 1)
	}
	return c.fail(i, "")
}

func (c *checker) list(i, depth int) int {
	i = c.space(i)
	if i < len(c.b) && c.b[i] == ']' {
		return i + 1
	}
	for {
		if i = c.value(i, depth+1); i == failed {
			return failed
		}
		if i = c.space(i); i < len(c.b) && c.b[i] == ']' {
			return i + 1
		}
		if i >= len(c.b) || c.b[i] != ',' {
			return c.fail(i, "")
		}
		i = c.space(i + 1)
	}
}

// text checks a string whose opening quote is behind.
func (c *checker) text(i int) int {
	b := c.b
	for i < len(b) {
		switch ch := b[i]; {
		case ch == '"':
			return i + 1
		case ch == '\\':
			if i = c.escape(i + 1); i == failed {
				return failed
			}
		case ch < ' ':
			return c.fail(i, "")
		case ch < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return c.fail(i, "the text is not UTF-8")
			}
			i += n
		}
	}
	return c.fail(i, "")
}

func (c *checker) escape(i int) int {
	if i >= len(c.b) {
		return c.fail(i, "")
	}
	switch c.b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for j := i + 1; j <= i+4; j++ {
			if j >= len(c.b) || !isHex(c.b[j]) {
				return c.fail(j, "")
			}
		}
		return i + 5
	}
	return c.fail(i, "")
}

func isHex(ch byte) bool {
	return ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'f' || ch >= 'A' && ch <= 'F'
}

func (c *checker) literal(i int, word string) int {
	for j := range len(word) {
		if i+j >= len(c.b) || c.b[i+j] != word[j] {
			return c.fail(i+j, "")
		}
	}
	return i + len(word)
}

func (c *checker) number(start int) int {
	i := start
	if c.b[i] == '-' {
		i++
	}
	from := i
	if i = c.digits(i); i == from || c.b[from] == '0' && i > from+1 {
		return c.fail(min(i, from+1), "")
	}
	if i < len(c.b) && c.b[i] == '.' {
		from = i + 1
		if i = c.digits(from); i == from {
			return c.fail(i, "")
		}
	}
	if i < len(c.b) && (c.b[i] == 'e' || c.b[i] == 'E') {
		i++
		if i < len(c.b) && (c.b[i] == '+' || c.b[i] == '-') {
			i++
		}
		from = i
		if i = c.digits(from); i == from {
			return c.fail(i, "")
		}
	}
	if i-start > MaxNumber {
		return c.fail(start+MaxNumber, fmt.Sprintf("a number of more than %d digits", MaxNumber))
	}
	return i
}

func (c *checker) digits(i int) int {
	for i < len(c.b) && c.b[i] >= '0' && c.b[i] <= '9' {
		i++
	}
	return i
}
