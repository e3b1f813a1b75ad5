package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/engine/step"
	"pipelined/internal/definition"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/schema"
	"pipelined/internal/value"
)

// declarations prepares what pipelined.yaml declares.
func (c *compiler) declarations() {
	f := c.project.File
	c.program.Name = f.Project
	c.program.Redaction = value.NewRedaction(f.Redact)
	c.program.Globals = c.project.Globals()
	c.program.Env = c.project.Env()
	for _, name := range slices.Sorted(maps.Keys(f.Events)) {
		c.events[name] = c.eventType(name, f.Events[name])
	}
	for _, name := range slices.Sorted(maps.Keys(f.Connections)) {
		c.connection(f.Connections[name])
	}
}

func (c *compiler) connection(def *definition.Connection) {
	fc := c.project.ConnectionContext()
	family := c.sets.Connectors.Family(def.Family)
	if family == nil || family.Connection == nil {
		var names []string
		for _, f := range c.sets.Connectors.Families() {
			if f.Connection != nil {
				names = append(names, f.Name)
			}
		}
		slices.Sort(names)
		fix := fmt.Sprintf("a connection is one of: %v", names)
		if near := diag.Suggest(def.Family, names); near != "" {
			fix = "did you mean " + near + "?"
		}
		fc.Report(CodeFamily, diag.Error, def.FamilyNode, "there is no connector "+def.Family+" that takes a connection",
			"Steps could not use it.", fix)
		return
	}
	config := family.NewConnection()
	ok := family.Connection.DecodeInto(fc, def.Node, config)
	s := &step.Connection{Name: def.Name, Connector: family}
	c.conns[def.Name] = s
	if ok {
		c.program.Connections = append(c.program.Connections, &Connection{
			Connection: s, Config: config, Fingerprint: fingerprint(def)})
	}
}

// eventType prepares what publishing an event of a declared type checks.
func (c *compiler) eventType(name string, e definition.EventType) *step.EventType {
	t := &step.EventType{Dedupe: e.Dedupe}
	if e.Schema != "" {
		if s := c.schema(c.project.FileContext(), c.project.EventNode(name, "schema"), e.Schema); s != nil {
			t.Validate = func(data string) *pipelined.Problem { return invalidEvent(name, s.Validate(value.Raw(data))) }
			t.Data = s.Type()
		}
	}
	if e.Key != "" {
		t.Key = c.eventKey(name, e, t.Data)
	}
	return t
}

// eventKey compiles `key: data.id`, an expression over data.
func (c *compiler) eventKey(name string, e definition.EventType, data *expression.Type) *expression.Program {
	syms := expression.NewSymbols(nil)
	syms.Declare("data", &expression.Symbol{Slot: 0, Type: data})
	p, err := expression.Compile(e.Key, syms)
	if err != nil {
		c.project.FileContext().ReportExpression(c.project.EventNode(name, "key"), 0, err)
		return nil
	}
	return p
}

func invalidEvent(name string, list []schema.Violation) *pipelined.Problem {
	if len(list) == 0 {
		return nil
	}
	return pipelined.Problemf("publish/invalid", "The event is not what its schema says", 500,
		"%s at %s: %s", name, pointer(list[0].Pointer), list[0].Message)
}

func pointer(p string) string {
	if p == "" {
		return "the whole document"
	}
	return p
}

// schema compiles a schema file once.
func (c *compiler) schema(fc *field.Context, n *yaml.Node, name string) *schema.Schema {
	if s, ok := c.schemas[name]; ok {
		return s
	}
	doc, err := c.project.ReadFile(name)
	if err == nil {
		var s *schema.Schema
		if s, err = schema.Compile(name, doc, c.project.ReadFile); err == nil {
			c.schemas[name] = s
			return s
		}
	}
	c.schemas[name] = nil
	fc.Report(CodeSchema, diag.Error, n, "the schema "+name+" cannot be used: "+err.Error(),
		"Documents could not be checked.", "correct the file, or the path; it is relative to the project folder")
	return nil
}

// fingerprint is equal for declarations that say the same, wherever they say it: what an
// alias stands for counts, comments do not.
func fingerprint(def *definition.Connection) string {
	return fingerprintOf(def.Node, def.Name, def.Family)
}

// fingerprintOf tells what is written apart, whatever its comments and places.
func fingerprintOf(n *yaml.Node, names ...string) string {
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%q ", name)
	}
	said(h, n)
	return hex.EncodeToString(h.Sum(nil))
}

func said(w io.Writer, n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	fmt.Fprintf(w, " %d %s %q %d", n.Kind, n.ShortTag(), n.Value, len(n.Content))
	for _, c := range n.Content {
		said(w, c)
	}
}
