package definition

import "pipelined/internal/diag"

// Findings about files as such.
var (
	CodeSyntax            = diag.Code{ID: "E101", Title: "not YAML"}
	CodeTab               = diag.Code{ID: "E102", Title: "tab as indentation"}
	CodeBraces            = diag.Code{ID: "E103", Title: "{{ }} instead of ${{ }}"}
	CodeUnquoted          = diag.Code{ID: "E104", Title: "expression that YAML takes apart"}
	CodeDuplicateKey      = diag.Code{ID: "E105", Title: "duplicate key"}
	CodeKey               = diag.Code{ID: "E106", Title: "key that is not a name"}
	CodeNotAPipeline      = diag.Code{ID: "E107", Title: "file that is not a pipeline"}
	CodeDuplicatePipeline = diag.Code{ID: "E108", Title: "duplicate pipeline name"}
	CodeSteps             = diag.Code{ID: "E109", Title: "malformed list of steps"}
	CodeTriggerShape      = diag.Code{ID: "E110", Title: "malformed trigger"}
	CodeGlobals           = diag.Code{ID: "E118", Title: "globals that cannot be evaluated"}
	CodeConnectionShape   = diag.Code{ID: "E119", Title: "malformed connection"}
	CodeDeclared          = diag.Code{ID: "E120", Title: "declaration of a name that cannot be used"}
)

// Codes lists every finding this package reports.
func Codes() []diag.Code {
	return []diag.Code{CodeSyntax, CodeTab, CodeBraces, CodeUnquoted, CodeDuplicateKey, CodeKey, CodeNotAPipeline,
		CodeDuplicatePipeline, CodeSteps, CodeTriggerShape, CodeGlobals,
		CodeConnectionShape, CodeDeclared}
}
