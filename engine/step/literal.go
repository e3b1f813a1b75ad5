package step

import (
	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/unit"
)

// Literal is a text without ${{ }}, because lint must know it.
type Literal struct {
	Text string
	node *yaml.Node
}

// DecodeField takes a plain text.
func (l *Literal) DecodeField(c *field.Context, n *yaml.Node) {
	l.node = n
	if n.Kind != yaml.ScalarNode {
		c.Report(field.CodeWrongType, diag.Error, n, "a text is needed here", "The step could not run.", "write one word")
		return
	}
	if expression.HasTemplate(n.Value) {
		c.Report(field.CodeTemplate, diag.Error, n, "no ${{ }} here: lint must know this text",
			"Wiring between pipelines could not be checked.", "write the name itself; use a switch to choose among several")
		return
	}
	l.Text = n.Value
}

// IsZero reports whether nothing was written.
func (l Literal) IsZero() bool { return l.node == nil }

// Flag is true, or nothing.
type Flag bool

// TakesNothing says that `stop:` is complete.
func (Flag) TakesNothing() {}

// DecodeField takes true or nothing after the colon.
func (f *Flag) DecodeField(c *field.Context, n *yaml.Node) {
	*f = true
	if n.Kind != yaml.ScalarNode || (n.Tag != "!!null" && n.Value != "true") {
		c.Report(CodeStop, diag.Error, n, "this key takes true, or nothing",
			"A condition here would not be looked at.", "write `stop: true`, and the condition in `when`")
	}
}

// collectionName checks a collection's name.
func collectionName(c *field.Context, l Literal) bool {
	if unit.IsName(l.Text) {
		return true
	}
	if !l.IsZero() && l.Text != "" {
		c.Report(CodeCollection, diag.Error, l.node, "a collection's name is lower case letters, digits and _",
			"The store would refuse it.", "write for example order_errors")
	}
	return false
}
