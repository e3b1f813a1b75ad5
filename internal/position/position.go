// Package position tells where in a file of the project something stands: the span of a
// node, of a part of a scalar's value, and the text that would stand there instead.
// yaml.v3 says where a node begins; how far it goes, and where in a text between quotes a
// character is, is read from the source.
package position

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
)

// File is the source a node came from, for exact positions.
type File struct {
	Name string // relative to the project folder
	Text []byte
}

func (f *File) name() string {
	if f == nil {
		return ""
	}
	return f.Name
}

// Range is the span of a node: of a scalar its text, of a mapping or a list its
// first token.
func (f *File) Range(n *yaml.Node) diag.Range {
	r := diag.Range{File: f.name()}
	if n == nil || n.Line == 0 {
		return r
	}
	line := f.Line(n.Line)
	r.Start = diag.Position{Line: n.Line, Column: column(line, n.Column)}
	length := 1
	rest := tail(line, n.Column)
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Style&yaml.FlowStyle == 0:
		return f.Range(n.Content[0])
	case n.Kind == yaml.ScalarNode:
		length = scalarLength(n, rest)
	}
	r.End = diag.Position{Line: n.Line, Column: r.Start.Column + max(length, 1)}
	return r
}

// scalarLength is how many characters of its line a scalar takes up.
func scalarLength(n *yaml.Node, rest string) int {
	switch {
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && rest != "":
		quote := rest[0]
		for i := 1; i < len(rest); i++ {
			if escape := rest[i] == '\\' && quote == '"' || strings.HasPrefix(rest[i:], "''") && quote == '\''; escape {
				i++
			} else if rest[i] == quote {
				return utf8.RuneCountInString(rest[:i+1])
			}
		}
		return utf8.RuneCountInString(strings.TrimRight(rest, " \r"))
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 1
	}
	first, _, several := strings.Cut(n.Value, "\n")
	if several || !strings.HasPrefix(rest, first) {
		return utf8.RuneCountInString(strings.TrimRight(rest, " \r"))
	}
	return utf8.RuneCountInString(first)
}

// Line returns the text of a line of the file, from 1.
func (f *File) Line(n int) string {
	if f == nil {
		return ""
	}
	text := string(f.Text)
	for ; n > 1; n-- {
		_, after, ok := strings.Cut(text, "\n")
		if !ok {
			return ""
		}
		text = after
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimRight(line, "\r")
}

// column makes sure that a column lies in its line. yaml.v3 counts characters.
func column(line string, col int) int {
	return min(max(col, 1), utf8.RuneCountInString(line)+1)
}

func tail(line string, col int) string {
	for i := range line {
		if col--; col == 0 {
			return line[i:]
		}
	}
	return ""
}

// Inside is the span of length bytes at an offset of a scalar's value. It is
// exact for plain scalars, for quoted ones without escapes before the place, and
// for block scalars.
func (f *File) Inside(n *yaml.Node, offset, length int) diag.Range {
	if n == nil || n.Kind != yaml.ScalarNode {
		return f.Range(n)
	}
	offset = min(max(offset, 0), len(n.Value))
	before := n.Value[:offset]
	chars := max(utf8.RuneCountInString(n.Value[offset:min(offset+length, len(n.Value))]), 1)
	line, col := n.Line, n.Column+utf8.RuneCountInString(before)
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		line += 1 + strings.Count(before, "\n")
		last := before[strings.LastIndexByte(before, '\n')+1:]
		text := f.Line(line)
		indent := len(text) - len(strings.TrimLeft(text, " "))
		if first := f.Line(n.Line + 1); first != "" {
			indent = min(indent, len(first)-len(strings.TrimLeft(first, " ")))
		}
		col = 1 + indent + utf8.RuneCountInString(last)
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		col++
		if n.Style&yaml.DoubleQuotedStyle != 0 {
			col += strings.Count(before, `"`) + strings.Count(before, `\`)
		} else {
			col += strings.Count(before, "'")
		}
	}
	text := f.Line(line)
	start := column(text, col)
	return diag.Range{File: f.name(), Start: diag.Position{Line: line, Column: start},
		End: diag.Position{Line: line, Column: max(start+1, min(start+chars, utf8.RuneCountInString(text)+1))}}
}
