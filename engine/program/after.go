package program

import (
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// afterParams is the long form of after_commit.
type afterParams struct {
	Steps yamlList    `yaml:"steps" required:"" doc:"The steps."`
	Retry *afterRetry `yaml:"retry" doc:"How often and how far apart they are tried; default is ten times, 1s to 10m apart."`
}

type afterRetry struct {
	Attempts int                  `yaml:"attempts" default:"10" min:"1" max:"1000" doc:"Tries in all."`
	Backoff  string               `yaml:"backoff" enum:"constant,exponential" default:"exponential" doc:"How the wait grows."`
	Initial  time.Duration        `yaml:"initial" default:"1s" doc:"The first wait."`
	Max      time.Duration        `yaml:"max" default:"10m" doc:"The longest wait, also for a server's Retry-After."`
	Jitter   string               `yaml:"jitter" enum:"none,full" default:"none" doc:"full waits a random part of the backoff."`
	When     expression.Condition `yaml:"when" doc:"Bare expression over error: only then it is tried again. Default: always."`
}

// yamlList is a list of steps, looked into later.
type yamlList struct{ node *yaml.Node }

// DecodeField keeps the node.
func (l *yamlList) DecodeField(_ *field.Context, n *yaml.Node) { l.node = n }

// AfterShape describes the long form of after_commit.
func AfterShape() *field.Shape { return afterShape() }

var afterShape = sync.OnceValue(field.Of[afterParams])

// after compiles after_commit, a list of steps or a map of retry and steps; nil if there is
// none.
func (c *compiler) after(fc *field.Context, b *step.Compiler, n *yaml.Node) *execution.Later {
	if n == nil {
		return nil
	}
	list, retry := n, (*execution.Retries)(nil)
	if n.Kind == yaml.MappingNode {
		var params afterParams
		in := fc.With(step.WithError(fc.Symbols))
		in.Node = n
		if !afterShape().DecodeInto(in, n, &params) {
			return nil
		}
		list = params.Steps.node
		if r := params.Retry; r != nil {
			retry = &execution.Retries{Attempts: r.Attempts, When: r.When, Backoff: pipelined.NewBackoff(r.Backoff, r.Initial, r.Max, r.Jitter)}
		}
	}
	if b.Facts.CommitsParts {
		fc.Report(CodeAfterCommit, diag.Error, n, "after_commit and commit_every do not go together",
			"With commit_every there are many commits, and after which of them it would run is not clear.",
			"publish an event in the loop, and do it in the pipeline that takes that")
		return nil
	}
	l := b.After(fc, n, definition.ParseSteps(fc, list))
	l.Retry = retry
	if len(l.Flow.(step.Flow)) == 0 {
		return nil
	}
	return l
}

// afters checks pipelines that commit on their way and call, through whatever others, one
// that has something to do after the commit.
func (c *compiler) afters() {
	for _, p := range c.program.Pipelines {
		if !p.Facts.CommitsParts {
			continue
		}
		seen := map[string]bool{}
		var walk func(q *Pipeline) *Pipeline
		walk = func(q *Pipeline) *Pipeline {
			for _, m := range q.Facts.Calls {
				called := c.program.byName[m.Name]
				if called == nil || seen[m.Name] {
					continue
				}
				seen[m.Name] = true
				if called.Callee.After != nil {
					return called
				}
				if found := walk(called); found != nil {
					return found
				}
			}
			return nil
		}
		if found := walk(p); found != nil {
			c.report(CodeAfterCommit, diag.Error, p.At,
				p.Name+" commits on its way, and "+found.Name+", which it calls, has an after_commit",
				"After which of the commits that would run is not clear.",
				"publish an event in place of the call, or remove commit_every",
				diag.Related{Range: found.At, Message: "the pipeline with after_commit"})
		}
	}
}

// marks checks flows that read something outside, publish it, and mark there what they
// published. What they publish is durable at their commit; a mark in the flow is made
// before it, and stays if the flow fails after.
func (c *compiler) marks() {
	for _, p := range c.program.Pipelines {
		if !p.Facts.PublishesAny {
			continue
		}
		read := map[string]bool{}
		for _, o := range p.Facts.Outside {
			if o.In == "" && !o.Handles && o.Reads && !o.Writes {
				read[o.Name] = true
			}
		}
		marked := false
		for _, o := range p.Facts.Outside {
			if o.Name == "" || !read[o.Name] || !o.Writes || o.Handles && o.In == "" || o.In == "compensate" {
				continue
			}
			if o.In == "after_commit" {
				marked = true
				continue
			}
			if o.Undone() {
				continue
			}
			c.report(CodeMarksEarly, diag.Warning, o.At, "this changes "+o.Name+" at once, while what the flow publishes is kept only when all of it has ended well",
				"If a later step fails, or the process dies, "+o.Name+" says that it was done, and the events were never published.",
				"move it into `after_commit:`, beside `steps:`, which runs when the events are durable, and give each publish an `id:`")
		}
		if !marked {
			continue
		}
		for _, m := range p.Facts.Unkeyed {
			c.report(CodeNoID, diag.Warning, m.At, "this may be published again, and has no id",
				"after_commit marks what was published. Until it has, another run reads the same and publishes it again.",
				"add `id:`, made of what was read, such as the row's key: a second event of that id is dropped")
		}
	}
}
