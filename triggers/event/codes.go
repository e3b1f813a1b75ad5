package event

import "pipelined/internal/diag"

// Findings about the `event` trigger.
var (
	codePattern   = diag.Code{ID: "E440", Title: "not a pattern of event types"}
	codeNoTypes   = diag.Code{ID: "E441", Title: "no event types"}
	codeRepeated  = diag.Code{ID: "E442", Title: "event type named twice"}
	codeNoEffect  = diag.Code{ID: "E443", Title: "setting has no effect"}
	codeRetryWait = diag.Code{ID: "E444", Title: "waits between tries do not fit"}
)

// Codes lists every finding of this package.
func Codes() []diag.Code {
	return []diag.Code{
		codePattern, codeNoTypes, codeRepeated, codeNoEffect, codeRetryWait,
	}
}
