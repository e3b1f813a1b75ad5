package execution

import (
	"pipelined"
	"pipelined/internal/value"
)

// ProblemValue is a problem as expressions see it under `error`.
func ProblemValue(p *pipelined.Problem) any {
	m := map[string]any{
		"type": p.Type, "title": p.Title, "status": p.Status, "detail": p.Detail,
		"retriable": p.Retriable, "rejected": p.Rejected, "pipeline": p.Pipeline, "step": p.Step,
		"connector": p.Connector, "attempt": p.Attempt, "cause": nil, "data": nil,
	}
	if p.Cause != nil {
		m["cause"] = ProblemValue(p.Cause)
	}
	if len(p.Data) > 0 {
		m["data"] = value.Raw(p.Data)
	}
	return m
}
