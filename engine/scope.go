package engine

import (
	"pipelined/engine/step"
	"pipelined/internal/expression"
	"pipelined/internal/store"
)

type conditionProgram interface {
	Bool(*expression.Frame) (bool, error)
}

// runValue is `run` as expressions see it.
func runValue(r *step.Run) any {
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

// scheduleValue is `schedule` as expressions see it.
func scheduleValue(s *start) any {
	m := map[string]any{"time": s.tick.Scheduled, "previous": nil}
	if !s.previous.IsZero() {
		m["previous"] = s.previous
	}
	return m
}
