package attempt

import (
	"cmp"

	"pipelined/engine/execution"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// execution builds what the run's steps run in, with the scope they read.
func (t *run) execution() *execution.Execution {
	if t.Left != nil {
		return t.resumeLeft()
	}
	r := t.newRun()
	r.Journal = t
	x := execution.New(r, &t.Pipeline.Callee)
	t.scope(x)
	return x
}

// newRun is what all branches of the run share.
func (t *run) newRun() *execution.Run {
	p, rev := t.Pipeline, t.Revision
	r := &execution.Run{
		ID: t.o.ID, Pipeline: p.Name, Version: p.Version, Revision: rev.Revision, Project: rev.Name,
		Attempt: t.Number, StartedAt: t.o.Started, Clock: t.Clock, Values: t.Values, Host: t.Host, Logger: t.Logger,
		Store: t.Store, Collection: rev.Collection, Redaction: rev.Redaction, Program: rev, Clients: rev.Opened, Refuse: t.Refuse(rev),
	}
	r.Origin = cmp.Or(t.Key, t.loop.first)
	if t.Event != nil {
		r.EventID, r.Origin = t.Event.ID, t.Event.ID+"/"+t.Pipeline.Name // several pipelines may take it
	}
	return r
}

func (t *run) scope(x *execution.Execution) {
	slots, uses := x.Frame.Slots, t.Pipeline.Uses
	slots[execution.SlotInput] = t.Input
	slots[execution.SlotGlobals] = t.Revision.Globals
	slots[execution.SlotEnv] = t.Revision.Env
	if uses.Run {
		slots[execution.SlotRun] = runValue(x.Run)
	}
	if uses.Event && t.Event != nil {
		slots[execution.SlotEvent] = EventValue(t.Event, t.Number, t.Crashes)
	}
	if uses.Request && t.Request != nil {
		slots[execution.SlotRequest] = t.Request()
	}
	if t.Tick != nil {
		slots[execution.SlotSchedule] = t.Tick.value()
	}
	if t.Pipeline.Handles() {
		slots[execution.SlotError] = value.Get(t.Input, errorPath)
	}
}

var errorPath = value.NewPath("error")

// runValue is `run` as expressions see it.
func runValue(r *execution.Run) any {
	return map[string]any{
		"id": r.ID, "pipeline": r.Pipeline, "version": r.Version, "revision": r.Revision,
		"started_at": r.StartedAt, "attempt": r.Attempt,
	}
}

// EventValue is `event` as expressions see it. attempt counts deliveries that ended,
// crashes those the process surely died of.
func EventValue(ev *store.StoredEvent, attempt, crashes int) any {
	headers := make(map[string]any, len(ev.Headers))
	for k, v := range ev.Headers {
		headers[k] = v
	}
	return map[string]any{
		"id": ev.ID, "type": ev.Type, "source": ev.Source, "time": ev.Time,
		"key": ev.Key, "attempt": attempt, "crashes": crashes, "headers": headers,
	}
}

// value is `schedule` as expressions see it.
func (t *Tick) value() any {
	m := map[string]any{"time": t.Scheduled, "previous": nil}
	if !t.Previous.IsZero() {
		m["previous"] = t.Previous
	}
	return m
}
