package step

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/connectors"
	"pipelined/engine/execution"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// connectorAction compiles a connector operation: its parameters, and the client
// it will be called with.
func (b *Compiler) connectorAction(c *field.Context, n *Node, key *field.Pair, rest []field.Pair) Action {
	op := b.Connectors.Operation(key.Key)
	n.Key = op.Key
	for _, p := range rest {
		if p.Key != key.Key {
			b.stray(c, p, key.Key)
			return nil
		}
	}
	node, conn := withoutConnection(key.Value)
	a := &connectorCall{op: op, node: n}
	if a.connection = b.connection(c, op, key, conn); a.connection == nil {
		return nil
	}
	before := c.Diags.Len()
	at := *c
	at.Node = key.KeyNode
	if conn != nil {
		at.Beside = []string{"connection"}
	}
	a.params = op.Params.Decode(&at, node)
	if a.params == nil || c.Diags.ErrorsSince(before) {
		return nil
	}
	b.noteOutside(c, n, a, key)
	return a
}

// noteOutside notes what a call does outside, as far as its literal parameters tell.
func (b *Compiler) noteOutside(c *field.Context, n *Node, a *connectorCall, key *field.Pair) {
	literal := a.op.NewParams()
	a.params.Literals(literal)
	n.effect = a.op.Effect(nil, literal)
	if !n.effect.Outside {
		return
	}
	b.Facts.Outside = append(b.Facts.Outside, Outside{
		Mention: Mention{a.connection.Name, c.Range(key.KeyNode)}, Effect: n.effect, In: b.inLater, Handles: b.handler, step: n,
	})
}

// stray reports a key beside an action that does not belong there; often it is
// a parameter that slid one level out.
func (b *Compiler) stray(c *field.Context, p field.Pair, action string) {
	fix := "options of a step are: " + strings.Join(optionKeys, ", ")
	if op := b.Connectors.Operation(action); op != nil {
		for _, f := range op.Params.Fields() {
			if f.Key == p.Key {
				fix = "indent it by two, below " + action + ":"
			}
		}
	}
	c.Report(field.CodeUnknownKey, diag.Error, p.KeyNode, "a step has no option "+p.Key, "It would be ignored.", fix)
}

// withoutConnection takes the key `connection` out of an action's mapping, since
// it belongs to the step and not to the connector.
func withoutConnection(n *yaml.Node) (rest, conn *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return n, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "connection" {
			c := *n
			c.Content = append(slices.Clone(n.Content[:i]), n.Content[i+2:]...)
			return &c, n.Content[i+1]
		}
	}
	return n, nil
}

// connection finds what the operation will be called with.
func (b *Compiler) connection(c *field.Context, op *connectors.Operation, key *field.Pair, conn *yaml.Node) *Connection {
	family := op.Connector
	if conn == nil {
		if family.Connection != nil && !family.Optional {
			c.Report(CodeConnection, diag.Error, key.KeyNode, key.Key+" needs a connection", "There would be nothing to talk to.",
				"add `connection: <name>` below "+key.Key+":, and declare it under connections: in pipelined.yaml")
			return nil
		}
		return b.shared(family)
	}
	var name Literal
	name.DecodeField(c, conn)
	if name.Text == "" {
		return nil
	}
	found := b.Connections[name.Text]
	switch {
	case found == nil:
		fix := "declare it under connections: in pipelined.yaml"
		if near := diag.Suggest(name.Text, slices.Sorted(maps.Keys(b.Connections))); near != "" {
			fix = "did you mean " + near + "?"
		}
		c.Report(CodeConnection, diag.Error, conn, "there is no connection called "+name.Text, "The step could not run.", fix)
	case found.Connector != family:
		c.Report(CodeConnection, diag.Error, conn, "connection "+name.Text+" is for "+found.Connector.Name+", not for "+family.Name,
			"The step could not run.", "name a connection of "+family.Name)
	case family.Connection == nil:
		c.Report(CodeConnection, diag.Error, conn, family.Name+" takes no connection", "It would be ignored.", "remove it")
	default:
		return found
	}
	return nil
}

// shared is the connection of a family used without one.
func (b *Compiler) shared(family *connectors.Connector) *Connection {
	if c := b.Shared[family.Name]; c != nil {
		return c
	}
	c := &Connection{Connector: family}
	b.Shared[family.Name] = c
	return c
}

type connectorCall struct {
	op         *connectors.Operation
	node       *Node
	params     *field.Binding
	connection *Connection
}

func (a *connectorCall) Run(ctx context.Context, x *execution.Execution) (any, error) {
	p := a.op.NewParams()
	if err := a.params.Bind(x.Frame, p); err != nil {
		return nil, err
	}
	k := x.Run.Clients[a.connection.Index]
	ctx = connectors.WithCall(ctx, connectors.Call{
		Run: x.Run.ID, Event: x.Run.EventID, Pipeline: x.Pipeline(),
		Step: a.node.Name, Attempt: x.Run.Attempt, Idempotency: x.Key(a.node.Identity),
	})
	if !a.op.Effect(nil, p).Outside {
		result, err := a.op.Call(ctx, k, p)
		return a.node.readOnce(x, result), err
	}
	if err := x.Leaving(ctx); err != nil {
		return nil, err
	}
	result, err := x.Run.Host.Outside(ctx, func() (any, error) { return a.op.Call(ctx, k, p) })
	if err == nil || execution.Signal(err) {
		return a.node.readOnce(x, result), err
	}
	q := pipelined.AsProblem(err).Clone()
	q.Outside = true
	return nil, q
}
