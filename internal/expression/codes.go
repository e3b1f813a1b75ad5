package expression

import "pipelined/internal/diag"

// Findings about expressions.
var (
	CodeSyntax       = diag.Code{ID: "E301", Title: "expression that cannot be read"}
	CodeUnknownName  = diag.Code{ID: "E302", Title: "unknown name"}
	CodeUnknownStep  = diag.Code{ID: "E303", Title: "unknown step, variable or member"}
	CodeHidden       = diag.Code{ID: "E304", Title: "name that cannot be used here"}
	CodeUnknownField = diag.Code{ID: "E305", Title: "field the schema does not have"}
	CodeType         = diag.Code{ID: "E306", Title: "value of the wrong type"}
	CodeEmpty        = diag.Code{ID: "E307", Title: "empty expression"}
	CodeTooLong      = diag.Code{ID: "E308", Title: "expression that is too large"}
	CodeUnbalanced   = diag.Code{ID: "E309", Title: "${{ without }}"}
	CodeBraces       = diag.Code{ID: "E310", Title: "${{ }} where the value is an expression anyway"}
	CodeUnknownFunc  = diag.Code{ID: "E311", Title: "unknown function"}
	CodeArguments    = diag.Code{ID: "E312", Title: "wrong number of arguments"}
	CodeEnvironment  = diag.Code{ID: "E313", Title: "environment variable that is not set"}
	CodeTwice        = diag.Code{ID: "E314", Title: "member of an object that is written twice"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code {
	return []diag.Code{CodeSyntax, CodeUnknownName, CodeUnknownStep, CodeHidden, CodeUnknownField, CodeType, CodeEmpty,
		CodeTooLong, CodeUnbalanced, CodeBraces, CodeUnknownFunc, CodeArguments, CodeEnvironment, CodeTwice}
}
