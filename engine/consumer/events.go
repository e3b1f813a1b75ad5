package consumer

import (
	"encoding/json"

	"pipelined"
	"pipelined/engine/attempt"
	"pipelined/engine/broker"
	"pipelined/engine/execution"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/internal/expression"
	"pipelined/internal/store"
	"pipelined/internal/value"
	"pipelined/triggers"
)

// events is what a trigger that takes events wants of the broker, but which. Its expressions are those of the
// revision, which they do not pin: they touch nothing that is closed with it.
func (c *Consumer) events(cfg *broker.Config, rev *revision.Revision, p *program.Pipeline, plan *triggers.Subscription) {
	cfg.Concurrency = max(plan.Concurrency, 1)
	cfg.Skip = plan.WhileWaiting == "skip"
	if plan.From == "beginning" {
		cfg.From = 0
	}
	if plan.Where != nil {
		cfg.Where = func(ev *store.StoredEvent) (bool, error) { return plan.Where.Bool(c.frame(rev, ev)) }
		cfg.Filtered = func(*store.StoredEvent) { c.Runner.Counters.Filtered(p.Name) }
	}
	cfg.OrderKey, cfg.Tenant = c.text(rev, plan.OrderBy), c.text(rev, plan.FairBy)
}

// text evaluates an expression of the trigger to a text.
func (c *Consumer) text(rev *revision.Revision, of *expression.Program) func(*store.StoredEvent) (string, error) {
	if of == nil {
		return nil
	}
	return func(ev *store.StoredEvent) (string, error) {
		v, err := of.Eval(c.frame(rev, ev))
		if err != nil {
			return "", err
		}
		return value.Text(v)
	}
}

// frame is what the trigger's own expressions see.
func (c *Consumer) frame(rev *revision.Revision, ev *store.StoredEvent) *expression.Frame {
	slots := make([]any, execution.BaseSlots)
	slots[execution.SlotInput] = value.Raw(ev.Data)
	slots[execution.SlotEvent] = attempt.EventValue(ev, max(ev.Attempt, 1), 0)
	slots[execution.SlotGlobals], slots[execution.SlotEnv] = rev.Globals, rev.Env
	return &expression.Frame{Slots: slots, Host: c.Runner.Values}
}

// problemText is a problem as JSON, for people who look at what waits.
func problemText(p *pipelined.Problem) string {
	text, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return string(text)
}
