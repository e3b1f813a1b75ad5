package field

import (
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
)

// ReportEdit adds a finding at a scalar, which the text that is to stand there instead
// mends for sure.
func (c *Context) ReportEdit(code diag.Code, sev diag.Severity, n *yaml.Node, summary, consequence, fix, instead string) {
	d := diag.Diagnostic{Code: code, Severity: sev, Range: c.Range(n), Summary: summary, Consequence: consequence, Fix: fix}
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && d.Range.Start.Line > 0 {
		d.Edit = &diag.Edit{Range: d.Range, NewText: instead}
	}
	c.Diags.Add(d)
}

// ReportName adds a finding about a name that is none of those known; otherwise says what
// to do where none of them is near it.
func (c *Context) ReportName(code diag.Code, sev diag.Severity, n *yaml.Node, summary, consequence string, known []string, otherwise string) {
	if near := diag.Suggest(n.Value, known); near != "" {
		c.ReportEdit(code, sev, n, summary, consequence, "did you mean "+near+"?", near)
		return
	}
	c.Report(code, sev, n, summary, consequence, otherwise)
}

// edit replaces length bytes at an offset of a scalar's value by text. It is nil where the
// place is not exact, or where the scalar would be read as something else then.
func (c *Context) edit(n *yaml.Node, offset, length int, text string) *diag.Edit {
	if n.Kind != yaml.ScalarNode || c.File == nil || offset+length > len(n.Value) || strings.Contains(text, "\n") {
		return nil
	}
	old := n.Value[offset : offset+length]
	e := &diag.Edit{Range: c.inside(n, offset, length), NewText: text}
	if strings.Contains(old, "\n") || c.between(e.Range) != old {
		return nil
	}
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && strings.ContainsAny(text, "\"\\"), n.Style&yaml.SingleQuotedStyle != 0 && strings.Contains(text, "'"):
		return nil
	case n.Style == 0 && !plain(n.Value[:offset]+text+n.Value[offset+length:]):
		e = &diag.Edit{Range: c.Range(n), NewText: singleQuoted(n.Value[:offset] + text + n.Value[offset+length:])}
		if c.between(e.Range) != n.Value {
			return nil
		}
	}
	return e
}

// between is the text of a range within one line.
func (c *Context) between(r diag.Range) string {
	line := []rune(c.line(r.Start.Line))
	if r.End.Line != r.Start.Line || r.Start.Column < 1 || r.End.Column > len(line)+1 || r.End.Column < r.Start.Column {
		return ""
	}
	return string(line[r.Start.Column-1 : r.End.Column-1])
}

// plain reports whether YAML reads a text as itself without quotes, wherever it stands.
func plain(text string) bool {
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

func singleQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
