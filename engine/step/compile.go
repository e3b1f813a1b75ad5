package step

import (
	"fmt"

	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
)

// Steps compiles a list of steps in the scope of c. The names the steps declare
// become visible to what is compiled with the same symbols afterwards.
func (b *Compiler) Steps(c *field.Context, list []*definition.Step) Flow {
	var flow Flow
	var ended *definition.Step
	for _, def := range list {
		if ended != nil {
			c.Report(CodeUnreachable, diag.Warning, def.Node, "this step can never run",
				fmt.Sprintf("The step at line %d always ends the flow.", ended.Node.Line),
				"remove it, or give the step before it a `when`")
			ended = nil
		}
		n := b.step(c, def)
		if n == nil {
			continue
		}
		flow = append(flow, n)
		if _, ends := n.Action.(interface{ ends() }); ends && n.when.IsZero() && (n.onError == FailFlow || n.Key == "stop") {
			ended = def
		}
	}
	return flow
}

// block compiles a nested list in the given scope.
func (b *Compiler) block(c *field.Context, blk Block, syms *expression.Symbols) Flow {
	if blk.node == nil {
		return nil
	}
	if !b.scanned[resolved(blk.node)] {
		panic(fmt.Sprintf("step: scan does not know of the list of steps at line %d", blk.node.Line))
	}
	inner := c.With(syms)
	return b.Steps(inner, definition.ParseSteps(inner, blk.node))
}

// step compiles one step, or reports why not and returns nil.
func (b *Compiler) step(c *field.Context, def *definition.Step) *Node {
	action := b.actionKey(c, def)
	if action == nil {
		return nil
	}
	own, rest := split(def)
	var opts options
	if !optionsShape().DecodePairs(c, def.Node, own, &opts) {
		b.declareFailed(c, def)
		return nil
	}
	n := &Node{
		Name: string(opts.Name), Key: action.Key, At: c.Range(action.KeyNode),
		named: opts.Name != "", slot: -1, errorSlot: -1,
		when: opts.When, timeout: opts.Timeout, onError: opts.OnError.policy,
	}
	n.Identity = n.Name
	if n.Name == "" {
		n.Name = fmt.Sprintf("%s@%d", action.Key, action.KeyNode.Line)
		n.Identity = b.identity(action.Key, def.Node)
	}
	if n.Action = b.action(c, n, action, rest, def); n.Action == nil {
		b.declareFailed(c, def)
		return nil
	}
	b.name(c, n, def, opts)
	b.options(c, n, opts)
	return n
}

// declareFailed makes the name of a step with findings known, so that one
// mistake is not reported again wherever the step is used.
func (b *Compiler) declareFailed(c *field.Context, def *definition.Step) {
	if def.Name != "" {
		steps := c.Symbols.Lookup("steps")
		steps.Members[def.Name] = &expression.Symbol{Slot: b.slot()}
		b.declared[def.Name] = true
	}
}

// name gives the step its slot and makes its result visible.
func (b *Compiler) name(c *field.Context, n *Node, def *definition.Step, opts options) {
	if !n.named {
		return
	}
	if b.declared[n.Name] {
		c.Report(CodeDuplicateStep, diag.Error, def.NameNode, fmt.Sprintf("a step is already called %s", n.Name),
			fmt.Sprintf("steps.%s would mean two things; the first is at line %d.", n.Name, b.names[n.Name].Line),
			"give one of them another name")
		return
	}
	b.declared[n.Name] = true
	n.slot = b.slot()
	if n.effect.Stream {
		b.streams[n.slot] = n.Name
	}
	sym := &expression.Symbol{Slot: n.slot}
	if opts.OnError.policy == Continue {
		n.errorSlot = b.slot()
		sym.Members = map[string]*expression.Symbol{"error": {Slot: n.errorSlot}}
	}
	c.Symbols.Lookup("steps").Members[n.Name] = sym
}

// Handler compiles the pipeline's on_error steps: error is in scope.
func (b *Compiler) Handler(c *field.Context, list []*definition.Step) Flow {
	if len(list) == 0 {
		return nil
	}
	b.handler = true
	defer func() { b.handler = false }()
	return b.Steps(c.With(WithError(c.Symbols)), list)
}
