package step

import (
	"fmt"
	"maps"

	"gopkg.in/yaml.v3"

	"pipelined/internal/expression"
)

// scan collects the variables and step names of a list of steps at any depth. It looks
// where steps are and nowhere else: a `set` or a `name` in somebody's data is data.
func (b *Compiler) scan(list *yaml.Node) {
	if list = resolved(list); list == nil || b.scanned[list] {
		return
	}
	b.scanned[list] = true
	if list.Kind != yaml.SequenceNode {
		return
	}
	for _, step := range list.Content {
		pairs(step, func(key string, v *yaml.Node) {
			switch key {
			case "set":
				pairs(v, func(name string, _ *yaml.Node) { b.variable(name) })
			case "name":
				if v.Kind == yaml.ScalarNode && b.names[v.Value] == nil {
					b.names[v.Value] = v
				}
			default:
				b.nested(key, v)
			}
		})
	}
}

// nested scans the lists of steps below a key of a step. Each key that takes some is
// here; block panics of one that is not.
func (b *Compiler) nested(key string, v *yaml.Node) {
	switch key {
	case "steps", "try", "catch", "finally", "compensate", "on_error":
		b.scan(v)
	case "parallel":
		pairs(v, func(_ string, branch *yaml.Node) { b.scan(branch) })
	case "reprocess":
		pairs(v, func(key string, v *yaml.Node) {
			if key == "exhausted" {
				b.scan(v)
			}
		})
	case "switch":
		if v.Kind != yaml.SequenceNode {
			return
		}
		for _, branch := range v.Content {
			pairs(branch, func(key string, v *yaml.Node) {
				if key == "steps" || key == "else" {
					b.scan(v)
				}
			})
		}
	}
}

// variable gives a variable its slot.
func (b *Compiler) variable(name string) {
	if b.vars[name] == nil {
		slot := b.slot()
		b.varSlots = append(b.varSlots, slot)
		b.vars[name] = &expression.Symbol{Slot: slot}
	}
}

// pairs visits the keys and values of a mapping; of anything else there are none.
func pairs(n *yaml.Node, visit func(key string, v *yaml.Node)) {
	n = resolved(n)
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		visit(n.Content[i].Value, resolved(n.Content[i+1]))
	}
}

// resolved is what an alias stands for; any other node is itself.
func resolved(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// later returns members with every step name not yet in have, each hidden.
func (b *Compiler) later(have map[string]*expression.Symbol) map[string]*expression.Symbol {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]*expression.Symbol{}
	}
	for name, n := range b.names {
		if out[name] == nil {
			out[name] = &expression.Symbol{Slot: -1, Hidden: fmt.Sprintf(
				"step %s has not run yet at this point (it stands at line %d); move it before this one", name, n.Line)}
		}
	}
	return out
}
