// Package event starts pipelines for events of the log.
package event

import (
	"pipelined/internal/field"
	"pipelined/triggers"
)

// Trigger is the `event` trigger.
var Trigger = triggers.Define("event", triggers.Doc{
	Summary: "Runs a pipeline for each event of some types.",
}, plan)

type params struct {
	Types []string `yaml:"types" required:"" doc:"Event types; * stands for one segment."`
}

func plan(p *params, c *field.Context) triggers.Plan { panic("not yet") }

// Match reports whether an event type matches a pattern.
func Match(pattern, typ string) bool { panic("not yet") }

// ValidPattern reports whether pattern may be subscribed to.
func ValidPattern(pattern string) bool { panic("not yet") }
