// Package event starts pipelines for events of the log.
//
// It declares what an author may say about a subscription and checks it; the
// broker carries it out.
package event

import (
	"fmt"
	"slices"
	"time"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/pattern"
	"pipelined/triggers"
)

// Trigger is the `event` trigger.
var Trigger = triggers.Define("event", triggers.Doc{
	Summary: "Runs a pipeline for each event of some types.",
	Details: details,
	Examples: []triggers.Example{
		{Title: "Every order event, at most eight at a time", YAML: "types: [order.*]\nconcurrency: 8\n"},
		{Title: "Large orders, in order per customer, tried again for up to an hour", YAML: `types: [order.received, order.reprocess]
where: input.total > 1000
order_by: input.customer.id
retry:
  attempts: 10
  initial: 10s
  max: 15m
`},
	},
}, plan)

const details = "In `types`, a `*` stands for one segment, and a `*` at the end for one or more: `order.*` takes `order.created` and\n" +
	"`order.line.added`. A `*` at the beginning does not stand for `pipelined`, with which the runtime's own types begin.\n\n" +
	"Without `retry` the first failure is the last. With it the event is delivered again, later, while the error is\n" +
	"retriable; the effects of a failed try are dropped, and no worker waits. `order_by` keeps events of the same value in\n" +
	"order: while one waits for its next try, `while_waiting: block` holds back the others of its value and `skip` lets them\n" +
	"pass."

type params struct {
	Types        []string             `yaml:"types" required:"" doc:"Event types; a * stands for one segment, at the end for one or more."`
	Where        expression.Condition `yaml:"where" doc:"Takes only events for which this holds; over event and input."`
	Concurrency  int                  `yaml:"concurrency" default:"16" min:"1" max:"1000" doc:"How many executions may run at the same time."`
	OrderBy      expression.Bare      `yaml:"order_by" doc:"Events that give the same value run one after the other, in the order they were published."`
	WhileWaiting string               `yaml:"while_waiting" enum:"block,skip" default:"block" doc:"What happens to later events of the same order_by value while one waits for its next try."`
	FairBy       expression.Bare      `yaml:"fair_by" doc:"Values of this take turns, so that none has to wait for all events of another."`
	Retry        *retry               `yaml:"retry" doc:"Deliver the event again after a retriable failure; without it the first failure is the last."`
	MaxBacklog   int64                `yaml:"max_backlog" min:"1" doc:"While so many events wait for the pipeline, publishing one of its types fails with a retriable 503: publish/backlog."`
	MaxAge       time.Duration        `yaml:"max_age" doc:"Drops events that are older than this when their turn comes."`
	SkipStale    bool                 `yaml:"skip_stale" doc:"Drops an event older than the last one processed for the same key."`
	From         string               `yaml:"from" enum:"new,beginning" default:"new" doc:"Where a new subscription begins: with the next event, or with the oldest one kept."`
}

type retry struct {
	Attempts int                  `yaml:"attempts" required:"" min:"1" max:"1000" doc:"Deliveries in all, so 3 is one and two more."`
	Backoff  string               `yaml:"backoff" enum:"constant,exponential" default:"exponential" doc:"Whether the wait doubles from try to try."`
	Initial  time.Duration        `yaml:"initial" default:"1s" doc:"The first wait."`
	Max      time.Duration        `yaml:"max" default:"5m" doc:"The longest wait."`
	Jitter   string               `yaml:"jitter" enum:"none,full" default:"full" doc:"full waits a random part of the time, so that what failed together does not come back together."`
	When     expression.Condition `yaml:"when" doc:"Whether to deliver again; over error, event and input. Default: error.retriable."`
}

func plan(p *params, c *field.Context) triggers.Plan {
	fine := checkTypes(p.Types, c)
	if p.Retry != nil {
		fine = checkRetry(p.Retry, c) && fine
	}
	if p.WhileWaiting == "skip" && p.OrderBy.Program == nil {
		c.Report(codeNoEffect, diag.Warning, c.Pos("while_waiting"), "while_waiting has no effect without order_by",
			"Events are not kept in order, so none waits for another.", "add order_by, or remove while_waiting")
	}
	if !fine {
		return nil
	}
	return p.subscription()
}

func (p *params) subscription() *triggers.Subscription {
	s := &triggers.Subscription{
		Types: p.Types, Where: p.Where.Program, Concurrency: p.Concurrency,
		OrderBy: p.OrderBy.Program, WhileWaiting: p.WhileWaiting, FairBy: p.FairBy.Program,
		MaxAge: p.MaxAge, MaxBacklog: p.MaxBacklog, SkipStale: p.SkipStale, From: p.From,
	}
	if r := p.Retry; r != nil {
		s.Retry = triggers.Retry{
			Attempts: r.Attempts, Backoff: r.Backoff, Initial: r.Initial, Max: r.Max, Jitter: r.Jitter, When: r.When.Program,
		}
	}
	return s
}

func checkTypes(types []string, c *field.Context) bool {
	if len(types) == 0 {
		c.Report(codeNoTypes, diag.Error, c.Pos("types"), "types is empty",
			"The pipeline would never run.", "name at least one event type, such as order.received")
		return false
	}
	fine := true
	list := c.Pos("types")
	for i, typ := range types {
		at := list
		if list != nil && i < len(list.Content) {
			at = list.Content[i]
		}
		switch fix := pattern.Check(typ); {
		case fix != "":
			c.Report(codePattern, diag.Error, at, fmt.Sprintf("%q is not an event type", typ),
				"No event could ever match it.", fix)
			fine = false
		case slices.Contains(types[:i], typ):
			c.Report(codeRepeated, diag.Warning, at, fmt.Sprintf("%q is named twice", typ),
				"An event is delivered once all the same.", "remove one")
		}
	}
	return fine
}

func checkRetry(r *retry, c *field.Context) bool {
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
