package step

import (
	"slices"
	"strings"

	"pipelined/internal/definition"
	"pipelined/internal/field"
)

// Control is a control-flow key: what it takes and how it is compiled.
type Control struct {
	Key     string
	Summary string
	Result  string // Markdown; empty means null
	Example string // YAML of whole steps that lint
	Params  *field.Shape

	build func(b *Compiler, c *field.Context, n *Node, pairs []field.Pair, def *definition.Step) Action
}

// define declares a control-flow key. build returns nil after reporting why.
func define[P any](key, summary, result, example string, build func(b *Compiler, c *field.Context, n *Node, p *P) Action) *Control {
	shape := field.Of[P]()
	return &Control{
		Key: key, Summary: summary, Result: result, Example: example, Params: shape,
		build: func(b *Compiler, c *field.Context, n *Node, pairs []field.Pair, def *definition.Step) Action {
			p := new(P)
			c = c.With(c.Symbols)
			c.Node = def.Node
			if !shape.DecodePairs(c, def.Node, pairs, p) {
				return nil
			}
			return build(b, c, n, p)
		},
	}
}

// ControlSet is the control-flow keys, by key.
type ControlSet map[string]*Control

// NewControlSet returns every control-flow key.
func NewControlSet() ControlSet {
	return index(
		setControl(), switchControl(), foreachControl(), whileControl(), untilControl(), parallelControl(),
		tryControl(), callControl(), respondControl(), stopControl(), failControl(), delayControl(),
		assertControl(), publishControl(), logControl(), reprocessControl(),
		putControl(), insertControl(), getControl(), findControl(), updateControl(), deleteControl(),
		countControl(), distinctControl(),
	)
}

func index(list ...*Control) ControlSet {
	m := make(ControlSet, len(list))
	for _, c := range list {
		m[c.Key] = c
	}
	return m
}

// Controls lists the control-flow keys by name.
func Controls() []*Control {
	var out []*Control
	for _, c := range NewControlSet() {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Control) int { return strings.Compare(a.Key, b.Key) })
	return out
}
