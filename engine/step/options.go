package step

import (
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// options every step takes, beside its action.
type options struct {
	Name       field.Name           `yaml:"name" doc:"Unique in the pipeline; the result is steps.<name> in everything after it."`
	When       expression.Condition `yaml:"when" doc:"Bare expression; false skips the step, whose result is then null."`
	Timeout    time.Duration        `yaml:"timeout" doc:"Limit for the step, each try."`
	Retry      *retryOptions        `yaml:"retry" doc:"Tries again in memory, for short trouble."`
	Compensate Block                `yaml:"compensate" doc:"Steps that undo this one: when the flow fails after it succeeded, they run, last first, before on_error."`
	OnError    Handler              `yaml:"on_error" doc:"fail (default), continue (the result is null and steps.<name>.error says why), or a list of steps with error in scope."`
}

type retryOptions struct {
	Attempts int           `yaml:"attempts" required:"" min:"1" max:"100" doc:"Tries in all: 3 is one try and two more."`
	Backoff  string        `yaml:"backoff" enum:"constant,exponential" default:"exponential" doc:"How the wait grows."`
	Initial  time.Duration `yaml:"initial" default:"200ms" doc:"The first wait."`
	Max      time.Duration `yaml:"max" default:"10s" doc:"The longest wait, also for a server's Retry-After."`
	Jitter   string        `yaml:"jitter" enum:"none,full" default:"full" doc:"full waits a random part of the backoff, so that many callers do not come back at once."`
	When     Later         `yaml:"when" doc:"Bare expression over error; default error.retriable."`
}

var optionKeys = []string{"name", "when", "timeout", "retry", "compensate", "on_error"}

// OptionsShape describes the options every step takes.
func OptionsShape() *field.Shape { return optionsShape() }

var optionsShape = sync.OnceValue(field.Of[options])

// Block is a list of steps, kept until the step around it has declared what is
// in their scope.
type Block struct{ node *yaml.Node }

// DecodeField keeps the node.
func (b *Block) DecodeField(_ *field.Context, n *yaml.Node) { b.node = n }

// Later is any value, kept until its scope is known.
type Later struct{ node *yaml.Node }

// DecodeField keeps the node.
func (l *Later) DecodeField(_ *field.Context, n *yaml.Node) { l.node = n }

// Handler is the value of on_error.
type Handler struct {
	node   *yaml.Node
	policy ErrorPolicy
}

// DecodeField accepts fail, continue or a list of steps.
func (h *Handler) DecodeField(c *field.Context, n *yaml.Node) {
	switch {
	case n.Kind == yaml.SequenceNode:
		h.policy, h.node = HandleSteps, n
	case n.Kind == yaml.ScalarNode && n.Value == "fail":
		h.policy = FailFlow
	case n.Kind == yaml.ScalarNode && n.Value == "continue":
		h.policy = Continue
	default:
		c.Report(CodeOnError, diag.Error, n, "on_error takes fail, continue or a list of steps",
			"The runtime would not know what to do when the step fails.",
			"write `on_error: continue`, or a list of steps below on_error")
	}
}

func (b *Compiler) options(c *field.Context, n *Node, opts options) {
	withError := WithError(c.Symbols)
	if r := opts.Retry; r != nil {
		n.retry = &Retry{Attempts: r.Attempts, Backoff: pipelined.NewBackoff(r.Backoff, r.Initial, r.Max, r.Jitter)}
		if r.When.node != nil {
			n.retry.When = field.Condition(c.With(withError), r.When.node)
		}
	}
	outer := b.handler
	b.handler = true
	if opts.OnError.policy == HandleSteps {
		n.handler = b.block(c, Block{opts.OnError.node}, withError)
	}
	n.undo = b.undo(c, n, opts.Compensate, withError)
	b.handler = outer
	n.options = n.timeout > 0 || n.retry != nil || n.undo != nil || n.onError != FailFlow
}
