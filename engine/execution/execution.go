package execution

import (
	"strconv"
	"strings"

	"pipelined"
	"pipelined/internal/expression"
	"pipelined/internal/value"
)

// Execution is one branch of a running pipeline: its frame and where its effects
// go. It belongs to one goroutine.
type Execution struct {
	Run     *Run
	Frame   *expression.Frame
	Effects *Effects

	callee  *Callee            // nil in the pipeline that was triggered
	answer  *pipelined.Reply   // what a called pipeline responded
	problem *pipelined.Problem // what `error` shows; nil where nothing has failed
	failed  *pipelined.Problem // what the pipeline's on_error handles
	turns   []int              // indexes of the loops this runs in
	path    string             // identities of the call steps this runs in
	depth   int                // of call
	deeds   []*Deed            // this runs in, outermost first; never changed in place
}

// New prepares the outermost branch. The frame's slots from BaseSlots on begin as
// nil, variables as Unset.
func New(run *Run, c *Callee) *Execution {
	return &Execution{Run: run, Frame: frame(run, c), Effects: &Effects{run: run}}
}

func frame(run *Run, c *Callee) *expression.Frame {
	f := &expression.Frame{Slots: make([]any, c.Slots), Host: run.Values}
	for _, s := range c.VarSlots {
		f.Slots[s] = expression.Unset
	}
	return f
}

// Set puts v into a slot; a slot below 0 is none.
func (x *Execution) Set(slot int, v any) {
	if slot >= 0 {
		x.Frame.Slots[slot] = v
	}
}

// Enter returns an Execution for a pipeline that the step with this identity calls:
// a frame of its own, the caller's effects.
func (x *Execution) Enter(step string, c *Callee, input any) *Execution {
	y := &Execution{Run: x.Run, Frame: frame(x.Run, c), Effects: x.Effects, callee: c, answer: &pipelined.Reply{},
		turns: x.turns, path: x.path + "/" + step, depth: x.depth + 1, deeds: x.deeds}
	for _, slot := range []int{SlotRun, SlotGlobals, SlotEnv} {
		y.Frame.Slots[slot] = x.Frame.Slots[slot]
	}
	y.Frame.Slots[SlotInput] = input
	return y
}

// Depth is how many call steps the execution is inside of.
func (x *Execution) Depth() int { return x.depth }

// Pipeline is the pipeline whose steps run: the called one inside a call step.
func (x *Execution) Pipeline() string {
	if x.callee != nil {
		return x.callee.Name
	}
	return x.Run.Pipeline
}

// BeginTurns notes that a loop begins; the function returned ends it.
func (x *Execution) BeginTurns() (end func()) {
	n := len(x.turns)
	x.turns = append(x.turns, 0)
	return func() { x.turns = x.turns[:n] }
}

// Turn notes which turn of the innermost loop runs, from 0.
func (x *Execution) Turn(index int) { x.turns[len(x.turns)-1] = index }

// Key names one run of a step, the same across tries and deliveries: what started
// the execution, the step and the turns of the loops around it.
func (x *Execution) Key(step string) string {
	id := x.Run.Origin
	if id == "" {
		id = x.Run.EventID
	}
	if id == "" {
		id = x.Run.ID
	}
	var key strings.Builder
	key.WriteString(id)
	key.WriteString(x.path)
	key.WriteByte('/')
	key.WriteString(step)
	for _, t := range x.turns {
		key.WriteByte('/')
		key.WriteString(strconv.Itoa(t))
	}
	return key.String()
}

// ShowError puts p into scope as `error` and returns what takes it away again.
func (x *Execution) ShowError(p *pipelined.Problem) (restore func()) {
	value, problem := x.Frame.Slots[SlotError], x.problem
	x.Frame.Slots[SlotError], x.problem = ProblemValue(p), p
	return func() { x.Frame.Slots[SlotError], x.problem = value, problem }
}

// Failed is the problem that the pipeline's own on_error handles; nil elsewhere.
func (x *Execution) Failed() *pipelined.Problem { return x.failed }

// Problem is what `error` shows; nil where nothing has failed.
func (x *Execution) Problem() *pipelined.Problem { return x.problem }

// Respond sets the answer of the pipeline whose steps run.
func (x *Execution) Respond(r *pipelined.Reply) {
	if x.callee != nil {
		*x.answer = *r
		return
	}
	x.Run.mu.Lock()
	defer x.Run.mu.Unlock()
	x.Run.reply = r
}

// Answer is what a called pipeline responded; its zero value if nothing.
func (x *Execution) Answer() *pipelined.Reply { return x.answer }

// Reply returns what the triggered pipeline responded, or nil.
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
