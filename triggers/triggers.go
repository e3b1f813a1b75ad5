// Package triggers is what a trigger is: a tagged struct that an author fills
// in under `trigger:`, and the Plan it comes to. A Plan is plain data; the engine
// carries it out. So triggers do no I/O, and everything they can get wrong is a
// lint finding.
package triggers

import (
	"time"

	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// Spec declares a trigger; make one with Define.
type Spec struct {
	Name   string
	Doc    Doc
	Params *field.Shape
	// Scope adds the names the trigger brings (request, event, schedule …) to
	// those an expression of the trigger itself may use. The engine declares the
	// same for the steps.
	plan func(params any, c *field.Context) Plan
	new  func() any
}

// Doc describes a trigger to authors.
type Doc struct {
	Summary  string
	Details  string
	Examples []Example
}

// Example is a piece of YAML that lints: the value of the trigger's key.
type Example struct{ Title, YAML string }

// Define declares a trigger. plan turns decoded parameters into a Plan; it
// reports what is wrong with them to c, at the position of the key it names
// (c.At), and returns nil then. It is called at load only.
func Define[P any](name string, doc Doc, plan func(p *P, c *field.Context) Plan) *Spec {
	return &Spec{
		Name: name, Doc: doc, Params: field.Of[P](),
		new:  func() any { return new(P) },
		plan: func(params any, c *field.Context) Plan { return plan(params.(*P), c) },
	}
}

// New returns a pointer to a zero parameter struct.
func (s *Spec) New() any { return s.new() }

// Plan turns decoded parameters into the plan; nil means findings were reported.
func (s *Spec) Plan(params any, c *field.Context) Plan { return s.plan(params, c) }

// Plan is one of *Route, *Schedule, *Subscription, *Failures.
type Plan interface{ isPlan() }

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
	Backoff  string // "constant", "exponential"
	Initial  time.Duration
	Max      time.Duration
	Jitter   string // "none", "full"
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

// Set is the triggers of one binary or one test, by name.
type Set struct{ specs map[string]*Spec }

// NewSet returns a set; two triggers of one name are a bug and panic.
func NewSet(list ...*Spec) *Set {
	s := &Set{specs: map[string]*Spec{}}
	for _, t := range list {
		if s.specs[t.Name] != nil {
			panic("triggers: " + t.Name + " is listed twice")
		}
		s.specs[t.Name] = t
	}
	return s
}

// Get returns a trigger by name, or nil.
func (s *Set) Get(name string) *Spec { return s.specs[name] }

// Names lists the triggers, in no order.
func (s *Set) Names() []string {
	out := make([]string, 0, len(s.specs))
	for n := range s.specs {
		out = append(out, n)
	}
	return out
}
