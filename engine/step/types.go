package step

import (
	"pipelined/internal/expression"
	"pipelined/internal/value"
	"pipelined/triggers"
)

var (
	text   = &expression.Type{Kind: value.String}
	number = &expression.Type{Kind: value.Integer}

	// runType is the type of run, so that a field that is not there is found at load.
	// Times are of no kind an expression is checked for.
	runType = triggers.Object(map[string]*expression.Type{
		"id": text, "pipeline": text, "version": text, "revision": text, "started_at": nil, "attempt": number})

	// ProblemType is the type of error.
	ProblemType = triggers.ProblemScope
)
