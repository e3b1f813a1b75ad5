package triggers

import (
	"strings"
	"time"

	"pipelined"

	"pipelined/internal/expression"
)

// Plan is one of *Route, *Schedule, *Subscription, *Failures, *Source.
type Plan interface {
	isPlan()
	// Summary says in a few words what starts the pipeline: "POST /orders".
	Summary() string
}

// Route answers HTTP requests.
type Route struct {
	Method   string   // upper case
	Path     string   // chi pattern, begins with "/"
	Params   []string // names of its parameters
	Schema   string   // file below the project folder; empty means none
	MaxSize  int64    // of the body, bytes
	Required bool     // an empty body is a 400
	Timeout  time.Duration
	// Idempotency is how a request that comes again is known; nil if it is not.
	Idempotency *Idempotency
	// Accepted: answer 202 as soon as the request is durable, and run after.
	Accepted bool
}

// Idempotency has a request that comes again, by the key its caller gave it,
// answered with what was answered the first time.
type Idempotency struct {
	Header   string        // canonical name
	TTL      time.Duration // how long a key is known
	Required bool          // a request without a key is refused
}

// Schedule runs at moments. Next returns the first moment after t, or the zero
// time if there is none.
type Schedule struct {
	Expression string // as written
	Next       func(t time.Time) time.Time
	Location   *time.Location
	Missed     string // "skip", "latest", "all": ticks while the process was down
	Overlap    string // "skip", "queue", "allow"
}

// Subscription takes events from the log.
type Subscription struct {
	Types        []string // exact, or with "*" for a segment; a last "*" matches any rest
	Where        *expression.Program
	Concurrency  int
	OrderBy      *expression.Program // nil: no order
	WhileWaiting string              // "block", "skip"
	FairBy       *expression.Program
	Retry        Retry
	MaxAge       time.Duration
	MaxBacklog   int64 // 0: none
	SkipStale    bool
	From         string // "new", "beginning"
}

// Retry is durable redelivery. Attempts counts deliveries in all; 0 and 1 mean
// no redelivery.
type Retry struct {
	Attempts int
	Backoff  pipelined.Backoff
	When     *expression.Program
}

// Failures takes failed executions of other pipelines.
type Failures struct {
	Pipelines []string // empty: every pipeline without a handler of its own
}

func (*Route) isPlan()        {}
func (*Schedule) isPlan()     {}
func (*Subscription) isPlan() {}
func (*Failures) isPlan()     {}
func (*Source) isPlan()       {}

// Summary is method and path.
func (r *Route) Summary() string { return r.Method + " " + r.Path }

// Summary is the schedule as written.
func (s *Schedule) Summary() string { return "cron " + s.Expression }

// Summary is the types.
func (s *Subscription) Summary() string { return "event " + strings.Join(s.Types, ", ") }

// Summary is the pipelines whose failures come here.
func (f *Failures) Summary() string {
	if len(f.Pipelines) > 0 {
		return "errors of " + strings.Join(f.Pipelines, ", ")
	}
	return "errors"
}

// Summary is what the trigger says of it.
func (s *Source) Summary() string { return s.Reads }

// Taking is how a plan takes what concerns it from the log; nil for one that takes
// nothing, or has no settings for it.
func Taking(p Plan) *Subscription {
	switch plan := p.(type) {
	case *Subscription:
		return plan
	case *Source:
		return &plan.Subscription
	}
	return nil
}
