package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pipelined/internal/expression"
	"pipelined/internal/value"
)

func show(t *expression.Type) string {
	if t == nil {
		return "any"
	}
	switch t.Kind {
	case value.Array:
		return "[" + show(t.Elem) + "]"
	case value.Object:
		var fields []string
		for k, f := range t.Fields {
			fields = append(fields, k+" "+show(f))
		}
		slices.Sort(fields)
		if t.Open {
			fields = append(fields, "…")
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return map[value.Kind]string{
		value.Any: "any", value.Null: "null", value.Bool: "bool", value.Integer: "integer",
		value.Number: "number", value.String: "string",
	}[t.Kind]
}

func TestType(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, schema, want string }{
		{"scalars", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{"type":"number"},"d":{"type":"boolean"},"e":{"type":"null"}}}`, `{a string, b integer, c number, d bool, e null, …}`},
		{"an object is open unless it says otherwise", `{"type":"object"}`, `{…}`},
		{"additionalProperties false closes", `{"type":"object","properties":{"a":true},"additionalProperties":false}`, `{a any}`},
		{"unevaluatedProperties false closes", `{"type":"object","allOf":[{"properties":{"b":{"type":"string"}},"unevaluatedProperties":false}],"unevaluatedProperties":false}`, `{b string}`},
		{"unevaluatedProperties beside alternatives does not close", `{"type":"object","unevaluatedProperties":false,"anyOf":[{"properties":{"a":true}},{"properties":{"b":true}}]}`, `{…}`},
		{"pattern properties keep it open", `{"type":"object","patternProperties":{"^x_":true},"additionalProperties":false}`, `{…}`},
		{"additionalProperties with a schema keeps it open", `{"type":"object","additionalProperties":{"type":"string"}}`, `{…}`},
		{"properties without a type mean an object", `{"properties":{"a":{"type":"string"}}}`, `{a string, …}`},
		{"items", `{"type":"array","items":{"type":"array","items":{"type":"string"}}}`, `[[string]]`},
		{"items of an earlier draft", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":{"type":"string"}}`, `[string]`},
		{"an array without items", `{"type":"array"}`, `[any]`},
		{"a tuple", `{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`, `[any]`},
		{"several types are any", `{"type":["string","null"]}`, `any`},
		{"integer or number is a number", `{"type":["integer","number"]}`, `number`},
		{"an enum of strings", `{"enum":["a","b"]}`, `string`},
		{"a mixed enum", `{"enum":["a",1]}`, `any`},
		{"a const", `{"const":true}`, `bool`},
		{"a reference", `{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}`, `string`},
		{"a reference with more beside it", `{"properties":{"b":{"type":"integer"}},"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"a":{"type":"string"}}}}}`, `{a string, b integer, …}`},
		{"allOf is merged", `{"allOf":[{"properties":{"a":{"type":"number"}}},{"properties":{"a":{"type":"integer"},"b":{"type":"array","items":{"type":"string"}}}},{"properties":{"b":{"type":"array"}}}]}`, `{a integer, b [string], …}`},
		{"allOf keeps the narrower number", `{"type":"integer","allOf":[{"type":"number"}]}`, `integer`},
		{"allOf that contradicts itself says nothing", `{"type":"string","allOf":[{"type":"integer"}]}`, `any`},
		{"equal alternatives", `{"anyOf":[{"type":"string","minLength":1},{"type":"string","format":"email"}]}`, `string`},
		{"different alternatives are any", `{"oneOf":[{"type":"string"},{"type":"null"}]}`, `any`},
		{"equal objects as alternatives", `{"anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"a":{"type":"string","maxLength":1}}}]}`, `{a string, …}`},
		{"alternatives with other fields", `{"anyOf":[{"properties":{"a":true}},{"properties":{"b":true}}]}`, `any`},
		{"alternatives that only require keep the base", `{"type":"object","properties":{"a":true},"oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{a any, …}`},
		{"a recursive schema ends", `{"type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#"}}}}`, `{children [any], name string, …}`},
		{"a schema that is only itself", `{"$ref":"#"}`, `any`},
		{"false", `false`, `any`},
		{"the order", orderSchema, `{customer {email string, id string, …}, id string, lines [{price number, qty integer, sku string}], placed_at string, shipping {country string, gift any, speed string, …}, …}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := show(compile(t, tt.schema).Type()); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTypeSaysWhereItIsDeclared(t *testing.T) {
	t.Parallel()
	project := files{"schemas/line.json": `{"type":"object","properties":{"sku":{"type":"string"}}}`}
	s, err := Compile("schemas/order.json", []byte(`{"type":"object","properties":{"lines":{"type":"array","items":{"$ref":"line.json"}}}}`), project.read)
	if err != nil {
		t.Fatal(err)
	}
	lines := s.Type().Fields["lines"]
	got := fmt.Sprint(s.Type().Origin, " ", lines.Origin, " ", lines.Elem.Origin, " ", lines.Elem.Fields["sku"].Origin)
	if got != "schemas/order.json schemas/order.json schemas/line.json schemas/line.json" {
		t.Errorf("got %s", got)
	}
}

// A chain of schemas that each use the next twice must not take exponential time.
func TestTypeOfSharedSchemasIsCheap(t *testing.T) {
	t.Parallel()
	var defs []string
	for i := range 60 {
		defs = append(defs, fmt.Sprintf(`"d%d":{"properties":{"x":{"$ref":"#/$defs/d%d"},"y":{"$ref":"#/$defs/d%d"}}}`, i, i+1, i+1))
	}
	s := compile(t, `{"$ref":"#/$defs/d0","$defs":{`+strings.Join(defs, ",")+`,"d60":{"type":"string"}}}`)
	typ := s.Type()
	for range 60 {
		typ = typ.Fields["x"]
	}
	if typ.Kind != value.String {
		t.Errorf("got %s at the end", show(typ))
	}
}
