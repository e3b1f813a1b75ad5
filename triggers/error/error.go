// Package error starts pipelines for failed executions of others.
package error

import (
	"pipelined/internal/field"
	"pipelined/triggers"
)

// Trigger is the `error` trigger.
var Trigger = triggers.Define("error", triggers.Doc{
	Summary: "Runs a pipeline for failed executions of others.",
}, plan)

type params struct {
	Pipelines []field.Name `yaml:"pipelines" doc:"Pipelines whose failures come here; empty means all that have no handler of their own."`
}

func plan(p *params, c *field.Context) triggers.Plan { panic("not yet") }
