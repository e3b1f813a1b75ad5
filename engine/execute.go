package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"pipelined"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/engine/step"
	"pipelined/internal/fault"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
	"pipelined/triggers"
)

// Collections and event types of the runtime itself.
const (
	// DeadLetters keeps executions that failed and that nothing handled.
	DeadLetters = "dead_letters"
	// FailedType is the event the error trigger takes.
	FailedType = "pipelined.execution.failed"
	// requestPrefix begins the type of the event that carries a request whose
	// trigger says respond: accepted.
	requestPrefix = "pipelined.request."
)

// start is what starts an execution.
type start struct {
	pipeline *program.Pipeline
	trigger  string // as recorded
	input    any
	request  any // the request scope; nil unless used
	event    *store.StoredEvent
	attempt  int
	delivery *broker.Delivery // of an event
	tick     *store.Tick      // of a schedule
	previous time.Time        // tick before it; zero if none
	problem  error            // the trigger's own expressions failed: the execution fails at once
	resume   string           // key of the progress of a loop that commits on its way; empty if none can
	waiting  bool             // an HTTP caller waits for the answer
	timeout  time.Duration    // of the trigger; 0 if it has none
	key      *keyed           // the caller's idempotency key; nil if it gave none
}

// crashes is how often the process surely died of this.
func (s *start) crashes() int {
	if s.delivery == nil {
		return 0
	}
	return s.delivery.Crashes()
}

// outcome is what came of an execution before its commit.
type outcome struct {
	id      string
	started time.Time
	status  string
	batch   *store.Batch
	reply   *pipelined.Reply
	problem *pipelined.Problem // nil: it succeeded
	handled string             // what handled the problem; empty if nothing did
	aborted bool               // cut off by the drain: it goes back undone
	stale   *pipelined.Problem // another execution changed what this one read: it has to run again
}

// Statuses of an execution.
const (
	StatusOK       = "ok"
	StatusFailed   = "failed"
	StatusRetrying = "retrying" // put off; the event comes again
	StatusRejected = "rejected" // an HTTP caller was told that the request was at fault
)

// execute runs a pipeline up to the point of its commit.
func (e *Engine) execute(ctx context.Context, l *loaded, s *start) *outcome {
	o := &outcome{id: e.host.NewID(), started: e.clock.Now(), status: StatusOK, batch: &store.Batch{}}
	x := e.prepare(l, s, o)
	defer x.Close()
	err := s.problem
	if err == nil && s.resume != "" {
		err = e.resume(ctx, s, x)
	}
	p := s.pipeline
	if err == nil {
		rctx, cancel := limit(ctx, shorter(p.Timeout, s.timeout))
		err = step.RunMain(rctx, x, p.Callee.Flow)
		cancel()
	}
	if err != nil {
		e.failed(ctx, l, s, x, o, pipelined.AsProblem(err))
	} else {
		e.succeeded(ctx, s, x, o)
	}
	if o.aborted || o.stale != nil {
		return o
	}
	x.Effects.Fill(o.batch)
	o.reply = x.Reply()
	if s.delivery != nil && o.status != StatusRetrying {
		s.delivery.Settle(o.batch) // I1
	}
	if s.tick != nil {
		o.batch.Ticks = append(o.batch.Ticks, *s.tick)
		o.batch.Meta = append(o.batch.Meta, store.Meta{Key: openKey(s.tick)})
	}
	if o.problem == nil {
		e.remember(s, o)
	}
	if s.resume != "" && len(x.Run.Resume) > 0 {
		o.batch.Meta = append(o.batch.Meta, store.Meta{Key: s.resume})
	}
	if s.key != nil && storable(o) {
		w, err := s.key.write(o.reply, o.id)
		if err != nil {
			e.logger.Error("an answer could not be stored for its key", "pipeline", p.Name, "err", err)
		} else {
			o.batch.Documents = append(o.batch.Documents, w)
		}
	}
	e.record(l, s, o)
	fault.Point(fault.BeforeCommit)
	return o
}

// shorter is the shorter of two limits, where 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b > 0 && b < a) {
		return b
	}
	return a
}

// limit bounds an execution by its pipeline's timeout.
func limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, d, pipelined.Problemf(pipelined.TypeTimeout,
		"The pipeline ran out of time", 504, "the limit is %s", d).Transient())
}

// prepare builds the execution and its scope.
func (e *Engine) prepare(l *loaded, s *start, o *outcome) *step.Execution {
	p := s.pipeline
	run := &step.Run{
		ID: o.id, Pipeline: p.Name, Version: p.Version, Revision: l.Revision, Project: l.Name,
		Attempt: s.attempt, StartedAt: o.started, Clock: e.clock, Host: e.host, Logger: e.logger,
		Store: e.store, Redaction: l.Redaction, Program: l, Refuse: e.refuse(l),
	}
	if s.event != nil {
		run.EventID = s.event.ID
	}
	x := step.NewExecution(run, p.Callee.Slots, p.Callee.VarSlots)
	slots := x.Frame.Slots
	slots[step.SlotInput] = s.input
	slots[step.SlotGlobals] = l.Globals
	slots[step.SlotEnv] = l.Env
	if p.Uses.Run {
		slots[step.SlotRun] = runValue(run)
	}
	if p.Uses.Event && s.event != nil {
		slots[step.SlotEvent] = EventValue(s.event, s.attempt, s.crashes())
	}
	if p.Uses.Request {
		slots[step.SlotRequest] = s.request
	}
	if s.tick != nil {
		slots[step.SlotSchedule] = scheduleValue(s)
	}
	if p.TriggerKind == "error" {
		slots[step.SlotError] = value.Get(s.input, errorPath)
	}
	return x
}

var errorPath = value.NewPath("error")

// part is how far an execution is whose loops commit on their way. It is kept in
// the store from the first part to the execution's own commit.
type part struct {
	Scheduled time.Time                `json:"scheduled,omitzero"` // of the tick, if one started it
	Loops     map[string]step.Progress `json:"loops"`              // by step name
}

// progress reads how far an execution was; nil if it had committed nothing yet.
func (e *Engine) progress(ctx context.Context, key string) (*part, error) {
	text, err := e.store.Meta(ctx, key)
	if err != nil || text == "" {
		return nil, err
	}
	p := &part{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		return nil, fmt.Errorf("read how far %s was: %w", key, err)
	}
	return p, nil
}

func cronProgress(pipeline string) string { return "progress/cron/" + pipeline }

// resume prepares an execution whose loop commits on its way: it goes on where a
// crash or a conflict left it.
func (e *Engine) resume(ctx context.Context, s *start, x *step.Execution) error {
	now := part{Loops: map[string]step.Progress{}}
	if s.tick != nil {
		now.Scheduled = s.tick.Scheduled
	}
	before, err := e.progress(ctx, s.resume)
	if err != nil {
		return err
	}
	if before != nil && before.Scheduled.Equal(now.Scheduled) {
		now.Loops = before.Loops
	}
	x.Run.Resume = now.Loops
	x.Run.CommitPart = func(ctx context.Context, x *step.Execution, name string, done step.Progress) error {
		now.Loops[name] = done
		text, err := json.Marshal(now)
		if err != nil {
			return err
		}
		b := &store.Batch{Meta: []store.Meta{{Key: s.resume, Value: string(text)}}}
		x.Effects.Fill(b)
		if _, err := e.Commit(ctx, b); err != nil {
			return commitProblem(err)
		}
		fault.Point(fault.PartCommitted)
		return nil
	}
	return nil
}

// succeeded ends an execution whose flow ended well.
func (e *Engine) succeeded(ctx context.Context, s *start, x *step.Execution, o *outcome) {
	f := s.pipeline.OnFailure
	if f == nil || s.event == nil || s.attempt < 2 {
		return
	}
	docs := x.Effects.Documents()
	_, rec, version, err := errorRecord(ctx, docs, f.Collection, s)
	if err != nil {
		e.unresolved(s, f, err)
		return
	}
	if rec == nil {
		return
	}
	rec.Resolve(e.clock.Now())
	raw, err := rec.Document()
	if err == nil {
		_, err = docs.Put(ctx, f.Collection, rec.ID, raw, version)
	}
	if err != nil {
		e.unresolved(s, f, err)
	}
}

// unresolved tells that an event was processed and its error record does not say so.
func (e *Engine) unresolved(s *start, f *program.OnFailure, err error) {
	e.logger.Warn("an error record could not be resolved; its event was processed all the same",
		"pipeline", s.pipeline.Name, "event", s.event.ID, "collection", f.Collection, "err", err)
}

// failed decides what becomes of a failed execution.
func (e *Engine) failed(ctx context.Context, l *loaded, s *start, x *step.Execution, o *outcome, p *pipelined.Problem) {
	if cut(ctx) || p.Type == pipelined.TypeStopping {
		o.aborted = true
		return
	}
	if p.Type == pipelined.TypeConflict {
		o.stale = p
		return
	}
	if p.Pipeline == "" {
		p = p.Clone()
		p.Pipeline = s.pipeline.Name
	}
	o.problem, o.status = p, StatusFailed
	x.Effects.Drop()
	x.DropReply()
	if e.putOff(s, x, o, p) {
		return
	}
	hctx, cancel := limit(ctx, s.pipeline.Timeout)
	defer cancel()
	for _, q := range x.Compensate(hctx, p) {
		p = p.Clone()
		p.Detail += fmt.Sprintf(" (and a compensation failed: %s)", q.Error())
		o.problem = p
	}
	if len(s.pipeline.Callee.OnError) > 0 {
		mark := x.Effects.Mark()
		err := step.RunHandler(hctx, x, s.pipeline.Callee.OnError, p)
		if err == nil {
			o.handled = "on_error"
		} else {
			if cut(ctx) {
				o.aborted = true
				return
			}
			x.Effects.Rollback(mark)
			x.DropReply()
			q := pipelined.AsProblem(err).Clone()
			q.Cause = p
			o.problem, p = q, q
		}
	}
	e.keep(hctx, l, s, x, o, p)
}

// cut reports whether the work context ended because the runtime drains.
func cut(ctx context.Context) bool {
	return ctx.Err() != nil && context.Cause(ctx) == pipelined.ErrStopping
}

// putOff has the event delivered again later, if its trigger says so and
// attempts remain.
func (e *Engine) putOff(s *start, x *step.Execution, o *outcome, p *pipelined.Problem) bool {
	sub, ok := s.pipeline.Plan.(*triggers.Subscription)
	if !ok || s.delivery == nil || s.delivery.Attempt >= sub.Retry.Attempts || !p.Retriable && sub.Retry.When == nil {
		return false
	}
	if sub.Retry.When != nil {
		again, err := evalWith(sub.Retry.When, x, p)
		if err != nil || !again {
			return false
		}
	}
	wait := pipelined.Backoff{Exponential: sub.Retry.Backoff == "exponential", Initial: sub.Retry.Initial,
		Max: sub.Retry.Max, FullJitter: sub.Retry.Jitter == "full"}.Wait(s.delivery.Attempt, e.host.Random())
	if p.RetryAfter > wait {
		wait = p.RetryAfter
		if sub.Retry.Max > 0 {
			wait = min(wait, sub.Retry.Max)
		}
	}
	o.status = StatusRetrying
	text, _ := json.Marshal(p)
	s.delivery.Postpone(o.batch, e.clock.Now().Add(wait), string(text))
	return true
}

// keep makes sure that a failure is kept: in the collection on_failure names, or
// in the dead letters, with the error trigger told.
func (e *Engine) keep(ctx context.Context, l *loaded, s *start, x *step.Execution, o *outcome, p *pipelined.Problem) {
	if f := s.pipeline.OnFailure; f != nil && s.event != nil {
		if err := e.recordFailure(ctx, s, x, f, p); err == nil {
			if o.handled == "" {
				o.handled = "on_failure"
			}
			return
		} else {
			q := pipelined.AsProblem(err).Clone()
			q.Cause = p
			o.problem, p, o.handled = q, q, ""
		}
	}
	if o.handled != "" {
		return
	}
	if s.waiting && p.Status < 500 {
		o.status = StatusRejected // the caller is told, and it is the caller's to mend
		return
	}
	e.deadLetter(l, s, x, o, p)
}

// errorRecord finds the record of an event that a pipeline failed on, and returns
// its id and version; no record is nil. The id is the event's, but where another
// pipeline has a record of the same event in the same collection: then the name of
// the pipeline is appended.
func errorRecord(ctx context.Context, docs *objectstore.Session, collection string, s *start) (id string, rec *objectstore.ErrorRecord, version int64, err error) {
	for _, id := range []string{s.event.ID, s.event.ID + ":" + s.pipeline.Name} {
		doc, ok, err := docs.Get(ctx, collection, id)
		if err != nil || !ok {
			return id, nil, 0, err
		}
		rec, version, err := objectstore.ParseErrorRecord(doc)
		if err != nil {
			return id, nil, 0, pipelined.Problemf("on_failure/record", "Not an error record", 500,
				"document %s in %s is not an error record: %v", id, collection, err)
		}
		if rec.Pipeline == s.pipeline.Name {
			return id, rec, version, nil
		}
	}
	return "", nil, 0, pipelined.Problemf("on_failure/record", "Not an error record", 500,
		"documents %s and %[1]s:%s in %s belong to other pipelines", s.event.ID, s.pipeline.Name, collection)
}

// recordFailure writes or updates the error record of an event.
func (e *Engine) recordFailure(ctx context.Context, s *start, x *step.Execution, f *program.OnFailure, p *pipelined.Problem) error {
	docs := x.Effects.Documents()
	now := e.clock.Now()
	id, rec, version, err := errorRecord(ctx, docs, f.Collection, s)
	if err != nil {
		return err
	}
	input, err := value.JSON(s.input)
	if err != nil {
		return err
	}
	if rec == nil {
		rec = objectstore.NewErrorRecord(s.event.Event, s.pipeline.Name, input, p, s.attempt, now)
		rec.ID, version = id, -1
	} else {
		rec.Fail(s.event.Event, input, p, s.attempt, now)
	}
	if !f.Permanent.IsZero() {
		if rec.Permanent, err = evalWith(f.Permanent.Program, x, p); err != nil {
			return err
		}
	}
	rec.NextAttemptAt = now.Add(f.Backoff.Wait(s.attempt, e.host.Random()))
	if rec.Permanent {
		rec.NextAttemptAt = now
	}
	raw, err := rec.Document()
	if err != nil {
		return err
	}
	_, err = docs.Put(ctx, f.Collection, rec.ID, raw, version)
	return err
}

// deadLetter keeps what nothing handled and tells the error trigger. The failure
// of an error handler is kept too, but starts no handler again.
func (e *Engine) deadLetter(l *loaded, s *start, x *step.Execution, o *outcome, p *pipelined.Problem) {
	letter, err := value.JSON(failedRun(s, o, p))
	if err != nil {
		letter, _ = value.JSON(map[string]any{"id": o.id, "pipeline": s.pipeline.Name, "error": step.ProblemValue(p)})
	}
	o.batch.Documents = append(o.batch.Documents, store.Write{Kind: store.Put, Collection: DeadLetters, ID: o.id, Document: string(letter)})
	e.logger.Error("an execution failed and nothing handled it; its input is kept in dead_letters",
		"pipeline", s.pipeline.Name, "execution", o.id, "step", p.Step, "problem", p.Type, "detail", p.Error())
	if s.pipeline.TriggerKind == "error" || !hasHandler(l.Program, s.pipeline.Name) {
		return
	}
	o.handled = "error trigger"
	o.batch.Events = append(o.batch.Events, &pipelined.Event{
		ID: e.host.NewID(), Type: FailedType, Source: x.Run.Source(), Time: e.clock.Now(),
		Key: s.pipeline.Name, Data: string(letter), Attempt: 1})
}

// hasHandler reports whether failures of a pipeline start an error handler.
func hasHandler(p *program.Program, name string) bool {
	for _, h := range p.Pipelines {
		if f, ok := h.Plan.(*triggers.Failures); ok && takes(p, f, h.Name, name) {
			return true
		}
	}
	return false
}

// takes reports whether handler h takes failures of the pipeline called name: it
// lists it, or it is the general one and no other lists it.
func takes(p *program.Program, f *triggers.Failures, h, name string) bool {
	if name == h {
		return false
	}
	if len(f.Pipelines) > 0 {
		for _, n := range f.Pipelines {
			if n == name {
				return true
			}
		}
		return false
	}
	for _, q := range p.Pipelines {
		if g, ok := q.Plan.(*triggers.Failures); ok && len(g.Pipelines) > 0 && takes(p, g, q.Name, name) {
			return false
		}
	}
	return true
}

// failedRun is the record of a failed execution, as dead letter and as input of
// the error trigger.
func failedRun(s *start, o *outcome, p *pipelined.Problem) map[string]any {
	m := map[string]any{
		"id": o.id, "pipeline": s.pipeline.Name, "trigger": s.trigger, "attempt": s.attempt,
		"step": p.Step, "input": s.input, "error": step.ProblemValue(p),
		"started_at": o.started, "failed_at": o.started, "status": "pending",
	}
	if s.event != nil {
		m["event"] = objectstore.EventDocument(s.event.Event)
	}
	return m
}

// record notes the execution in the history.
func (e *Engine) record(l *loaded, s *start, o *outcome) {
	rec := store.Execution{
		ID: o.id, Pipeline: s.pipeline.Name, Revision: l.Revision, Trigger: s.trigger, Status: o.status,
		StartedAt: o.started, EndedAt: e.clock.Now(), Attempt: s.attempt, HandledBy: o.handled,
	}
	if s.event != nil {
		rec.EventID, rec.EventType, rec.Key = s.event.ID, s.event.Type, s.event.Key
	}
	if o.problem != nil {
		text, _ := json.Marshal(o.problem)
		rec.Problem = string(value.Redact(value.Raw(text), l.Redaction))
		if input, err := value.JSON(s.input); err == nil {
			rec.Input = string(value.Redact(input, l.Redaction))
		}
	}
	e.recent.add(rec)
	if keepHistory(l.Program, s.pipeline, o.status) {
		o.batch.Executions = append(o.batch.Executions, rec)
	}
}

// keepHistory applies the history policy: failures always, except what a caller
// was told; successes as the project or the pipeline says.
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

// committed tells everyone concerned of a batch that is durable.
func (e *Engine) committed(b *store.Batch, r store.Result) {
	e.broker.Committed(b, r)
	e.counters.published(b, r)
}

func evalWith(p conditionProgram, x *step.Execution, problem *pipelined.Problem) (bool, error) {
	before := x.Frame.Slots[step.SlotError]
	x.Frame.Slots[step.SlotError] = step.ProblemValue(problem)
	defer func() { x.Frame.Slots[step.SlotError] = before }()
	return p.Bool(x.Frame)
}
