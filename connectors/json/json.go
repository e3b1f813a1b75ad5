// Package json turns JSON text into values and values into JSON text.
package json

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/value"
)

// Connector is the `json` connector.
var Connector = connectors.Define("json", connectors.Doc{
	Summary: "Turns JSON text into values and back.",
	Details: "Errors: `json/parse` (422), with line and column, and `json/format`.",
}, open,
	connectors.Op("parse", connectors.Doc{
		Summary:  "Reads JSON text; numbers stay exact.",
		Result:   "the value",
		Examples: []connectors.Example{{Title: "A text that holds JSON", YAML: "text: ${{ input.payload }}\n"}},
	}, connectors.Pure, (*client).parse),
	connectors.Op("format", connectors.Doc{
		Summary:  "Writes a value as JSON text.",
		Result:   "the text",
		Examples: []connectors.Example{{Title: "For people", YAML: "value: ${{ input }}\nindent: 2\n"}},
	}, connectors.Pure, (*client).format),
)

type parseParams struct {
	Text string `yaml:"text" required:"" doc:"The JSON text."`
}

type formatParams struct {
	Value  any `yaml:"value" required:"" doc:"Any value."`
	Indent int `yaml:"indent" default:"0" min:"0" max:"8" doc:"Spaces for each level; 0 is one line."`
}

type client struct{}

func open(context.Context, connectors.None, connectors.Env) (*client, error) { return &client{}, nil }

// Close does nothing: there is nothing to close.
func (*client) Close() error { return nil }

func (*client) parse(_ context.Context, p parseParams) (any, error) {
	raw, err := value.ParseString(strings.TrimPrefix(p.Text, "\ufeff"))
	if err != nil {
		return nil, pipelined.NewProblem("json/parse", "Not JSON", 422, err.Error())
	}
	return raw, nil
}

func (*client) format(_ context.Context, p formatParams) (any, error) {
	raw, err := value.JSON(p.Value)
	if err != nil {
		return nil, pipelined.NewProblem("json/format", "No JSON form", 500, err.Error())
	}
	if p.Indent == 0 {
		return string(raw), nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(raw), "", strings.Repeat(" ", p.Indent)); err != nil {
		return nil, pipelined.NewProblem("json/format", "No JSON form", 500, err.Error())
	}
	return b.String(), nil
}
