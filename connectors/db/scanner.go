package db

import (
	"strconv"
	"strings"
)

// scanner walks a statement and knows where its texts and comments end.
type scanner struct {
	text    string
	dialect dialect
	at      int // what comes next
	copied  int // how much of text is in out
	out     strings.Builder
	places  []place
	style   style
}

// placeholder takes the placeholder that begins here, or one character.
func (s *scanner) placeholder() error {
	rest := s.text[s.at:]
	switch {
	case strings.HasPrefix(rest, "::"), strings.HasPrefix(rest, ":="):
		s.at += 2
	case strings.HasPrefix(rest, "??"):
		s.replace(s.at+2, "?")
	case rest[0] == '?':
		return s.place(s.at+1, question, place{index: len(s.places)})
	case rest[0] == ':' && !s.afterWord() && len(rest) > 1 && isNameStart(rest[1]):
		n := 1 + wordLength(rest[1:])
		return s.place(s.at+n, named, place{name: rest[1:n]})
	case rest[0] == '$' && !s.afterWord():
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if i, err := strconv.Atoi(rest[1:n]); err == nil && i > 0 {
			return s.place(s.at+n, numbered, place{index: i - 1})
		}
		s.at++
	default:
		s.at++
	}
	return nil
}

// afterWord reports whether a word ends here: the : of a slice such as a[lo:hi]
// and the $ of a name such as v$session are no placeholders.
func (s *scanner) afterWord() bool { return s.at > 0 && isWord(s.text[s.at-1]) }

// skipped returns where the text or comment that begins here ends; s.at if none
// begins. One that is not closed reaches to the end.
func (s *scanner) skipped() int {
	rest := s.text[s.at:]
	switch c := rest[0]; {
	case c == '\'':
		return s.at + quoted(rest, s.dialect == mysqlDialect || s.escapeString())
	case c == '"':
		return s.at + quoted(rest, s.dialect == mysqlDialect)
	case c == '`' && s.dialect != postgres:
		return s.at + quoted(rest, false)
	case c == '[' && s.dialect == sqliteDialect:
		return s.at + until(rest, 1, "]")
	case c == '$' && s.dialect == postgres && !s.afterWord():
		return s.at + dollarQuoted(rest)
	case strings.HasPrefix(rest, "--") && s.lineComment(rest), c == '#' && s.dialect == mysqlDialect:
		return s.at + until(rest, 1, "\n")
	case strings.HasPrefix(rest, "/*"):
		return s.at + comment(rest, s.dialect == postgres)
	}
	return s.at
}

// escapeString reports whether the quote here begins PostgreSQL's E'…'.
func (s *scanner) escapeString() bool {
	return s.dialect == postgres && s.at > 0 && s.text[s.at-1]|0x20 == 'e' && (s.at < 2 || !isWord(s.text[s.at-2]))
}

// lineComment: MySQL wants a space behind --, so that 1--1 is 2.
func (s *scanner) lineComment(rest string) bool {
	return s.dialect != mysqlDialect || len(rest) == 2 || rest[2] <= ' '
}

// quoted is the length of a quoted text; its quote is written twice inside.
func quoted(s string, backslash bool) int {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && backslash:
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

func until(s string, from int, end string) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

// comment is the length of /* … */, which PostgreSQL nests.
func comment(s string, nested bool) int {
	if !nested {
		return until(s, 2, "*/")
	}
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(s[i:], "*/"):
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// dollarQuoted is the length of $$…$$ or $tag$…$tag$; 0 if there is none.
func dollarQuoted(s string) int {
	n := 1
	if len(s) > 1 && isNameStart(s[1]) {
		n += wordLength(s[1:])
	}
	if n >= len(s) || s[n] != '$' {
		return 0
	}
	return until(s, n+1, s[:n+1])
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}

func isNameStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isWord(c byte) bool      { return isNameStart(c) || c >= '0' && c <= '9' || c >= 0x80 }
