// Package event starts pipelines for events of the log.
//
// It declares what an author may say about a subscription and checks it; the
// broker carries it out.
package event

import (
	"fmt"
	"slices"
	"strings"

	"pipelined/internal/diag"
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
	Findings: []diag.Code{codePattern, codeNoTypes, codeRepeated},
}, scope, plan)

const details = "In `types`, a `*` stands for one segment, and a `*` at the end for one or more: `order.*` takes `order.created` and\n" +
	"`order.line.added`. A `*` at the beginning does not stand for `pipelined`, with which the runtime's own types begin.\n\n" +
	"Without `retry` the first failure is the last. With it the event is delivered again, later, while the error is\n" +
	"retriable; the effects of a failed try are dropped, and no worker waits. `order_by` keeps events of the same value in\n" +
	"order: while one waits for its next try, `while_waiting: block` holds back the others of its value and `skip` lets them\n" +
	"pass."

type params struct {
	Types []string `yaml:"types" required:"" doc:"Event types; a * stands for one segment, at the end for one or more."`
	triggers.Options
	MaxBacklog int64  `yaml:"max_backlog" min:"1" doc:"While so many events wait for the pipeline, publishing one of its types fails with a retriable 503: publish/backlog."`
	From       string `yaml:"from" enum:"new,beginning" default:"new" doc:"Where a new subscription begins: with the next event, or with the oldest one kept."`
}

func scope(*params) triggers.Scope { return triggers.Scope{triggers.NameEvent: triggers.EventScope} }

func plan(p *params, c *field.Context) triggers.Plan {
	fine := checkTypes(p.Types, c)
	s, ok := p.Subscription(c)
	if !fine || !ok {
		return nil
	}
	s.Types, s.MaxBacklog, s.From = p.Types, p.MaxBacklog, p.From
	return &s
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
		case strings.HasPrefix(typ, pattern.Own) && strings.Contains(typ, "*"):
			c.Report(codePattern, diag.Error, at, fmt.Sprintf("%q would take events of the runtime", typ),
				"What other triggers bring to their pipelines would run this one, too.", "name the one type that is meant, without a *")
			fine = false
		case slices.Contains(types[:i], typ):
			c.Report(codeRepeated, diag.Warning, at, fmt.Sprintf("%q is named twice", typ),
				"An event is delivered once all the same.", "remove one")
		}
	}
	return fine
}
