package http

import "pipelined/internal/diag"

// Findings about the `http` trigger.
var (
	codePath     = diag.Code{ID: "E430", Title: "path cannot be routed"}
	codeParam    = diag.Code{ID: "E431", Title: "path parameter cannot be used"}
	codeBody     = diag.Code{ID: "E432", Title: "method without a body"}
	codeSchema   = diag.Code{ID: "E433", Title: "schema outside the project"}
	codeTimeout  = diag.Code{ID: "E434", Title: "timeout cannot be used"}
	codeNoEffect = diag.Code{ID: "E435", Title: "setting has no effect"}
	codeSize     = diag.Code{ID: "E436", Title: "size cannot be used"}
)

// Codes lists every finding of this package.
func Codes() []diag.Code {
	return []diag.Code{
		codePath, codeParam, codeBody, codeSchema, codeTimeout, codeNoEffect, codeSize,
	}
}
