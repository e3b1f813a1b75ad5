package position

import (
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
)

// Edit replaces length bytes at an offset of a scalar's value by text. It is nil where the
// place is not exact, or where the scalar would be read as something else then.
func (f *File) Edit(n *yaml.Node, offset, length int, text string) *diag.Edit {
	if n.Kind != yaml.ScalarNode || f == nil || offset+length > len(n.Value) || strings.Contains(text, "\n") {
		return nil
	}
	old := n.Value[offset : offset+length]
	e := &diag.Edit{Range: f.Inside(n, offset, length), NewText: text}
	if strings.Contains(old, "\n") || f.Between(e.Range) != old {
		return nil
	}
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && strings.ContainsAny(text, "\"\\"), n.Style&yaml.SingleQuotedStyle != 0 && strings.Contains(text, "'"):
		return nil
	case n.Style == 0 && !Plain(n.Value[:offset]+text+n.Value[offset+length:]):
		e = &diag.Edit{Range: f.Range(n), NewText: Quoted(n.Value[:offset] + text + n.Value[offset+length:])}
		if f.Between(e.Range) != n.Value {
			return nil
		}
	}
	return e
}

// Between is the text of a range within one line.
func (f *File) Between(r diag.Range) string {
	line := []rune(f.Line(r.Start.Line))
	if r.End.Line != r.Start.Line || r.Start.Column < 1 || r.End.Column > len(line)+1 || r.End.Column < r.Start.Column {
		return ""
	}
	return string(line[r.Start.Column-1 : r.End.Column-1])
}

// Plain reports whether YAML reads a text as itself without quotes, wherever it stands.
func Plain(text string) bool {
	for _, around := range []string{"k: %s", "{k: %s}", "[%s]"} {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(strings.Replace(around, "%s", text, 1)), &n); err != nil || len(n.Content) != 1 {
			return false
		}
		inner := n.Content[0].Content
		if last := inner[len(inner)-1]; len(inner) != strings.Count(around, "k")+1 || last.Kind != yaml.ScalarNode || last.Value != text || last.Tag == "!!null" || last.LineComment != "" {
			return false
		}
	}
	return true
}

// Quoted is a text in single quotes.
func Quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
