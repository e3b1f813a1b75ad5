package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/expression/function"
	"pipelined/internal/field"
	"pipelined/internal/position"
	"pipelined/internal/value"
)

// Findings decodes the parameters of an operation as lint does and returns what it
// finds.
func Findings(t testing.TB, op *connectors.Operation, text string) []diag.Diagnostic {
	t.Helper()
	c, n := source(t, text)
	op.Params.Decode(c, n)
	return c.Diags.All()
}

func declaration(t *testing.T, c *connectors.Connector) {
	t.Helper()
	if c.Doc.Summary == "" {
		t.Errorf("%s has no summary", c.Name)
	}
	for _, op := range c.Operations {
		if op.Doc.Summary == "" || op.Doc.Result == "" || len(op.Doc.Examples) == 0 {
			t.Errorf("%s needs a summary, a result and an example", op.Key)
		}
		for _, e := range op.Doc.Examples {
			if found := Findings(t, op, e.YAML); len(found) > 0 {
				t.Errorf("%s, example %q does not lint:\n%s", op.Key, e.Title, render(found, e.YAML))
			}
		}
	}
}

func decodeConnection(t testing.TB, c *connectors.Connector, text string, dst any) {
	t.Helper()
	ctx, n := source(t, text)
	if !c.Connection.DecodeInto(ctx, n, dst) {
		t.Fatalf("the connection does not lint:\n%s", render(ctx.Diags.All(), text))
	}
}

func decodeParams(t testing.TB, op *connectors.Operation, text string) *field.Binding {
	t.Helper()
	c, n := source(t, text)
	b := op.Params.Decode(c, n)
	if b == nil {
		t.Fatalf("the parameters do not lint:\n%s", render(c.Diags.All(), text))
	}
	return b
}

// source reads YAML whose expressions may use input, event and steps.
func source(t testing.TB, text string) (*field.Context, *yaml.Node) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("not YAML: %v\n%s", err, text)
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	if len(doc.Content) > 0 {
		n = doc.Content[0]
	}
	syms := expression.NewSymbols(nil)
	for slot, name := range []string{"input", "event", "steps"} {
		syms.Declare(name, &expression.Symbol{Slot: slot})
	}
	return &field.Context{File: &position.File{Name: "test.yaml", Text: []byte(text)}, Node: n, Symbols: syms, Diags: &diag.List{}}, n
}

func frame(input any) *expression.Frame {
	host := &function.Env{Now: time.Now, NewID: func() string { return "id" }, Random: func() float64 { return 0 }}
	return &expression.Frame{Slots: []any{input, value.Raw("{}"), value.Raw("{}")}, Host: host}
}

func render(found []diag.Diagnostic, text string) string {
	var b bytes.Buffer
	if err := diag.Text(&b, found, map[string][]byte{"test.yaml": []byte(text)}, false); err != nil {
		return err.Error()
	}
	return b.String()
}

// secretsIn collects the secrets of a connection that are long enough to be told
// from ordinary text.
func secretsIn(v reflect.Value) []string {
	if v.IsValid() && v.Type() == reflect.TypeFor[pipelined.Secret]() {
		if text := v.Interface().(pipelined.Secret).Reveal(); len(text) >= 4 {
			return []string{text}
		}
		return nil
	}
	var out []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			out = secretsIn(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out = append(out, secretsIn(v.Field(i))...)
			}
		}
	}
	return out
}

// difference compares two documents; empty means that got is what want asks for.
func difference(what, want, got string) string {
	w, err := decodeJSON(want)
	if err != nil {
		return fmt.Sprintf("the wanted %s is not JSON: %v", what, err)
	}
	g, err := decodeJSON(got)
	if err != nil {
		return fmt.Sprintf("the %s is not JSON: %v: %s", what, err, got)
	}
	if at := differs(w, g); at != "" {
		return fmt.Sprintf("%s%s differs:\n got %s\nwant %s", what, strings.TrimSuffix(at, "."), got, want)
	}
	return ""
}

func decodeJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// differs returns where got is not as wanted, "." at the top.
func differs(want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return "."
		}
		for k, e := range w {
			have, there := g[k]
			if !there {
				return "." + k + "."
			}
			if at := differs(e, have); at != "" {
				return "." + k + at
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return "."
		}
		for i, e := range w {
			if at := differs(e, g[i]); at != "" {
				return fmt.Sprintf("[%d]%s", i, at)
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return "."
	}
	return ""
}

func show(v any) string {
	raw, err := value.JSON(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(raw)
}
