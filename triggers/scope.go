package triggers

import (
	"pipelined/internal/expression"
	"pipelined/internal/value"
)

// Scope is the names a trigger brings to the expressions of its pipeline, with what is
// known of each; a nil type is not known. A trigger need not list input, which always
// is there.
type Scope map[string]*expression.Type

// The names there is a place for. What each holds when a pipeline runs comes with what
// started it: a request, an event, a tick, a failure.
const (
	NameInput    = "input"
	NameRequest  = "request"
	NameEvent    = "event"
	NameSchedule = "schedule"
	NameError    = "error"
)

// Names lists the names that a trigger may bring.
func Names() []string { return []string{NameInput, NameRequest, NameEvent, NameSchedule, NameError} }

// Types of names that more than one trigger brings.
var (
	text     = &expression.Type{Kind: value.String}
	number   = &expression.Type{Kind: value.Integer}
	truth    = &expression.Type{Kind: value.Bool}
	texts    = &expression.Type{Kind: value.Object, Open: true}
	anything *expression.Type // a time, say, which is not checked

	// EventScope is an event of the log as a pipeline sees it.
	EventScope = Object(map[string]*expression.Type{
		"id": text, "type": text, "source": text, "time": anything, "key": text, "attempt": number, "crashes": number, "headers": texts},
		"data", "the data of the event is input", "body", "the data of the event is input")

	// ProblemScope is the type of error.
	ProblemScope = Object(map[string]*expression.Type{
		"type": text, "title": text, "status": number, "detail": text, "retriable": truth, "rejected": truth, "pipeline": text, "step": text,
		"connector": text, "attempt": number, "cause": anything, "data": anything})
)

// Object is the type of a name with exactly these fields; fixes are fields that people
// look for in vain, each with what to do.
func Object(fields map[string]*expression.Type, fixes ...string) *expression.Type {
	t := &expression.Type{Kind: value.Object, Fields: fields, Origin: "docs/language.md, Scope", Fixes: map[string]string{}}
	for i := 0; i < len(fixes); i += 2 {
		t.Fixes[fixes[i]] = fixes[i+1]
	}
	return t
}
