package step

import (
	"pipelined/internal/expression"
	"pipelined/internal/value"
)

// The types of the names that are always there, so that a field that is not is
// found at load. Times are of no kind an expression is checked for.
var (
	text     = &expression.Type{Kind: value.String}
	number   = &expression.Type{Kind: value.Integer}
	truth    = &expression.Type{Kind: value.Bool}
	texts    = &expression.Type{Kind: value.Object, Open: true}
	anything *expression.Type

	runType = object(map[string]*expression.Type{
		"id": text, "pipeline": text, "version": text, "revision": text, "started_at": anything, "attempt": number})
	eventScope = object(map[string]*expression.Type{
		"id": text, "type": text, "source": text, "time": anything, "key": text, "attempt": number, "crashes": number, "headers": texts},
		"data", "the data of the event is input", "body", "the data of the event is input")
	scheduleType = object(map[string]*expression.Type{"time": anything, "previous": anything})

	// ProblemType is the type of error.
	ProblemType = object(map[string]*expression.Type{
		"type": text, "title": text, "status": number, "detail": text, "retriable": truth, "rejected": truth, "pipeline": text, "step": text,
		"connector": text, "attempt": number, "cause": anything, "data": anything})
)

// object is the type of a name; fixes are fields that people look for in vain, each
// with what to do.
func object(fields map[string]*expression.Type, fixes ...string) *expression.Type {
	t := &expression.Type{Kind: value.Object, Fields: fields, Origin: "docs/language.md, Scope", Fixes: map[string]string{}}
	for i := 0; i < len(fixes); i += 2 {
		t.Fixes[fixes[i]] = fixes[i+1]
	}
	return t
}

// RequestType is the type of request on a route with these path parameters.
func RequestType(params []string) *expression.Type {
	known := make(map[string]*expression.Type, len(params))
	for _, p := range params {
		known[p] = text
	}
	return object(map[string]*expression.Type{
		"method": text, "path": text, "params": {Kind: value.Object, Fields: known, Origin: "the parameters of the path"},
		"query": texts, "headers": texts, "remote_addr": text},
		"body", "the body of the request is input", "header", "one header is request.headers.name")
}
