package triggers

import (
	"time"

	"pipelined"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// Findings about Options.
var (
	codeNoEffect  = diag.Code{ID: "E443", Title: "setting has no effect"}
	codeRetryWait = diag.Code{ID: "E444", Title: "waits between tries do not fit"}
	codePrefetch  = diag.Code{ID: "E445", Title: "prefetch below concurrency"}
)

// Options is what an author may say about how events are taken, whatever brought them.
// Triggers embed it.
type Options struct {
	Where        expression.Condition `yaml:"where" doc:"Takes only events for which this holds; over event and input."`
	Concurrency  int                  `yaml:"concurrency" default:"16" min:"1" max:"1000" doc:"How many executions may run at the same time."`
	OrderBy      expression.Bare      `yaml:"order_by" doc:"Events that give the same value run one after the other, in the order they were published."`
	WhileWaiting string               `yaml:"while_waiting" enum:"block,skip" default:"block" doc:"What happens to later events of the same order_by value while one waits for its next try."`
	FairBy       expression.Bare      `yaml:"fair_by" doc:"Values of this take turns, so that none has to wait for all events of another."`
	Retry        *RetryOptions        `yaml:"retry" doc:"Deliver the event again after a retriable failure; without it the first failure is the last."`
	MaxAge       time.Duration        `yaml:"max_age" doc:"Drops events that are older than this when their turn comes."`
	SkipStale    bool                 `yaml:"skip_stale" doc:"Drops an event older than the last one processed for the same key."`
}

// RetryOptions is what an author may say about durable redelivery.
type RetryOptions struct {
	Attempts int                  `yaml:"attempts" required:"" min:"1" max:"1000" doc:"Deliveries in all, so 3 is one and two more."`
	Backoff  string               `yaml:"backoff" enum:"constant,exponential" default:"exponential" doc:"Whether the wait doubles from try to try."`
	Initial  time.Duration        `yaml:"initial" default:"1s" doc:"The first wait."`
	Max      time.Duration        `yaml:"max" default:"5m" doc:"The longest wait."`
	Jitter   string               `yaml:"jitter" enum:"none,full" default:"full" doc:"full waits a random part of the time, so that what failed together does not come back together."`
	When     expression.Condition `yaml:"when" doc:"Whether to deliver again; over error, event and input. Default: error.retriable."`
}

// Subscription is what the options come to, without types; false means that findings
// were reported.
func (o *Options) Subscription(c *field.Context) (s Subscription, fine bool) {
	fine = o.Retry == nil || o.Retry.check(c)
	if o.WhileWaiting == "skip" && o.OrderBy.Program == nil {
		c.Report(codeNoEffect, diag.Warning, c.Pos("while_waiting"), "while_waiting has no effect without order_by",
			"Events are not kept in order, so none waits for another.", "add order_by, or remove while_waiting")
	}
	s = Subscription{
		Where: o.Where.Program, Concurrency: o.Concurrency,
		OrderBy: o.OrderBy.Program, WhileWaiting: o.WhileWaiting, FairBy: o.FairBy.Program,
		MaxAge: o.MaxAge, SkipStale: o.SkipStale,
	}
	if r := o.Retry; r != nil {
		s.Retry = Retry{Attempts: r.Attempts, Backoff: pipelined.NewBackoff(r.Backoff, r.Initial, r.Max, r.Jitter), When: r.When.Program}
	}
	return s, fine
}

func (r *RetryOptions) check(c *field.Context) bool {
	at := *c
	at.Node = c.Pos("retry")
	if r.Attempts == 1 {
		c.Report(codeNoEffect, diag.Warning, at.Pos("attempts"), "one attempt is no retry",
			"The first failure is the last, as without retry.", "write 2 or more attempts, or remove retry")
	}
	if r.Max >= r.Initial {
		return true
	}
	n := at.Pos("max")
	if n == at.Node { // not written
		n = at.Pos("initial")
	}
	c.Report(codeRetryWait, diag.Error, n, "max is shorter than initial",
		"No wait could be as long as the first.", "make max at least as long as initial; without max it is 5m")
	return false
}

// SourceOptions is what an author may say of every Source. Triggers embed it.
type SourceOptions struct {
	Options
	Prefetch int64 `yaml:"prefetch" default:"10000" min:"1" doc:"While so many events wait for the pipeline, nothing more is read."`
}

// Source is what the options come to; Reads, Start and the like are the trigger's to
// add. False means that findings were reported.
func (o *SourceOptions) Source(c *field.Context) (s Source, fine bool) {
	s.Subscription, fine = o.Subscription(c)
	s.Prefetch = o.Prefetch
	if o.Prefetch < int64(o.Concurrency) {
		c.Report(codePrefetch, diag.Warning, c.Pos("prefetch"), "prefetch is below concurrency",
			"So many executions would never run at the same time.", "write at least what concurrency says, or lower concurrency")
	}
	return s, fine
}
