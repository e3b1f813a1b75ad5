package step

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/diag"
	"pipelined/internal/field"
)

// Client is the opened client of a connection, filled in before anything runs.
type Client struct{ closer atomic.Pointer[io.Closer] }

// Set puts the opened client in place.
func (c *Client) Set(k io.Closer) { c.closer.Store(&k) }

// Get returns it; nil before Set.
func (c *Client) Get() io.Closer {
	if p := c.closer.Load(); p != nil {
		return *p
	}
	return nil
}

// connectorAction compiles a connector operation: its parameters, and the client
// it will be called with.
func (b *Compiler) connectorAction(c *field.Context, n *Node, key *field.Pair, rest []field.Pair) Action {
	op := b.Connectors.Operation(key.Key)
	n.Key, n.connector = op.Key, true
	for _, p := range rest {
		if p.Key != key.Key {
			b.stray(c, p, key.Key)
			return nil
		}
	}
	node, conn := withoutConnection(key.Value)
	a := &connectorCall{op: op, node: n}
	if a.client = b.client(c, op, key, conn); a.client == nil {
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
	return a
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

// client finds what the operation will be called with.
func (b *Compiler) client(c *field.Context, op *connectors.Operation, key *field.Pair, conn *yaml.Node) *Client {
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
		return found.Client
	}
	return nil
}

// shared is the client of a family used without a connection.
func (b *Compiler) shared(family *connectors.Connector) *Client {
	if c := b.Shared[family.Name]; c != nil {
		return c.Client
	}
	c := &Connection{Connector: family, Client: &Client{}}
	b.Shared[family.Name] = c
	return c.Client
}

type connectorCall struct {
	op     *connectors.Operation
	node   *Node
	params *field.Binding
	client *Client
}

func (a *connectorCall) Run(ctx context.Context, x *Execution) (any, error) {
	p := a.op.NewParams()
	if err := a.params.Bind(x.Frame, p); err != nil {
		return nil, err
	}
	k := a.client.Get()
	if k == nil {
		return nil, pipelined.Problemf(pipelined.TypeInternal, "A connection is not open", 500, "%s was called before start", a.op.Key)
	}
	return a.op.Call(connectors.WithCall(ctx, x.call(a.node)), k, p)
}
