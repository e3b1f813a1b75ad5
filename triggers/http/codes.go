package http

import "pipelined/internal/diag"

// Findings about the `http` trigger.
var (
	codePath     = diag.Code{ID: "E430", Title: "path cannot be routed"}
	codeParam    = diag.Code{ID: "E431", Title: "path parameter cannot be used"}
	codeBody     = diag.Code{ID: "E432", Title: "method without a body"}
	codeSchema   = diag.Code{ID: "E433", Title: "schema outside the project"}
	codeNoEffect = diag.Code{ID: "E434", Title: "setting has no effect"}
	codeHeader   = diag.Code{ID: "E435", Title: "idempotency that cannot work"}
)

// Codes lists every finding of this package.
func Codes() []diag.Code {
	return []diag.Code{
		codePath, codeParam, codeBody, codeSchema, codeNoEffect, codeHeader,
	}
}
