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
		Details: "Messages name places and keywords and repeat no values. A `$ref` leads to files of the project, never to a network.",
		Result:  "`valid`, `violations` (each `pointer`, `keyword`, `message`; at most 100)",
		Examples: []connectors.Example{
			{Title: "An inline schema", YAML: "value: ${{ input }}\nschema: { type: object, required: [id] }\n"},
			{Title: "A file, reporting", YAML: "value: ${{ input }}\nschema: schemas/order.json\non_invalid: report\n"},
		},
	}, connectors.Pure, (*client).check),
)

type params struct {
	Value     any    `yaml:"value" required:"" doc:"What to check."`
	Schema    any    `yaml:"schema" required:"" doc:"The schema's file, below the project folder, or the schema itself."`
	OnInvalid string `yaml:"on_invalid" enum:"fail,report" default:"fail" doc:"fail is the error validate/failed (422) with the violations in error.data; report is a result."`
}

// client keeps compiled schemas. A file is read once.
type client struct {
	dir string

	mu       sync.Mutex
	compiled map[source]*schema.Schema
}

func open(_ context.Context, _ connectors.None, env connectors.Env) (*client, error) {
	return &client{dir: env.Dir, compiled: map[source]*schema.Schema{}}, nil
}

// Close does nothing: there is nothing to close.
func (*client) Close() error { return nil }

// source is where a schema comes from: the name of a file, or its own text.
type source struct {
	text   string
	isFile bool
}

// maxSchemas bounds the schemas kept, since inline ones may be computed.
const maxSchemas = 1000

// inline is the name of a schema that is no file. Its references are below the
// project folder.
const inline = "inline.json"

func (c *client) schema(v any) (*schema.Schema, error) {
	v = value.Scalar(v)
	var from source
	if from.text, from.isFile = v.(string); !from.isFile {
		doc, err := value.JSON(v)
		if err != nil {
			return nil, unusable(err)
		}
		from.text = string(doc)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.compiled[from]; s != nil {
		return s, nil
	}
	label, text := inline, []byte(from.text)
	if from.isFile {
		var err error
		if text, err = c.read(from.text); err != nil {
			return nil, unusable(err)
		}
		label = from.text
	}
	s, err := schema.Compile(label, text, c.read)
	if err != nil {
		return nil, unusable(err)
	}
	if len(c.compiled) >= maxSchemas {
		clear(c.compiled)
	}
	c.compiled[from] = s
	return s, nil
}

func unusable(err error) error {
	return pipelined.NewProblem("validate/schema", "The schema cannot be used", 500, err.Error())
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
	s, err := c.schema(p.Schema)
	if err != nil {
		return nil, err
	}
	raw, err := value.JSON(p.Value)
	if err != nil {
		return nil, pipelined.NewProblem("validate/value", "The value cannot be checked", 500, err.Error())
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
	problem.Rejected = true
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
