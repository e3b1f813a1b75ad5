package step

import "pipelined/internal/diag"

// Findings about steps.
var (
	CodeOnError       = diag.Code{ID: "E220", Title: "on_error is none of fail, continue, steps"}
	CodeNoAction      = diag.Code{ID: "E221", Title: "step without an action"}
	CodeTwoActions    = diag.Code{ID: "E222", Title: "step with two actions"}
	CodeUnknownAction = diag.Code{ID: "E223", Title: "unknown action"}
	CodeDuplicateStep = diag.Code{ID: "E224", Title: "duplicate step name"}
	CodeUnreachable   = diag.Code{ID: "E225", Title: "step that can never run"}
	CodeBadSwitch     = diag.Code{ID: "E226", Title: "malformed switch"}
	CodeLoop          = diag.Code{ID: "E227", Title: "malformed loop"}
	CodeConnection    = diag.Code{ID: "E228", Title: "unknown or wrong connection"}
	CodeEventType     = diag.Code{ID: "E229", Title: "malformed event type"}
	CodeRespond       = diag.Code{ID: "E230", Title: "malformed respond"}
	CodeCommitEvery   = diag.Code{ID: "E231", Title: "commit_every where it cannot be resumed"}
	CodeStop          = diag.Code{ID: "E232", Title: "malformed stop"}
	CodeLongDelay     = diag.Code{ID: "E233", Title: "delay that should be a delayed event"}
	CodeCallee        = diag.Code{ID: "E234", Title: "unknown pipeline"}
	CodeUnknownEvent  = diag.Code{ID: "E235", Title: "event type not declared"}
	CodeCollection    = diag.Code{ID: "E236", Title: "malformed collection name"}
	CodeFailType      = diag.Code{ID: "E238", Title: "error type of the runtime's own"}
	CodeLater         = diag.Code{ID: "E239", Title: "step that has no meaning after the flow"}
	CodeUnnamed       = diag.Code{ID: "E245", Title: "step that is undone, without a name"}
	CodeStream        = diag.Code{ID: "E246", Title: "stream that would have to be kept"}
	CodeNoLimit       = diag.Code{ID: "E247", Title: "find without a limit"}
	CodeShape         = diag.Code{ID: "E237", Title: "data that does not fit its schema"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code {
	return []diag.Code{CodeOnError, CodeNoAction, CodeTwoActions, CodeUnknownAction, CodeDuplicateStep,
		CodeUnreachable, CodeBadSwitch, CodeLoop, CodeConnection, CodeEventType, CodeRespond,
		CodeCommitEvery, CodeStop, CodeLongDelay, CodeCallee, CodeUnknownEvent, CodeCollection, CodeShape, CodeFailType, CodeLater,
		CodeUnnamed, CodeStream, CodeNoLimit}
}
