// Package error starts pipelines for failed executions of other pipelines: the
// shared error handler. Its input is the record of the failed execution, and
// `error` its problem. Which pipelines exist, and that no handler handles itself,
// is checked where all of them are known.
package error

import (
	"fmt"
	"slices"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/triggers"
)

// Trigger is the `error` trigger.
var Trigger = triggers.Define("error", triggers.Doc{
	Summary: "Runs a pipeline for failed executions of other pipelines.",
	Details: "`input` is the record of the failed execution, `error` its problem. Without `pipelines` it takes the failures of all\n" +
		"pipelines that have no `on_error` of their own and are not named by another `error` trigger.",
	Examples: []triggers.Example{
		{Title: "Failures of two pipelines", YAML: "pipelines: [orders_process, orders_import]\n"},
		{Title: "Everything that nobody else handles", YAML: "pipelines: []\n"},
	},
	Findings: []diag.Code{codeRepeated},
}, scope, plan)

var codeRepeated = diag.Code{ID: "E450", Title: "pipeline named twice"}

type params struct {
	Pipelines []field.Name `yaml:"pipelines" doc:"Pipelines whose failures come here; none means all that have no handler of their own."`
}

func scope(*params) triggers.Scope {
	return triggers.Scope{triggers.NameEvent: triggers.EventScope, triggers.NameError: triggers.ProblemScope}
}

func plan(p *params, c *field.Context) triggers.Plan {
	f := &triggers.Failures{}
	list := c.Pos("pipelines")
	for i, name := range p.Pipelines {
		at := list
		if list != nil && i < len(list.Content) {
			at = list.Content[i]
		}
		if slices.Contains(f.Pipelines, string(name)) {
			c.Report(codeRepeated, diag.Warning, at, fmt.Sprintf("%s is named twice", name),
				"Its failures come here once all the same.", "remove one")
			continue
		}
		f.Pipelines = append(f.Pipelines, string(name))
	}
	return f
}
