package event

import "pipelined/internal/diag"

// Findings about the `event` trigger.
var (
	codePattern  = diag.Code{ID: "E440", Title: "not a pattern of event types"}
	codeNoTypes  = diag.Code{ID: "E441", Title: "no event types"}
	codeRepeated = diag.Code{ID: "E442", Title: "event type named twice"}
)
