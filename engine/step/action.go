package step

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// split parts a step's pairs into the options and what belongs to the action.
func split(def *definition.Step) (own, rest []field.Pair) {
	for _, p := range def.Fields {
		if slices.Contains(optionKeys, p.Key) {
			own = append(own, p)
		} else {
			rest = append(rest, p)
		}
	}
	return own, rest
}

// actionKey finds the one action of a step. It reports a step with none or two.
func (b *Compiler) actionKey(c *field.Context, def *definition.Step) *field.Pair {
	var found []*field.Pair
	var unknown []*field.Pair
	for i := range def.Fields {
		p := &def.Fields[i]
		switch {
		case b.isAction(p.Key):
			found = append(found, p)
		case !slices.Contains(optionKeys, p.Key):
			unknown = append(unknown, p)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	if len(found) > 1 {
		c.Report(CodeTwoActions, diag.Error, found[1].KeyNode,
			fmt.Sprintf("a step does one thing, but this one has %s and %s", found[0].Key, found[1].Key),
			"It would not be clear which runs first.", "make two steps of it")
		return nil
	}
	if len(unknown) > 0 {
		p := unknown[0]
		fix := "an action is one of: " + strings.Join(b.actionKeys(), ", ")
		if s := diag.Suggest(p.Key, append(b.actionKeys(), optionKeys...)); s != "" {
			fix = fmt.Sprintf("did you mean %s?", s)
		}
		c.Report(CodeUnknownAction, diag.Error, p.KeyNode, fmt.Sprintf("there is no action called %s", p.Key),
			"The step would do nothing.", fix)
		return nil
	}
	c.Report(CodeNoAction, diag.Error, def.Node, "this step has no action",
		"The step would do nothing.", "add one of: "+strings.Join(b.actionKeys(), ", "))
	return nil
}

func (b *Compiler) isAction(key string) bool {
	return b.Controls[key] != nil || b.Connectors.Operation(key) != nil
}

func (b *Compiler) actionKeys() []string {
	keys := append(slices.Collect(maps.Keys(b.Controls)), b.Connectors.Keys()...)
	slices.Sort(keys)
	return keys
}

// action builds what the step does. The step's key becomes that of the declaration,
// one text for all steps instead of one in each file.
func (b *Compiler) action(c *field.Context, n *Node, key *field.Pair, pairs []field.Pair, def *definition.Step) Action {
	if ctl := b.Controls[key.Key]; ctl != nil {
		if b.strays(c, ctl, pairs) {
			return nil
		}
		n.Key = ctl.Key
		return ctl.build(b, c, n, pairs, def)
	}
	return b.connectorAction(c, n, key, pairs)
}

// strays reports keys that neither the action nor a step takes.
func (b *Compiler) strays(c *field.Context, ctl *Control, pairs []field.Pair) bool {
	known := slices.Clone(optionKeys)
	for _, f := range ctl.Params.Fields() {
		known = append(known, f.Key)
	}
	found := false
	for _, p := range pairs {
		if slices.Contains(known, p.Key) {
			continue
		}
		found = true
		fix := "beside " + ctl.Key + " a step takes: " + strings.Join(known, ", ")
		if near := diag.Suggest(p.Key, known); near != "" {
			fix = "did you mean " + near + "?"
		}
		c.Report(field.CodeUnknownKey, diag.Error, p.KeyNode, "a step has no key "+p.Key, "It would be ignored.", fix)
	}
	return found
}
