package db

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// CodeSQL is reported for a statement that carries ${{ }}.
var CodeSQL = diag.Code{ID: "E260", Title: "value inside an SQL text"}

// statement is an SQL text with its placeholders taken apart. It never carries
// ${{ }}: a value in the text could change what the statement does.
type statement struct {
	text  string
	parts []string // the text between placeholders, one more than names
	names []string // of the placeholders in order; "" for ?
}

// DecodeField takes a literal text.
func (s *statement) DecodeField(c *field.Context, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		c.Report(field.CodeWrongType, diag.Error, n, "sql takes a statement", "There would be nothing to run.", "write an SQL text, with `|` for several lines")
		return
	}
	if expression.HasTemplate(n.Value) {
		c.Report(CodeSQL, diag.Error, n, "no ${{ }} inside SQL: a value could change what the statement does",
			"Whoever controls the value would control the database.", "write :name in the text, and `args: { name: ${{ … }} }` below it")
		return
	}
	parsed, err := parse(n.Value)
	if err != nil {
		c.Report(CodeSQL, diag.Error, n, err.Error(), "The statement could not be run.", "use either :name or ?, and double a literal ?")
		return
	}
	*s = parsed
}

// parse finds the placeholders of a statement: :name and ?, outside of quotes,
// comments and PostgreSQL's :: casts and $tag$ texts. ?? is a literal ?.
func parse(text string) (statement, error) {
	s := statement{text: text}
	start := 0
	cut := func(at, next int, name string) {
		s.parts = append(s.parts, text[start:at])
		s.names = append(s.names, name)
		start = next
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			i = after(text, i+1, string(c))
		case strings.HasPrefix(text[i:], "--"):
			i = after(text, i, "\n")
		case strings.HasPrefix(text[i:], "/*"):
			i = after(text, i, "*/")
		case c == '$':
			i = dollarQuoted(text, i)
		case strings.HasPrefix(text[i:], "::"), strings.HasPrefix(text[i:], ":="):
			i += 2
		case c == ':' && i+1 < len(text) && isNameStart(text[i+1]):
			j := i + 1
			for j < len(text) && isName(text[j]) {
				j++
			}
			cut(i, j, text[i+1:j])
			i = j
		case strings.HasPrefix(text[i:], "??"):
			i += 2
		case c == '?':
			cut(i, i+1, "")
			i++
		default:
			i++
		}
	}
	s.parts = append(s.parts, text[start:])
	return s, s.mixed()
}

func (s statement) mixed() error {
	for _, n := range s.names {
		if (n == "") != (s.names[0] == "") {
			return fmt.Errorf("the statement mixes :name and ?")
		}
	}
	return nil
}

func after(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// dollarQuoted skips $$…$$ and $tag$…$tag$; anything else is one character.
func dollarQuoted(text string, i int) int {
	j := i + 1
	for j < len(text) && isName(text[j]) {
		j++
	}
	if j >= len(text) || text[j] != '$' {
		return i + 1
	}
	return after(text, j+1, text[i:j+1])
}

func isNameStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isName(c byte) bool      { return isNameStart(c) || c >= '0' && c <= '9' }

// forDriver writes the statement with the driver's own placeholders.
func (s statement) forDriver(driver string) string {
	var b strings.Builder
	for i, part := range s.parts {
		b.WriteString(strings.ReplaceAll(part, "??", "?"))
		if i == len(s.names) {
			break
		}
		if driver == "postgres" {
			fmt.Fprintf(&b, "$%d", i+1)
		} else {
			b.WriteByte('?')
		}
	}
	return b.String()
}
