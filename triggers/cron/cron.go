// Package cron starts pipelines at moments.
//
// # Schedules
//
// Five fields (minute, hour, day of month, month, day of week), or one of @hourly,
// @daily, @midnight, @weekly, @monthly, @yearly, @annually, or @every with a
// duration. There are no seconds. Where day of month and day of week are both
// restricted, a day that fits either is taken, as in every cron. Sunday is 0; 7 is
// understood.
//
// @every is counted from the Unix epoch, 1970-01-01T00:00:00Z, not from the start
// of the process: `@every 15m` is always the full quarter of an hour, a restart
// moves nothing, and two processes agree. The time zone has no part in it.
//
// # Daylight saving
//
// A schedule whose hour field begins with * is an interval: it runs at every
// minute whose reading on the local clock fits, so `*/5 * * * *` and `0 * * * *`
// run every five and sixty real minutes all through the change (a reading that is
// skipped does not run, one that comes twice runs twice).
//
// Every other schedule means times of the day. A time that is skipped in spring
// runs once, at the first moment after the gap; several skipped times of one
// schedule are one run. A time that comes twice in autumn runs once, the first
// time.
package cron

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // time zones are the same on every machine, also where the system has none

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/triggers"
)

// Trigger is the `cron` trigger.
var Trigger = triggers.Define("cron", triggers.Doc{
	Summary: "Runs a pipeline on a schedule.",
	Details: details,
	Examples: []triggers.Example{
		{Title: "Every night at half past two in Berlin", YAML: "schedule: 30 2 * * *\ntimezone: Europe/Berlin\n"},
		{Title: "Every fifteen minutes, also those missed while the process was down", YAML: "schedule: \"@every 15m\"\nmissed: all\noverlap: queue\n"},
	},
	Findings: Codes(),
}, scope, plan)

const details = `Five fields, or ` + "`@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, `@every 15m`" + `.
` + "`@every`" + ` is counted from the Unix epoch, so a restart does not move it.
Put quotes around a schedule that begins with ` + "`*` or `@`" + `: YAML reads them as something else.

Daylight saving: a schedule whose hour begins with ` + "`*`" + ` runs at every real interval. Every other schedule means a
time of the day: one that is skipped in spring runs once right after the gap, one that comes twice in autumn runs once,
the first time.

` + "`missed`" + ` says what happens, after a stop, with the moments that passed meanwhile: ` + "`latest`" + ` runs once for the newest of
them, ` + "`all`" + ` runs each, ` + "`skip`" + ` none. ` + "`overlap`" + ` says what happens when the last run is not over: ` + "`skip`" + ` counts and leaves
out the moment, ` + "`queue`" + ` runs it afterwards, ` + "`allow`" + ` runs it now.`

type params struct {
	Schedule string `yaml:"schedule" required:"" doc:"When to run: five cron fields, @every 15m, or @daily and its like."`
	Timezone string `yaml:"timezone" default:"UTC" doc:"IANA name of the time zone the fields are read in; the machine's own zone never counts."`
	Missed   string `yaml:"missed" enum:"skip,latest,all" default:"latest" doc:"What to do with moments that passed while the process was down."`
	Overlap  string `yaml:"overlap" enum:"skip,queue,allow" default:"skip" doc:"What to do when the last run is not over."`
}

func scope(*params) triggers.Scope {
	return triggers.Scope{triggers.NameSchedule: triggers.Object(map[string]*expression.Type{"time": nil, "previous": nil})}
}

func plan(p *params, c *field.Context) triggers.Plan {
	loc, err := location(p.Timezone)
	if err != nil {
		c.Report(codeTimezone, diag.Error, c.Pos("timezone"),
			fmt.Sprintf("%q is not a time zone", p.Timezone),
			"The pipeline could not be scheduled.",
			"write an IANA name such as Europe/Berlin, America/New_York or UTC")
		loc = time.UTC // the schedule is checked all the same
	}
	s, bad := Parse(p.Schedule, loc)
	var mistake *Error
	if errors.As(bad, &mistake) {
		c.Report(mistake.Code, diag.Error, c.Pos("schedule"), mistake.Summary, mistake.Consequence, mistake.Fix)
	}
	if err != nil || bad != nil {
		return nil
	}
	hint(s, p, c)
	return &triggers.Schedule{Expression: p.Schedule, Next: s.Next, Location: loc, Missed: p.Missed, Overlap: p.Overlap}
}

// location loads a zone; "Local" would make a project mean something else on
// every machine.
func location(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("the machine's zone")
	}
	return time.LoadLocation(name)
}

// hint reports what works and may not be what was meant.
func hint(s Schedule, p *params, c *field.Context) {
	if s.sunday {
		c.Report(codeSunday, diag.Info, c.Pos("schedule"), "Sunday is written as 7",
			"It runs on Sundays.", "write 0, which every cron understands")
	}
	if s.either {
		c.Report(codeEither, diag.Info, c.Pos("schedule"), "day of month and day of week are both given",
			"It runs on days that fit either of them, not only on days that fit both.",
			"leave one of them * and ask for the other with `when`, if both must hold")
	}
	if s.every > 0 && p.Timezone != "UTC" && p.Timezone != "" {
		c.Report(codeNoEffect, diag.Warning, c.Pos("timezone"), "timezone has no effect on @every",
			"@every is counted from the Unix epoch, whatever the zone.",
			"remove timezone, or write the moments as five fields")
	}
}

// Error is a mistake in a schedule, in an author's words.
type Error struct {
	Code                      diag.Code
	Summary, Consequence, Fix string
}

func (e *Error) Error() string {
	return e.Summary + ": " + e.Fix
}
