package attempt

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/engine/revision"
	"pipelined/internal/fault"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// What an execution can leave to be done, as triggers of what does it.
const (
	UndoTrigger  = "compensation"
	AfterTrigger = "after_commit"
)

// LeftPrefix begins the keys of the store's texts that hold what is left to be done.
const LeftPrefix = "left/"

// Left is steps that an execution left to be done: a compensation, or its after_commit,
// with everything they read. It is kept as JSON under Row until it is done, or is an error
// record.
type Left struct {
	Trigger  string           `json:"trigger"`        // UndoTrigger, AfterTrigger
	Pipeline string           `json:"pipeline"`       // that was triggered
	In       string           `json:"in"`             // whose steps they are: Pipeline, or one that it called
	Step     string           `json:"step,omitempty"` // identity of the step they undo
	Name     string           `json:"name,omitempty"` // of that step, for people
	Group    string           `json:"group"`          // of what belongs together: the saga, or the execution
	Order    int              `json:"order"`          // in the group
	Of       Origin           `json:"of"`
	At       execution.Place  `json:"at"`
	Done     bool             `json:"done,omitempty"` // the step they undo succeeded; else it is in doubt
	Values   execution.Values `json:"values"`
	// Problem is why something is undone.
	Problem *pipelined.Problem `json:"problem,omitempty"`
	Tries   int                `json:"tries,omitempty"` // so far
	Due     time.Time          `json:"due,omitzero"`
	Last    string             `json:"last,omitempty"` // why the last try failed, for people

	Row  string `json:"-"` // its key
	Text string `json:"-"` // as it is kept
}

// Origin is the execution that left something.
type Origin struct {
	Execution string `json:"execution"`
	Trigger   string `json:"trigger"`
	Keys      string `json:"keys"` // what the keys of its calls begin with
	Event     string `json:"event,omitempty"`
	Attempt   int    `json:"attempt"`
}

// ReadLeft reads what is kept under a key.
func ReadLeft(row, text string) (*Left, error) {
	l := &Left{Row: row, Text: text}
	if err := json.Unmarshal([]byte(text), l); err != nil {
		return nil, fmt.Errorf("read what is left to be done under %s: %w", row, err)
	}
	return l, nil
}

// Keep adds to b that l is kept, in place of what is there of it.
func (l *Left) Keep(b *store.Batch) error {
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("keep what is left to be done: %w", err)
	}
	before := l.Text
	l.Text = string(text)
	b.Meta = append(b.Meta, store.Meta{Key: l.Row, Value: l.Text, IfValue: &before})
	return nil
}

// Forget adds to b that l is done.
func (l *Left) Forget(b *store.Batch) {
	before := l.Text
	b.Meta = append(b.Meta, store.Meta{Key: l.Row, IfValue: &before})
}

// retries is how often l is tried, and how far apart.
func (l *Left) retries(steps *execution.Later) execution.Retries {
	if l.Trigger == UndoTrigger {
		return execution.Retries{Attempts: 10, Backoff: pipelined.Backoff{Exponential: true, Initial: time.Minute, Max: time.Hour}}
	}
	if steps != nil && steps.Retry != nil {
		return *steps.Retry
	}
	return execution.Retries{Attempts: 10, Backoff: pipelined.Backoff{Exponential: true, Initial: time.Second, Max: 10 * time.Minute}}
}

// steps finds what l is to run in a revision. A step that is no longer there, or that reads
// what was not kept, is a problem.
func (l *Left) steps(rev *revision.Revision) (*execution.Callee, *execution.Later, *pipelined.Problem) {
	p := rev.Pipeline(l.In)
	what := "after_commit of " + l.In
	if l.Trigger == UndoTrigger {
		what = "compensate of step " + l.Name + " of " + l.In
	}
	if p == nil {
		return nil, nil, gone(what, "there is no pipeline "+l.In)
	}
	steps := p.Callee.After
	if l.Trigger == UndoTrigger {
		steps = p.Callee.Undo[l.Step]
	}
	if steps == nil {
		return nil, nil, gone(what, "it is no longer in the files")
	}
	if name := steps.Missing(l.Values, p.Callee.VarSlots); name != "" {
		return nil, nil, gone(what, "it reads "+name+", which it did not when the execution ended")
	}
	return &p.Callee, steps, nil
}

// typeGone is that what is left to be done is not in the files as it was.
const typeGone = "engine/left"

func gone(what, why string) *pipelined.Problem {
	return pipelined.NewProblem(typeGone, "What an execution left to be done cannot be run", 500, what+": "+why+
		"; put it back and redrive the record, or discard that")
}

// resumeLeft prepares the execution of what is left.
func (t *run) resumeLeft() *execution.Execution {
	l := t.Left
	callee, steps, p := l.steps(t.Revision)
	r := t.newRun()
	r.Origin, r.EventID = l.Of.Keys, l.Of.Event
	if p != nil {
		t.o.gone = p
		return execution.New(r, &t.Pipeline.Callee)
	}
	x, err := l.resume(t.Revision, r, callee, steps)
	if err != nil {
		t.o.gone = gone("what is left", err.Error())
	}
	t.o.steps = steps
	return x
}

// resume is an execution of r at the place and with the values that l was left with.
func (l *Left) resume(rev *revision.Revision, r *execution.Run, callee *execution.Callee, steps *execution.Later) (*execution.Execution, error) {
	x := execution.Resume(r, callee, l.In != l.Pipeline, l.At)
	x.Frame.Slots[execution.SlotGlobals], x.Frame.Slots[execution.SlotEnv] = rev.Globals, rev.Env
	return x, x.Restore(steps, l.Values)
}

// runLeft runs what is left.
func (t *run) runLeft(ctx context.Context) error {
	if t.o.gone != nil {
		return t.o.gone
	}
	if t.Problem != nil {
		return t.Problem
	}
	if t.loop.problem != nil {
		return t.loop.problem
	}
	ctx, cancel := t.limit(ctx, t.Pipeline.Timeout)
	defer cancel()
	if t.Left.Trigger == UndoTrigger {
		err := t.x.Undo(ctx, t.x.Effects, t.o.steps, t.Left.Problem)
		t.Host.Point(fault.Undone)
		return err
	}
	err := execution.RunMain(ctx, t.x, t.o.steps.Flow)
	t.Host.Point(fault.AfterRun)
	return err
}

// failLeft decides what becomes of what is left that failed: it is tried again later, or
// becomes an error record.
func (t *run) failLeft(ctx context.Context, p *pipelined.Problem) {
	if t.putOffLeft(p) {
		return
	}
	if err := t.deadLetter(ctx); err != nil {
		t.lose(ctx, err)
	}
}

// putOffLeft has it tried again later, while there are tries.
func (t *run) putOffLeft(p *pipelined.Problem) bool {
	l := t.Left
	retry := l.retries(t.o.steps)
	if t.o.gone != nil || t.Problem != nil || l.Tries+1 >= retry.Attempts {
		return false
	}
	if !retry.When.IsZero() {
		again, err := t.holds(retry.When.Program, p)
		if err != nil {
			t.note("retry.when failed: " + err.Error())
		}
		if err != nil || !again {
			return false
		}
	}
	due := t.Clock.Now().Add(retry.Backoff.WaitAtLeast(l.Tries+1, t.Values.Random(), p.RetryAfter))
	if !t.Cause.PutOff(t.o.Batch, due, p) {
		return false
	}
	t.o.Status = StatusRetrying
	return true
}

// record writes into the record of a failure what it takes to try again.
func (l *Left) record(rec *objectstore.ErrorRecord) error {
	shown := *l
	shown.Values = maps.Clone(l.Values)
	if _, err := shown.Values.Set("request", withoutCredentials(l.Values.Get("request"))); err != nil {
		return err
	}
	text, err := json.Marshal(&shown)
	if err != nil {
		return fmt.Errorf("keep what is left to be done in a record: %w", err)
	}
	rec.Left, rec.Execution = text, l.Of.Execution
	if rec.Step == "" {
		rec.Step = l.Name
	}
	return nil
}

// LeftAttempt is the attempt at what is left, of a pipeline of a revision that is pinned. It
// is nil where there is no such pipeline.
func LeftAttempt(rev *revision.Revision, l *Left, c Cause) *Attempt {
	p := rev.Pipeline(l.Pipeline)
	if p == nil {
		return nil
	}
	return &Attempt{Revision: rev, Pipeline: p, Cause: c, Trigger: l.Trigger, Number: l.Tries + 1, Input: value.Scalar(l.Values.Get("input")), Left: l}
}

// Lost makes an error record of what is left of a pipeline that is not in the files any
// more, in its place.
func (r *Runner) Lost(ctx context.Context, rev *revision.Revision, l *Left) error {
	p := gone("what it left", "there is no pipeline "+l.Pipeline)
	p.Pipeline = l.Pipeline
	input, err := value.JSON(l.Values.Get("input"))
	if err != nil {
		input = "null"
	}
	rec := objectstore.NewErrorRecord(pipelined.Event{}, l.Pipeline, input, p, l.Tries+1, r.Clock.Now())
	rec.ID, rec.Trigger = r.Values.NewID(), l.Trigger
	if err := l.record(rec); err != nil {
		return err
	}
	docs := objectstore.NewSession(r.Store, rev.Collection, r.Values.NewID, r.Clock.Now)
	if err := save(ctx, docs, DeadLetters, rec, -1); err != nil {
		return err
	}
	b := &store.Batch{At: r.Clock.Now()}
	b.Documents = docs.Writes(b.At)
	l.Forget(b)
	if _, err := r.Commit(ctx, b); err != nil {
		return err
	}
	r.Logger.Error("what an execution left to be done cannot be, because its pipeline is not in the files any more; it is kept in dead_letters",
		"pipeline", l.Pipeline, "trigger", l.Trigger, "execution", l.Of.Execution, "step", l.Name)
	return nil
}
