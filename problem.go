package pipelined

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Problem is every run-time failure, in the words of RFC 9457 and then some. It
// is what `error` is in an expression, what a caller gets as
// application/problem+json and what an error record holds. Author mistakes are
// not Problems but diagnostics; bugs are panics at construction.
type Problem struct {
	Type      string `json:"type"`             // stable: "rest/status", "engine/timeout", or the author's own
	Title     string `json:"title"`            // short, the same for every failure of this type
	Status    int    `json:"status"`           // HTTP status that fits, 400 to 599
	Detail    string `json:"detail,omitempty"` // this very failure, for a person
	Retriable bool   `json:"retriable"`        // whether the same call may succeed later

	Pipeline  string   `json:"pipeline,omitempty"`
	Step      string   `json:"step,omitempty"`
	Connector string   `json:"connector,omitempty"`
	Attempt   int      `json:"attempt,omitempty"`
	Cause     *Problem `json:"cause,omitempty"` // what happened first, where one failure led to another

	// Note is what else went wrong on the way, such as a compensation that failed: for
	// records and the log, never for callers.
	Note string `json:"note,omitempty"`
	// Data is one JSON document a connector adds for expressions, such as the
	// body of a failed REST answer. Never shown to HTTP callers.
	Data json.RawMessage `json:"data,omitempty"`
	// Rejected says that the author (fail, assert, validate) or the trigger found the
	// request itself at fault: Status is 4xx then, and the caller's to mend.
	Rejected bool `json:"rejected"`
	// Own marks a problem the author wrote with fail or assert: its detail is
	// meant for the caller.
	Own bool `json:"-"`
	// Outside marks a problem of a call that left the process: Status is what the
	// service said, and not for callers (see Told).
	Outside bool `json:"-"`
	// RetryAfter is what a server asked for; 0 means it did not.
	RetryAfter time.Duration `json:"-"`
}

// Problem types of the runtime itself. Connectors declare theirs beside the
// code that returns them, named "<connector>/<what>".
const (
	TypeInternal    = "engine/internal"                     // a bug or a panic in a step
	TypeTimeout     = "engine/timeout"                      // a step or pipeline ran out of its timeout
	TypeCanceled    = "engine/canceled"                     // a sibling branch failed, or the caller left
	TypeStopping    = "engine/stopping"                     // the runtime stops and takes no more work
	TypeUnavailable = "engine/unavailable"                  // the store cannot commit now
	TypeOverloaded  = "engine/overloaded"                   // no slot was free
	TypeExpression  = "expression/failed"                   // an expression could not be evaluated
	TypeAssert      = "engine/assert"                       // an assert step did not hold
	TypeFail        = "fail/type"                           // a type that an author cannot use
	TypeConflict    = "object_store/conflict"               // a document is not as it has to be
	TypeIterations  = "engine/iterations"                   // a loop passed max_iterations
	TypeStream      = "engine/stream"                       // a stream that was read before
	TypeInterrupted = "engine/interrupted"                  // the process died while this ran
	TypeKeyMissing  = "request/idempotency-key-missing"     // the route asks for a key
	TypeKeyReused   = "request/idempotency-key-reused"      // the key was used for another request
	TypeKeyRunning  = "request/idempotency-key-in-progress" // the first request with the key still runs
	TypeInput       = "request/invalid"                     // the body is not what the trigger asks for
	TypeNotFound    = "request/not-found"                   // no route
	TypeMethod      = "request/method"                      // a route, but not with this method
	TypeTooLarge    = "request/too-large"                   // the body is over the limit
	TypeMediaType   = "request/media-type"                  // the body is not of the type the trigger takes
)

// NewProblem returns a Problem; status 0 means 500.
func NewProblem(typ, title string, status int, detail string) *Problem {
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return &Problem{Type: typ, Title: title, Status: status, Detail: detail}
}

// Problemf is NewProblem with a formatted detail.
func Problemf(typ, title string, status int, format string, args ...any) *Problem {
	return NewProblem(typ, title, status, fmt.Sprintf(format, args...))
}

// Error tells the problem in one line.
func (p *Problem) Error() string {
	s := p.Title
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Step != "" {
		s = "step " + p.Step + ": " + s
	}
	return s
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error {
	if p.Cause == nil {
		return nil
	}
	return p.Cause
}

// Transient marks the problem as retriable and returns it.
func (p *Problem) Transient() *Problem { p.Retriable = true; return p }

// Told is the HTTP status a caller is told. What the author or the trigger said
// stands. What a service outside said is its own business: the caller gets 504 for
// a timeout, 503 for an outage or a service that says when to come again, else 502. A document that is not as it has to be is
// 409; whatever else is not the caller's fault is 500 or above.
func (p *Problem) Told() int {
	switch {
	case p.Rejected, p.Own:
		return p.Status
	case p.Type == TypeTimeout, p.Outside && p.Status == http.StatusGatewayTimeout:
		return http.StatusGatewayTimeout
	case p.Outside && (p.Status == http.StatusServiceUnavailable || p.RetryAfter > 0):
		return http.StatusServiceUnavailable
	case p.Outside:
		return http.StatusBadGateway
	case p.Type == TypeConflict:
		return http.StatusConflict
	case p.Status >= 500 && p.Status <= 599:
		return p.Status
	}
	return http.StatusInternalServerError
}

// Clone returns a copy that may be changed; the cause is shared.
func (p *Problem) Clone() *Problem { c := *p; return &c }

// AsProblem turns any error into a Problem: a Problem stays itself, a context's
// end becomes a timeout or a cancellation, everything else is internal.
func AsProblem(err error) *Problem {
	if err == nil {
		return nil
	}
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, ErrStopping):
		return NewProblem(TypeStopping, "The runtime is stopping", 503, err.Error()).Transient()
	case errors.Is(err, context.DeadlineExceeded):
		return NewProblem(TypeTimeout, "The time limit was reached", 504, err.Error()).Transient()
	case errors.Is(err, context.Canceled):
		return NewProblem(TypeCanceled, "The work was cancelled", 499, err.Error())
	}
	return NewProblem(TypeInternal, "An unexpected error happened", 500, err.Error())
}
