package step

import (
	"fmt"
	"maps"

	"gopkg.in/yaml.v3"

	"pipelined/internal/expression"
)

// scan collects the variables and step names of a list of steps at any depth.
func (b *Compiler) scan(n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if k.Value == "set" && v.Kind == yaml.MappingNode {
				for j := 0; j+1 < len(v.Content); j += 2 {
					if name := v.Content[j].Value; b.vars[name] == nil {
						slot := b.slot()
						b.varSlots = append(b.varSlots, slot)
						b.vars[name] = &expression.Symbol{Slot: slot}
					}
				}
				continue
			}
			if k.Value == "name" && v.Kind == yaml.ScalarNode && b.names[v.Value] == nil {
				b.names[v.Value] = v
			}
			b.scan(v)
		}
		return
	}
	for _, c := range n.Content {
		b.scan(c)
	}
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
