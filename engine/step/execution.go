package step

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/expression"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/objectstore"
)

// Slots every frame begins with. The compiler gives out the ones after them.
const (
	SlotInput = iota
	SlotRequest
	SlotEvent
	SlotSchedule
	SlotError
	SlotRun
	SlotGlobals
	SlotEnv
	firstSlot
)

// BaseSlots is how many slots every frame has before those of its pipeline.
const BaseSlots = firstSlot

// Run is what all branches of one execution share.
type Run struct {
	ID        string
	Pipeline  string
	Version   int
	Revision  string
	Project   string
	Attempt   int
	EventID   string // of the event that started it; empty otherwise
	StartedAt time.Time

	Clock  pipelined.Clock
	Host   *expression.Host
	Logger *slog.Logger
	Store  store.Store
	// Redaction hides what must not be logged.
	Redaction *value.Redaction
	// Program is the revision this execution is pinned to: it finds the pipeline a
	// call step names, and knows whether a pipeline takes events of a type.
	Program interface {
		Callee(name string) *Callee
		Takes(pipeline, eventType string) bool
	}
	// Refuse says why no event of a type can be published now; nil where no
	// subscription limits its backlog.
	Refuse func(eventType string) *pipelined.Problem
	// CommitPart commits the effects so far and the progress of a loop, and is
	// nil where the execution cannot be resumed.
	CommitPart func(ctx context.Context, x *Execution, step string, done Progress) error
	// Resume is where a loop with commit_every goes on, by step name.
	Resume map[string]Progress

	mu            sync.Mutex
	reply         *pipelined.Reply // of the pipeline that was triggered
	compensations []compensation
}

// Progress is how far a loop with commit_every is.
type Progress struct {
	Total     int `json:"total"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
}

// Callee is a pipeline as a call step runs it.
type Callee struct {
	Name    string
	Flow    Flow
	OnError Flow
	Slots   int
	Timeout time.Duration
	// VarSlots are the slots to begin as Unset.
	VarSlots []int
}

type compensation struct {
	node *Node
	x    *Execution
}

// Execution is one branch of a running pipeline: its frame and where its effects
// go. It belongs to one goroutine.
type Execution struct {
	Run     *Run
	Frame   *expression.Frame
	Effects *Effects

	callee *Callee          // nil in the pipeline that was triggered
	answer *pipelined.Reply // what a called pipeline responded
	turns  []int            // indexes of the loops this runs in
	depth  int              // of call
}

// NewExecution prepares the outermost branch. The frame's slots from firstSlot
// on begin as nil, variables as Unset.
func NewExecution(run *Run, slots int, varSlots []int) *Execution {
	x := &Execution{
		Run:     run,
		Frame:   &expression.Frame{Slots: make([]any, slots), Host: run.Host},
		Effects: &Effects{run: run},
	}
	for _, s := range varSlots {
		x.Frame.Slots[s] = expression.Unset
	}
	return x
}

func (x *Execution) set(slot int, v any) {
	if slot >= 0 {
		x.Frame.Slots[slot] = v
	}
}

// branch returns an Execution for a concurrent branch: its own copy of the
// frame, its own effects on top of what happened so far.
func (x *Execution) branch() *Execution {
	b := *x
	b.Frame = x.Frame.Fork()
	b.Effects = x.Effects.branch()
	b.turns = append([]int(nil), x.turns...)
	return &b
}

// showError puts p into scope as `error` and returns what takes it away again.
func (x *Execution) showError(p *pipelined.Problem) (restore func()) {
	before := x.Frame.Slots[SlotError]
	x.Frame.Slots[SlotError] = ProblemValue(p)
	return func() { x.Frame.Slots[SlotError] = before }
}

// Reply returns what the pipeline responded, or nil.
func (x *Execution) Reply() *pipelined.Reply {
	x.Run.mu.Lock()
	defer x.Run.mu.Unlock()
	return x.Run.reply
}

// DropReply forgets what was responded before the flow failed.
func (x *Execution) DropReply() {
	x.Run.mu.Lock()
	defer x.Run.mu.Unlock()
	x.Run.reply = nil
}

func (x *Execution) respond(r *pipelined.Reply) {
	if x.callee != nil {
		*x.answer = *r
		return
	}
	x.Run.mu.Lock()
	defer x.Run.mu.Unlock()
	x.Run.reply = r
}

// RunMain runs the pipeline's steps; stop counts as success.
func RunMain(ctx context.Context, x *Execution, flow Flow) error {
	err := Protect(x, func() error { return flow.Run(ctx, x) })
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// RunHandler runs on_error steps with p in scope as `error`.
func RunHandler(ctx context.Context, x *Execution, flow Flow, p *pipelined.Problem) error {
	restore := x.showError(p)
	defer restore()
	return RunMain(ctx, x, flow)
}

func (x *Execution) pushCompensation(n *Node) {
	frozen := *x
	frozen.Frame = x.Frame.Fork()
	x.Run.mu.Lock()
	defer x.Run.mu.Unlock()
	x.Run.compensations = append(x.Run.compensations, compensation{n, &frozen})
}

// Compensate undoes the steps that succeeded before the flow failed, last first.
// A compensation that fails does not keep the others from running; what failed is
// returned for the record.
func (x *Execution) Compensate(ctx context.Context, p *pipelined.Problem) []*pipelined.Problem {
	x.Run.mu.Lock()
	list := x.Run.compensations
	x.Run.compensations = nil
	x.Run.mu.Unlock()
	var failed []*pipelined.Problem
	for i := len(list) - 1; i >= 0; i-- {
		c := list[i]
		c.x.Effects = x.Effects
		if err := RunHandler(ctx, c.x, c.node.compensate, p); err != nil {
			q := pipelined.AsProblem(err)
			x.Run.Logger.ErrorContext(ctx, "a compensation failed", "pipeline", x.Run.Pipeline,
				"execution", x.Run.ID, "step", c.node.Name, "problem", q.Type, "detail", q.Detail)
			failed = append(failed, q)
		}
	}
	return failed
}

// call tells a connector which step of which execution calls it.
func (x *Execution) call(n *Node) connectors.Call {
	id := x.Run.EventID
	if id == "" {
		id = x.Run.ID
	}
	var key strings.Builder
	key.WriteString(id)
	key.WriteByte('/')
	key.WriteString(n.Name)
	for _, t := range x.turns {
		key.WriteByte('/')
		key.WriteString(strconv.Itoa(t))
	}
	return connectors.Call{
		Run: x.Run.ID, Event: x.Run.EventID, Pipeline: x.Run.Pipeline,
		Step: n.Name, Attempt: x.Run.Attempt, Idempotency: key.String(),
	}
}

// Effects is what an execution wants to happen, in order. A branch reads what its
// parent has, and joins it when it succeeds.
type Effects struct {
	run    *Run
	parent *Effects
	docs   *objectstore.Session

	events  []*pipelined.Event
	delayed []store.DelayedEvent
}

// Mark is a point to roll back to.
type Mark struct {
	events, delayed int
	docs            objectstore.Mark
}

// Mark remembers where the effects are.
func (e *Effects) Mark() Mark {
	m := Mark{events: len(e.events), delayed: len(e.delayed)}
	if e.docs != nil {
		m.docs = e.docs.Mark()
	}
	return m
}

// Rollback drops what came after m.
func (e *Effects) Rollback(m Mark) {
	e.events = e.events[:m.events]
	e.delayed = e.delayed[:m.delayed]
	if e.docs != nil {
		e.docs.Rollback(m.docs)
	}
}

// Publish appends an event.
func (e *Effects) Publish(ev *pipelined.Event, due time.Time) {
	if due.IsZero() {
		e.events = append(e.events, ev)
		return
	}
	e.delayed = append(e.delayed, store.DelayedEvent{Event: ev, Due: due})
}

// Documents is the execution's view of the object store.
func (e *Effects) Documents() *objectstore.Session {
	if e.docs == nil {
		if e.parent != nil {
			e.docs = e.parent.Documents().Child()
		} else {
			e.docs = objectstore.NewSession(e.run.Store, e.run.Host.NewID, e.run.Clock.Now)
		}
	}
	return e.docs
}

// branch returns effects on top of these. The parent must not change until all
// branches have ended; then those that succeeded are joined, in order.
func (e *Effects) branch() *Effects {
	e.Documents()
	return &Effects{run: e.run, parent: e}
}

// join adds what a branch did to its parent.
func (e *Effects) join() {
	p := e.parent
	p.events = append(p.events, e.events...)
	p.delayed = append(p.delayed, e.delayed...)
	if e.docs != nil {
		p.Documents().Join(e.docs)
	}
}

// Fill moves the effects into b and empties them.
func (e *Effects) Fill(b *store.Batch) {
	b.Events = append(b.Events, e.events...)
	b.Delayed = append(b.Delayed, e.delayed...)
	if e.docs != nil {
		b.Documents = append(b.Documents, e.docs.Writes()...)
	}
	e.Drop()
}

// Drop forgets every effect.
func (e *Effects) Drop() {
	e.events, e.delayed = nil, nil
	if e.docs != nil {
		e.docs.Reset()
	}
}

// Empty reports whether there is nothing to commit.
func (e *Effects) Empty() bool {
	return len(e.events) == 0 && len(e.delayed) == 0 && (e.docs == nil || len(e.docs.Writes()) == 0)
}

// ProblemValue is a problem as expressions see it under `error`.
func ProblemValue(p *pipelined.Problem) any {
	m := map[string]any{
		"type": p.Type, "title": p.Title, "status": p.Status, "detail": p.Detail,
		"retriable": p.Retriable, "pipeline": p.Pipeline, "step": p.Step,
		"connector": p.Connector, "attempt": p.Attempt, "cause": nil, "data": nil,
	}
	if p.Cause != nil {
		m["cause"] = ProblemValue(p.Cause)
	}
	if len(p.Data) > 0 {
		m["data"] = value.Raw(p.Data)
	}
	return m
}

// Source is the CloudEvents source of what this execution publishes.
func (r *Run) Source() string { return "/" + r.Project + "/" + r.Pipeline }

// Close closes the streams that the execution opened and did not consume, so that
// the connections behind them are free at once.
func (x *Execution) Close() {
	for _, v := range x.Frame.Slots[firstSlot:] {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		for _, e := range m {
			if s, ok := e.(value.Stream); ok {
				if err := s.Close(); err != nil {
					x.Run.Logger.Warn("a stream did not close cleanly", "pipeline", x.Run.Pipeline, "execution", x.Run.ID, "err", err)
				}
			}
		}
	}
}
