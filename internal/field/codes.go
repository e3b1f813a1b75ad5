package field

import "pipelined/internal/diag"

// Findings about values.
var (
	CodeTag         = diag.Code{ID: "E111", Title: "value that YAML read as a tag"}
	CodeComment     = diag.Code{ID: "E112", Title: "expression cut by a comment"}
	CodeChanged     = diag.Code{ID: "E113", Title: "text that YAML reads as something else"}
	CodeBooleanWord = diag.Code{ID: "E114", Title: "yes, no, on or off"}
	CodeUnknownKey  = diag.Code{ID: "E201", Title: "unknown key"}
	CodeMissing     = diag.Code{ID: "E202", Title: "missing key"}
	CodeWrongType   = diag.Code{ID: "E203", Title: "value of the wrong type"}
	CodeEnum        = diag.Code{ID: "E204", Title: "value that is not one of the allowed"}
	CodeRange       = diag.Code{ID: "E205", Title: "number out of range"}
	CodeName        = diag.Code{ID: "E206", Title: "not a name"}
	CodeTemplate    = diag.Code{ID: "E207", Title: "${{ }} where a literal is needed"}
	CodeLoad        = diag.Code{ID: "E208", Title: "value that cannot be evaluated at load"}
	CodeExclusive   = diag.Code{ID: "E209", Title: "keys that exclude each other"}
	CodeEmpty       = diag.Code{ID: "E210", Title: "key without a value"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code {
	return []diag.Code{CodeTag, CodeComment, CodeChanged, CodeBooleanWord, CodeUnknownKey, CodeMissing, CodeWrongType,
		CodeEnum, CodeRange, CodeName, CodeTemplate, CodeLoad, CodeExclusive, CodeEmpty}
}
