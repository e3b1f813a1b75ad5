package attempt

import (
	"encoding/json"
	"strconv"

	"pipelined"

	"pipelined/engine/program"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// record notes the execution in the history.
func (t *run) record() {
	o := t.o
	rec := store.Execution{
		ID: o.ID, Pipeline: t.Pipeline.Name, Revision: t.Revision.Revision, Trigger: t.Trigger, Status: o.Status,
		StartedAt: o.Started, EndedAt: o.Batch.At, Attempt: t.Number, HandledBy: o.Handled,
	}
	if t.Event != nil {
		rec.EventID, rec.EventType, rec.Key = t.Event.ID, t.Event.Type, t.Event.Key
	}
	if o.Problem != nil {
		rec.Problem = string(value.Redact(problemText(o.Problem), t.Revision.Redaction))
		if input, err := value.JSON(t.Input); err == nil {
			rec.Input = string(value.Redact(input, t.Revision.Redaction))
		}
	}
	o.execution = rec
	if !o.flood && keepHistory(t.Revision.Program, t.Pipeline, o.Status) {
		o.Batch.Executions = append(o.Batch.Executions, rec)
	}
}

// problemText is a problem as JSON.
func problemText(p *pipelined.Problem) value.Raw {
	text, err := json.Marshal(sound(p))
	if err != nil {
		panic(err) // texts and numbers
	}
	return value.Raw(text)
}

// keepHistory applies the history policy: failures always, except what a caller was
// told; successes as the project or the pipeline says.
func keepHistory(l *program.Program, p *program.Pipeline, status string) bool {
	switch status {
	case StatusFailed:
		return true
	case StatusOK:
		policy := p.History
		if policy == "" {
			policy = l.File.History
		}
		return policy == "all"
	}
	return false
}

// tell writes the one line that every failed execution gets: what failed, and what
// handled it. What was put off comes again, and what was rejected was told its caller.
func (r *Runner) tell(a *Attempt, o *Outcome) {
	if o.Status != StatusFailed || o.flood && o.flooded == 0 {
		return
	}
	p := o.Problem
	if o.flood {
		r.Logger.Error("requests fail again and again; those beyond "+strconv.Itoa(floodLimit)+" in an hour are counted in one dead letter",
			"pipeline", a.Pipeline.Name, "step", p.Step, "problem", p.Type, "count", o.flooded, "last", p.Error())
		return
	}
	attrs := []any{"pipeline", a.Pipeline.Name, "execution", o.ID, "trigger", a.Trigger, "attempt", a.Number,
		"step", p.Step, "problem", p.Type, "status", p.Status, "detail", p.Error()}
	if p.Pipeline != a.Pipeline.Name {
		attrs = append(attrs, "in", p.Pipeline)
	}
	if a.Event != nil {
		attrs = append(attrs, "event", a.Event.ID)
	}
	if p.Note != "" {
		attrs = append(attrs, "note", p.Note)
	}
	for c := p.Cause; c != nil; c = c.Cause {
		attrs = append(attrs, "cause", c.Error())
	}
	if o.Handled == "" {
		r.Logger.Error("an execution failed and nothing handled it; its input is kept in dead_letters", attrs...)
		return
	}
	r.Logger.Warn("an execution failed", append(attrs, "handled_by", o.Handled)...)
}
