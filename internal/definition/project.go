package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/field"
	"pipelined/internal/pattern"
	"pipelined/internal/unit"
	"pipelined/internal/value"
)

// ProjectFile is pipelined.yaml, with defaults where it says nothing.
type ProjectFile struct {
	Project     string                 `yaml:"project" default:"pipelined" doc:"The project's name; part of the source of its events."`
	Server      Server                 `yaml:"server" doc:"Where requests are answered."`
	Admin       Admin                  `yaml:"admin" doc:"Where the admin API listens."`
	Store       StoreSettings          `yaml:"store" doc:"Where the data lives."`
	History     string                 `yaml:"history" enum:"errors,all" default:"errors" doc:"Which executions are kept: failed ones, or all."`
	Events      map[string]EventType   `yaml:"events" doc:"Event types: schema, key, retention."`
	Collections map[string]Collection  `yaml:"collections" doc:"Collections of the object store that need more than the defaults."`
	Connections map[string]*Connection `yaml:"connections" doc:"Accounts with the systems outside, by name."`
	GlobalsRaw  field.JSON             `yaml:"globals" doc:"Values every pipeline sees as globals."`
	Redact      []string               `yaml:"redact" doc:"Members never shown in logs, history or the admin API: a name at any depth, or a path such as *.password."`
}

// Server is where requests are answered.
type Server struct {
	Listen  string     `yaml:"listen" default:"127.0.0.1:8080" doc:"Address and port."`
	MaxBody field.Size `yaml:"max_body" default:"1MB" doc:"Largest body of a route that says nothing itself."`
}

// Admin is where the admin API listens.
type Admin struct {
	Listen string           `yaml:"listen" default:"127.0.0.1:8081" doc:"Address and port."`
	Token  pipelined.Secret `yaml:"token" doc:"Bearer token; required off loopback."`
}

// StoreSettings is where the data lives.
type StoreSettings struct {
	Path string `yaml:"path" default:".pipelined/data.db" doc:"File of the embedded store, relative to the project folder."`
}

// EventType is how events of a type are checked, keyed and kept.
type EventType struct {
	Schema string        `yaml:"schema" doc:"JSON Schema file the data must satisfy."`
	Key    string        `yaml:"key" doc:"Bare expression over data that gives the event's key."`
	Retain time.Duration `yaml:"retain" default:"7d" doc:"How long events stay in the log."`
	Dedupe time.Duration `yaml:"dedupe" default:"24h" doc:"How long a publish.id is remembered."`
}

// Collection is how a collection is kept.
type Collection struct {
	Index   []string      `yaml:"index" doc:"Paths that where and order_by use often."`
	Unique  []string      `yaml:"unique" doc:"Paths whose values may occur once."`
	Retain  time.Duration `yaml:"retain" doc:"How long a document stays after its last write; default for ever."`
	History bool          `yaml:"history" doc:"Keep earlier versions of documents."`
}

// Connection is an account, as yet without meaning.
type Connection struct {
	Name       string
	NameNode   *yaml.Node
	Family     string
	FamilyNode *yaml.Node
	Node       *yaml.Node
}

// DecodeField takes the one key that names the connector.
func (k *Connection) DecodeField(c *field.Context, n *yaml.Node) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		c.Report(CodeConnectionShape, diag.Error, n, "a connection is one connector with its settings below",
			"Steps could not use it.", "write for example `crm: { rest: { base_url: https://crm.example } }`")
		return
	}
	k.FamilyNode, k.Node = n.Content[0], n.Content[1]
	k.Family = k.FamilyNode.Value
}

// ProjectShape describes pipelined.yaml.
func ProjectShape() *field.Shape { return field.Of[ProjectFile]() }

// projectFile decodes pipelined.yaml; n is nil where there is none.
func (p *Project) projectFile(n *yaml.Node) {
	p.root = n
	p.File = &ProjectFile{}
	ProjectShape().DecodeInto(p.FileContext(), n, p.File)
	for name, k := range p.File.Connections {
		if k == nil || k.FamilyNode == nil {
			delete(p.File.Connections, name)
			continue
		}
		k.Name, k.NameNode = name, keyNode(child(n, "connections"), name)
	}
	p.declaredNames(n)
}

// declaredNames reports event types and collections that no pipeline could name.
func (p *Project) declaredNames(n *yaml.Node) {
	c := p.FileContext()
	for _, name := range slices.Sorted(maps.Keys(p.File.Events)) {
		if strings.Contains(name, "*") || pattern.Check(name) != "" {
			c.Report(CodeDeclared, diag.Error, keyNode(child(n, "events"), name), fmt.Sprintf("%q is not an event type", name),
				"No event could ever be of it.", "write lower case words joined by dots, such as order.received")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.File.Collections)) {
		if !unit.IsName(name) {
			c.Report(CodeDeclared, diag.Error, keyNode(child(n, "collections"), name), fmt.Sprintf("%q is not the name of a collection", name),
				"No step could use it.", "use lower case letters, digits and _, beginning with a letter: "+unit.SuggestName(name))
		}
	}
}

// Globals is what expressions see as globals.
func (p *Project) Globals() any {
	if p.File.GlobalsRaw.IsZero() {
		return map[string]any{}
	}
	v, err := p.File.GlobalsRaw.Eval(p.env.frame(false))
	if err != nil {
		p.FileContext().Report(CodeGlobals, diag.Error, child(p.root, "globals"), "globals cannot be evaluated: "+err.Error(),
			"Expressions that use them would fail.", "correct the expression")
		return map[string]any{}
	}
	return value.Open(v)
}

// EventNode returns the value of a key of an event type, for findings.
func (p *Project) EventNode(typ, key string) *yaml.Node {
	return child(child(child(p.root, "events"), typ), key)
}

// child returns the value of a key; n itself where there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return n
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return n
}

func keyNode(n *yaml.Node, key string) *yaml.Node {
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i]
			}
		}
	}
	return n
}
