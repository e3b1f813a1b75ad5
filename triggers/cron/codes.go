package cron

import "pipelined/internal/diag"

// Findings about the `cron` trigger.
var (
	codeSyntax   = diag.Code{ID: "E420", Title: "schedule cannot be read"}
	codeFields   = diag.Code{ID: "E421", Title: "schedule has not five fields"}
	codeWord     = diag.Code{ID: "E422", Title: "unknown @ schedule"}
	codeInterval = diag.Code{ID: "E423", Title: "interval cannot be used"}
	codeNever    = diag.Code{ID: "E424", Title: "schedule never comes"}
	codePrefix   = diag.Code{ID: "E425", Title: "time zone inside the schedule"}
	codeTimezone = diag.Code{ID: "E426", Title: "unknown time zone"}
	codeSunday   = diag.Code{ID: "E427", Title: "Sunday written as 7"}
	codeEither   = diag.Code{ID: "E428", Title: "day of month and day of week together"}
	codeNoEffect = diag.Code{ID: "E429", Title: "setting has no effect"}
)

// Codes lists every finding of this package.
func Codes() []diag.Code {
	return []diag.Code{
		codeSyntax, codeFields, codeWord, codeInterval, codeNever, codePrefix, codeTimezone, codeSunday, codeEither, codeNoEffect,
	}
}
