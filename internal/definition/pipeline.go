package definition

import (
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/position"
	"pipelined/internal/unit"
)

// Pipeline is one pipeline file.
type Pipeline struct {
	File        *position.File
	Node        *yaml.Node // the whole file
	Name        string
	NameNode    *yaml.Node
	Description string
	Version     int
	Timeout     time.Duration
	History     string   // empty: as the project says
	Trigger     *Trigger // nil: only called by others
	Steps       []*Step
	StepsNode   *yaml.Node
	OnError     []*Step
	OnErrorNode *yaml.Node // nil if there is none
	OnFailure   *yaml.Node // nil if there is none
	AfterCommit *yaml.Node // nil if there is none
}

// Trigger is the one key below trigger: and its value.
type Trigger struct {
	Kind    string
	KeyNode *yaml.Node
	Node    *yaml.Node
}

// Step is one step, as yet without meaning.
type Step struct {
	Node     *yaml.Node
	Fields   []field.Pair
	Name     string
	NameNode *yaml.Node
}

// pipelineFields is what a pipeline file may hold.
type pipelineFields struct {
	Pipeline    field.Name    `yaml:"pipeline" required:"" doc:"The pipeline's name, unique in the project."`
	Description string        `yaml:"description" doc:"What it does, for people."`
	Version     int           `yaml:"version" min:"1" doc:"Shown in history and metrics."`
	Trigger     raw           `yaml:"trigger" doc:"What starts it: one trigger, such as http, cron or event (triggers.md). Without one it is only called by others."`
	Timeout     time.Duration `yaml:"timeout" doc:"Limit of one execution."`
	History     string        `yaml:"history" enum:"errors,all" doc:"Which executions are kept; default is what the project says."`
	Steps       raw           `yaml:"steps" required:"" doc:"What it does, in order."`
	OnError     raw           `yaml:"on_error" doc:"Steps that run, with error in scope, when the flow fails."`
	AfterCommit raw           `yaml:"after_commit" doc:"Steps that run, at least once, when what the flow did is durable, and after the answer was sent: a list, or a map of retry and steps."`
	OnFailure   raw           `yaml:"on_failure" doc:"Records failures with their input in a collection; with an event trigger."`
}

// PipelineShape describes a pipeline file.
func PipelineShape() *field.Shape { return pipelineShape() }

var pipelineShape = sync.OnceValue(field.Of[pipelineFields])

// raw is a value looked into elsewhere.
type raw struct{ node *yaml.Node }

// DecodeField keeps the node.
func (r *raw) DecodeField(_ *field.Context, n *yaml.Node) { r.node = n }

// pipeline reads a pipeline file; nil if not even its shape is right.
func (p *Project) pipeline(c *field.Context, f *position.File, n *yaml.Node) *Pipeline {
	var fields pipelineFields
	ok := pipelineShape().DecodeInto(c, n, &fields)
	d := &Pipeline{File: f, Node: n, Name: string(fields.Pipeline), NameNode: c.Pos("pipeline"),
		Description: fields.Description, Version: fields.Version, Timeout: fields.Timeout, History: fields.History,
		StepsNode: fields.Steps.node, OnErrorNode: fields.OnError.node, OnFailure: fields.OnFailure.node,
		AfterCommit: fields.AfterCommit.node}
	if fields.Trigger.node != nil {
		d.Trigger = trigger(c, fields.Trigger.node)
	}
	if fields.Steps.node != nil {
		d.Steps = ParseSteps(c, fields.Steps.node)
	}
	if fields.OnError.node != nil {
		d.OnError = ParseSteps(c, fields.OnError.node)
	}
	if !ok && d.Name == "" {
		return nil
	}
	return d
}

// trigger takes the one key of a trigger apart.
func trigger(c *field.Context, n *yaml.Node) *Trigger {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		c.Report(CodeTriggerShape, diag.Error, n, "a trigger is one key with its settings below",
			"Nothing would start the pipeline.", "write for example `trigger: { http: { method: GET, path: /hello } }`")
		return nil
	}
	if len(n.Content) > 2 {
		c.Report(CodeTriggerShape, diag.Error, n.Content[2], "a pipeline has exactly one trigger, this is a second",
			"It would not be clear what input is.", "make a second pipeline that calls this one")
		return nil
	}
	return &Trigger{Kind: n.Content[0].Value, KeyNode: n.Content[0], Node: n.Content[1]}
}

// ParseSteps reads a list of steps at any depth. A step is a mapping; what its
// keys mean is not looked at.
func ParseSteps(c *field.Context, n *yaml.Node) []*Step {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		c.Report(CodeSteps, diag.Error, n, "a list of steps is needed here", "Nothing would run.",
			"begin each step with `- `")
		return nil
	}
	var out []*Step
	for _, e := range n.Content {
		if e.Kind == yaml.AliasNode {
			e = e.Alias
		}
		if e.Kind != yaml.MappingNode {
			c.Report(CodeSteps, diag.Error, e, "a step is an action with its settings, such as `- log: { message: hello }`",
				"Nothing would run here.", "write the action as a key, followed by a colon")
			continue
		}
		out = append(out, step(e))
	}
	return out
}

// step takes a step apart. A name that is none is reported where the step's options are
// decoded.
func step(n *yaml.Node) *Step {
	s := &Step{Node: n}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		s.Fields = append(s.Fields, field.Pair{Key: k.Value, KeyNode: k, Value: v})
		if k.Value == "name" && v.Kind == yaml.ScalarNode && unit.IsName(v.Value) {
			s.Name, s.NameNode = v.Value, v
		}
	}
	return s
}
