package field

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
)

// With returns a copy of the context with other symbols.
func (c *Context) With(syms *expression.Symbols) *Context {
	out := *c
	out.Symbols = syms
	return &out
}

// at returns a copy of the context whose mapping is n.
func (c *Context) at(n *yaml.Node) *Context {
	out := *c
	out.Node, out.Beside = n, nil
	return &out
}

// Pos returns the value of a key of the mapping the context is at; the mapping
// itself where there is none.
func (c *Context) Pos(key string) *yaml.Node {
	if c.Node != nil && c.Node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(c.Node.Content); i += 2 {
			if c.Node.Content[i].Value == key {
				return c.Node.Content[i+1]
			}
		}
	}
	return c.Node
}

// Given reports whether a key of that mapping is written, with a value.
func (c *Context) Given(key string) bool {
	n := c.Pos(key)
	return n != nil && n != c.Node && !isNull(n)
}

// Report adds a finding at a node.
func (c *Context) Report(code diag.Code, sev diag.Severity, n *yaml.Node, summary, consequence, fix string) {
	c.Diags.Add(diag.Diagnostic{Code: code, Severity: sev, Range: c.Range(n), Summary: summary, Consequence: consequence, Fix: fix})
}

func (c *Context) name() string {
	if c.File == nil {
		return ""
	}
	return c.File.Name
}

// Range is the span of a node: of a scalar its text, of a mapping or a list its
// first token.
func (c *Context) Range(n *yaml.Node) diag.Range {
	r := diag.Range{File: c.name()}
	if n == nil || n.Line == 0 {
		return r
	}
	line := c.line(n.Line)
	r.Start = diag.Position{Line: n.Line, Column: column(line, n.Column)}
	length := 1
	rest := tail(line, n.Column)
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Style&yaml.FlowStyle == 0:
		return c.Range(n.Content[0])
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

// line returns the text of a line of the file, from 1.
func (c *Context) line(n int) string {
	if c.File == nil {
		return ""
	}
	text := string(c.File.Text)
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

// ReportExpression places a mistake of an expression that begins base bytes into
// the scalar's value.
func (c *Context) ReportExpression(n *yaml.Node, base int, e *expression.Error) {
	d := diag.Diagnostic{Code: e.Code, Severity: diag.Error, Range: c.inside(n, base+e.Offset, e.Length),
		Summary: e.Summary, Consequence: e.Consequence, Fix: e.Fix}
	if d.Consequence == "" {
		d.Consequence = "The expression cannot be evaluated."
	}
	if e.Edit != nil {
		d.Edit = c.edit(n, base+e.Edit.Offset, e.Edit.Length, e.Edit.NewText)
	}
	c.Diags.Add(d)
}

// inside is the span of length bytes at an offset of a scalar's value. It is
// exact for plain scalars, for quoted ones without escapes before the place, and
// for block scalars.
func (c *Context) inside(n *yaml.Node, offset, length int) diag.Range {
	if n == nil || n.Kind != yaml.ScalarNode {
		return c.Range(n)
	}
	offset = min(max(offset, 0), len(n.Value))
	before := n.Value[:offset]
	chars := max(utf8.RuneCountInString(n.Value[offset:min(offset+length, len(n.Value))]), 1)
	line, col := n.Line, n.Column+utf8.RuneCountInString(before)
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		line += 1 + strings.Count(before, "\n")
		last := before[strings.LastIndexByte(before, '\n')+1:]
		text := c.line(line)
		indent := len(text) - len(strings.TrimLeft(text, " "))
		if first := c.line(n.Line + 1); first != "" {
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
	text := c.line(line)
	start := column(text, col)
	return diag.Range{File: c.name(), Start: diag.Position{Line: line, Column: start},
		End: diag.Position{Line: line, Column: max(start+1, min(start+chars, utf8.RuneCountInString(text)+1))}}
}

// Condition compiles a bare expression that must give true or false.
func Condition(c *Context, n *yaml.Node) expression.Condition {
	text, ok := bareText(c, n)
	if !ok {
		return expression.Condition{}
	}
	p, err := expression.CompileCondition(text, c.Symbols)
	if err != nil {
		c.ReportExpression(n, 0, err)
		return expression.Condition{}
	}
	return p
}

// bare compiles a bare expression of any type.
func bare(c *Context, n *yaml.Node) expression.Bare {
	text, ok := bareText(c, n)
	if !ok {
		return expression.Bare{}
	}
	p, err := expression.Compile(text, c.Symbols)
	if err != nil {
		c.ReportExpression(n, 0, err)
		return expression.Bare{}
	}
	return expression.Bare{Program: p}
}

// bareText is the source of a bare expression. YAML may have made a boolean or a
// number of it, which is what the text says too.
func bareText(c *Context, n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		c.Report(CodeWrongType, diag.Error, n, "an expression is needed here",
			"YAML read something else: [ ] and { } at the beginning have a meaning of their own.", "quote the expression")
		return "", false
	}
	if n.Tag == "!!null" && n.Value == "" {
		c.Report(CodeMissing, diag.Error, n, "the expression is empty", "There is nothing to evaluate.", "write an expression, or remove the key")
		return "", false
	}
	return n.Value, true
}
