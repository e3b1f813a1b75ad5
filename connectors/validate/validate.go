// Package validate checks values against JSON Schemas.
package validate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/schema"
	"pipelined/internal/value"
)

// Connector is the `validate` connector.
var Connector = connectors.Define("validate", connectors.Doc{
	Summary: "Checks a value against a JSON Schema (2020-12).",
}, open,
	connectors.Op("", connectors.Doc{
		Summary: "Checks one value.",
		Result:  "`valid`, and with `on_invalid: report` also `violations` (each `pointer`, `keyword`, `message`)",
		Examples: []connectors.Example{
			{Title: "An inline schema", YAML: "value: ${{ input }}\nschema: { type: object, required: [id] }\n"},
			{Title: "A file, reporting", YAML: "value: ${{ input }}\nfile: schemas/order.json\non_invalid: report\n"},
		},
	}, (*client).check),
)

type params struct {
	Value     any    `yaml:"value" required:"" doc:"What to check."`
	File      string `yaml:"file" doc:"Schema file, relative to the project folder."`
	Schema    any    `yaml:"schema" doc:"Or the schema itself."`
	OnInvalid string `yaml:"on_invalid" enum:"fail,report" default:"fail" doc:"fail is the error validate/failed (422) with the violations in error.data."`
}

// client keeps compiled schemas. A file is read once per revision.
type client struct {
	dir string

	mu       sync.Mutex
	compiled map[string]*schema.Schema
}

func open(_ context.Context, _ connectors.None, env connectors.Env) (*client, error) {
	return &client{dir: env.Dir, compiled: map[string]*schema.Schema{}}, nil
}

// Close does nothing: there is nothing to close.
func (*client) Close() error { return nil }

// maxSchemas bounds the schemas kept, since inline ones may be computed.
const maxSchemas = 1000

func (c *client) schema(p params) (*schema.Schema, error) {
	if (p.File == "") == (p.Schema == nil) {
		return nil, pipelined.NewProblem("validate/schema", "No schema", 500, "give either file or schema")
	}
	name, doc := p.File, value.Raw("")
	if p.Schema != nil {
		var err error
		if doc, err = value.JSON(p.Schema); err != nil {
			return nil, err
		}
		name = string(doc)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.compiled[name]; s != nil {
		return s, nil
	}
	text, label := []byte(doc), "inline.json"
	if p.File != "" {
		var err error
		if text, err = c.read(p.File); err != nil {
			return nil, pipelined.NewProblem("validate/schema", "The schema cannot be read", 500, err.Error())
		}
		label = p.File
	}
	s, err := schema.Compile(label, text, c.read)
	if err != nil {
		return nil, pipelined.NewProblem("validate/schema", "The schema cannot be used", 500, err.Error())
	}
	if len(c.compiled) >= maxSchemas {
		clear(c.compiled)
	}
	c.compiled[name] = s
	return s, nil
}

// read reads a file below the project folder, and only there.
func (c *client) read(name string) ([]byte, error) {
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReadFile(name)
}

func (c *client) check(_ context.Context, p params) (any, error) {
	s, err := c.schema(p)
	if err != nil {
		return nil, err
	}
	raw, err := value.JSON(p.Value)
	if err != nil {
		return nil, err
	}
	violations := s.Validate(raw)
	if len(violations) == 0 {
		return map[string]any{"valid": true, "violations": []any{}}, nil
	}
	list, err := value.JSON(listOf(violations))
	if err != nil {
		return nil, err
	}
	if p.OnInvalid == "report" {
		return map[string]any{"valid": false, "violations": list}, nil
	}
	problem := pipelined.NewProblem("validate/failed", "The value is not what its schema says", 422, describe(violations))
	data, err := value.JSON(map[string]any{"violations": list})
	if err != nil {
		return nil, err
	}
	problem.Data = []byte(data)
	return nil, problem
}

func listOf(list []schema.Violation) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = map[string]any{"pointer": v.Pointer, "keyword": v.Keyword, "message": v.Message}
	}
	return out
}

// shownViolations is how many stand in a problem's detail.
const shownViolations = 3

func describe(list []schema.Violation) string {
	var parts []string
	for i, v := range list {
		if i == shownViolations {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		at := v.Pointer
		if at == "" {
			at = "the value"
		}
		parts = append(parts, at+": "+v.Message)
	}
	return strings.Join(parts, "; ")
}
