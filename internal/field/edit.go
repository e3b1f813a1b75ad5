package field

import (
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
