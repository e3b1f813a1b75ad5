package field

import (
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

// Range is the span of a node of the file.
func (c *Context) Range(n *yaml.Node) diag.Range { return c.File.Range(n) }

// Report adds a finding at a node.
func (c *Context) Report(code diag.Code, sev diag.Severity, n *yaml.Node, summary, consequence, fix string) {
	c.Diags.Add(diag.Diagnostic{Code: code, Severity: sev, Range: c.Range(n), Summary: summary, Consequence: consequence, Fix: fix})
}

// ReportExpression places a mistake of an expression that begins base bytes into
// the scalar's value.
func (c *Context) ReportExpression(n *yaml.Node, base int, e *expression.Error) {
	d := diag.Diagnostic{Code: e.Code, Severity: diag.Error, Range: c.File.Inside(n, base+e.Offset, e.Length),
		Summary: e.Summary, Consequence: e.Consequence, Fix: e.Fix}
	if d.Consequence == "" {
		d.Consequence = "The expression cannot be evaluated."
	}
	if e.Edit != nil {
		d.Edit = c.File.Edit(n, base+e.Edit.Offset, e.Edit.Length, e.Edit.NewText)
	}
	c.Diags.Add(d)
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
