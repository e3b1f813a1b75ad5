package program

import (
	"maps"
	"slices"
	"sync"

	"gopkg.in/yaml.v3"

	"pipelined/engine/execution"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/schema"
	"pipelined/triggers"
)

type onFailureParams struct {
	Collection step.Literal         `yaml:"collection" required:"" doc:"Where failures are recorded, with their input."`
	Permanent  expression.Condition `yaml:"permanent" doc:"Bare expression over error: such a failure is not worth another attempt."`
}

// OnFailureShape describes on_failure.
func OnFailureShape() *field.Shape { return onFailureShape() }

var onFailureShape = sync.OnceValue(field.Of[onFailureParams])

// pipeline compiles one pipeline; nil if it has no name.
func (c *compiler) pipeline(def *definition.Pipeline) *Pipeline {
	if def.Name == "" {
		return nil
	}
	fc := &field.Context{File: def.File, Diags: c.diags, Node: def.Node}
	p := &Pipeline{
		Name: def.Name, Description: def.Description, Version: def.Version, File: def.File.Name,
		At: fc.Range(def.NameNode), Timeout: def.Timeout, History: def.History,
	}
	scope := step.Scope{Bringing: c.sets.Triggers.Bringing}
	if def.Trigger != nil {
		p.TriggerKind = def.Trigger.Kind
		scope.Trigger, scope.Names = def.Trigger.Kind, c.trigger(fc, p, def.Trigger)
	}
	if t := c.inputType(p); t != nil {
		scope.Names[triggers.NameInput] = t
	}
	b := &step.Compiler{
		Controls: c.controls, Connectors: c.sets.Connectors, Connections: c.conns, Shared: c.shared,
		Events: c.events, Pipelines: c.names, Pipeline: p.Name, Env: c.project.EnvSymbol(execution.SlotEnv),
	}
	syms := b.Start([]*yaml.Node{def.StepsNode, def.OnErrorNode, def.AfterCommit}, scope)
	sc := fc.With(syms)
	p.Callee = execution.Callee{Name: p.Name, Timeout: p.Timeout, Flow: b.Steps(sc, def.Steps)}
	p.Callee.After = c.after(sc, b, def.AfterCommit)
	if h := b.Handler(sc, def.OnError); len(h) > 0 {
		p.Callee.OnError = h
	}
	if def.OnFailure != nil {
		p.OnFailure = c.onFailure(fc.With(step.WithError(syms)), p, def.OnFailure)
	}
	p.Callee.Undo = b.Undos()
	p.Callee.Slots, p.Callee.VarSlots = b.Slots()
	p.Facts = b.Facts
	p.Resumable = b.Facts.CommitsParts
	p.Uses = Uses{Request: b.Used("request"), Event: p.Uses.Event || b.Used("event"), Run: b.Used("run")}
	return p
}

// trigger decodes the trigger, turns it into a plan, and returns what it brings.
func (c *compiler) trigger(fc *field.Context, p *Pipeline, t *definition.Trigger) triggers.Scope {
	spec := c.sets.Triggers.Get(t.Kind)
	if spec == nil {
		names := c.sets.Triggers.Names()
		fix := "a trigger is one of: " + join(names)
		if near := diag.Suggest(t.Kind, names); near != "" {
			fix = "did you mean " + near + "?"
		}
		fc.Report(CodeTrigger, diag.Error, t.KeyNode, "there is no trigger called "+t.Kind, "Nothing would start the pipeline.", fix)
		return nil
	}
	params := spec.New()
	syms := expression.NewSymbols(nil)
	step.Scope{Trigger: t.Kind, Names: spec.Scope(params), Bringing: c.sets.Triggers.Bringing}.Declare(syms)
	syms.Declare("error", &expression.Symbol{Slot: execution.SlotError, Type: step.ProblemType}) // of retry.when
	syms.Declare("env", c.project.EnvSymbol(execution.SlotEnv))
	tc := fc.With(syms)
	tc.Node = t.Node
	if !spec.Params.DecodeInto(tc, t.Node, params) {
		return spec.Scope(spec.New())
	}
	p.Uses.Event = syms.Lookup("event").Used
	p.Plan = spec.Plan(params, tc)
	switch plan := p.Plan.(type) {
	case *triggers.Route:
		if plan.Schema != "" {
			p.Schema = c.schema(tc, tc.Pos("body"), plan.Schema)
		}
	case *triggers.Source:
		p.Fingerprint = fingerprintOf(t.Node)
		c.client(tc, p, plan)
	}
	return spec.Scope(params)
}

// client finds the connection a source reads from.
func (c *compiler) client(tc *field.Context, p *Pipeline, s *triggers.Source) {
	if s.Connection == "" {
		return
	}
	if p.Connection = c.conns[s.Connection]; p.Connection != nil {
		return
	}
	fix := "declare it under connections: in pipelined.yaml"
	if near := diag.Suggest(s.Connection, slices.Sorted(maps.Keys(c.conns))); near != "" {
		fix = "did you mean " + near + "? Otherwise " + fix
	}
	tc.Report(CodeConnection, diag.Error, tc.Pos("connection"), "there is no connection called "+s.Connection, "Nothing could be read.", fix)
}

// inputType is what the trigger's schema, or that of its event types, says.
func (c *compiler) inputType(p *Pipeline) *expression.Type {
	if p.Schema != nil {
		return p.Schema.Type()
	}
	s, ok := p.Plan.(*triggers.Subscription)
	if !ok {
		return nil
	}
	var found *schema.Schema
	for _, typ := range s.Types {
		e, declared := c.project.File.Events[typ]
		if !declared || e.Schema == "" || c.schemas[e.Schema] == nil {
			return nil
		}
		if found != nil && found != c.schemas[e.Schema] {
			return nil
		}
		found = c.schemas[e.Schema]
	}
	if found == nil {
		return nil
	}
	return found.Type()
}

func (c *compiler) onFailure(fc *field.Context, p *Pipeline, n *yaml.Node) *OnFailure {
	var params onFailureParams
	fc.Node = n
	if !onFailureShape().DecodeInto(fc, n, &params) {
		return nil
	}
	if triggers.Taking(p.Plan) == nil && p.Plan != nil {
		fc.Report(CodeOnFailure, diag.Error, n, "on_failure belongs to a pipeline that takes events",
			"There would be no event to record and republish.", "write on_error with object_store.put instead")
		return nil
	}
	return &OnFailure{Collection: params.Collection.Text, Permanent: params.Permanent}
}
