// Package cron starts pipelines at moments.
package cron

import (
	"time"

	"pipelined/internal/field"
	"pipelined/triggers"
)

// Trigger is the `cron` trigger.
var Trigger = triggers.Define("cron", triggers.Doc{
	Summary: "Runs a pipeline on a schedule.",
}, plan)

type params struct {
	Schedule string `yaml:"schedule" required:"" doc:"When to run: five cron fields, @every or @daily and its like."`
}

func plan(p *params, c *field.Context) triggers.Plan { panic("not yet") }

// Schedule is a parsed schedule.
type Schedule struct{}

// Parse reads a schedule.
func Parse(expr string, loc *time.Location) (Schedule, error) { panic("not yet") }

// Next returns the first moment after t, or the zero time if there is none.
func (s Schedule) Next(t time.Time) time.Time { panic("not yet") }

// Describe says the schedule in plain words.
func (s Schedule) Describe() string { panic("not yet") }
