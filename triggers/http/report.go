package http

import (
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

func report(c *field.Context, key string, code diag.Code, sev diag.Severity, summary, consequence, fix string) {
	c.Diags.Add(diag.Diagnostic{Code: code, Severity: sev, Summary: summary, Consequence: consequence, Fix: fix})
}
