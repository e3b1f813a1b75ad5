package program

import "pipelined/internal/diag"

// Findings about pipelines as a whole and the wiring between them.
var (
	CodeTrigger       = diag.Code{ID: "E240", Title: "unknown trigger"}
	CodeFamily        = diag.Code{ID: "E241", Title: "unknown connector of a connection"}
	CodeSchema        = diag.Code{ID: "E242", Title: "schema that cannot be used"}
	CodeOnFailure     = diag.Code{ID: "E243", Title: "on_failure without an event"}
	CodeAfterCommit   = diag.Code{ID: "E244", Title: "after_commit where it cannot run"}
	CodeConnection    = diag.Code{ID: "E248", Title: "source of an unknown connection"}
	CodeRouteClash    = diag.Code{ID: "E401", Title: "two pipelines answer the same route"}
	CodeNoSubscriber  = diag.Code{ID: "E402", Title: "event nobody subscribes to"}
	CodeNoPublisher   = diag.Code{ID: "E403", Title: "subscription nobody publishes for"}
	CodeUndrained     = diag.Code{ID: "E404", Title: "error records nobody reads"}
	CodeNeverWritten  = diag.Code{ID: "E405", Title: "reprocessor of records nobody writes"}
	CodeEventLoop     = diag.Code{ID: "E406", Title: "events that cause each other without end"}
	CodeUnknownTarget = diag.Code{ID: "E407", Title: "error handler of a pipeline that is not there"}
	CodeNoCaller      = diag.Code{ID: "E408", Title: "pipeline that nothing starts"}
	CodeNobodyListens = diag.Code{ID: "E409", Title: "respond without a caller"}
	CodeTwoHandlers   = diag.Code{ID: "E410", Title: "failure that goes to two error handlers"}
	CodeMarksEarly    = diag.Code{ID: "E412", Title: "mark that is made before the commit"}
	CodeNoID          = diag.Code{ID: "E413", Title: "publish that may be repeated, without an id"}
	CodeEmptyProject  = diag.Code{ID: "E411", Title: "project without pipelines"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code {
	return []diag.Code{CodeTrigger, CodeFamily, CodeSchema, CodeOnFailure, CodeAfterCommit, CodeConnection, CodeRouteClash, CodeNoSubscriber,
		CodeNoPublisher, CodeUndrained, CodeNeverWritten, CodeEventLoop, CodeUnknownTarget, CodeNoCaller,
		CodeNobodyListens, CodeTwoHandlers, CodeEmptyProject, CodeMarksEarly, CodeNoID}
}
