package field

import "pipelined/internal/unit"

// JSONSchema describes the struct for editors: Draft-07, closed objects, no
// alternatives. A value that may be given by ${{ }} allows a text of that form
// beside its own type.
func (s *Shape) JSONSchema() map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range s.fields {
		p := f.kind.schema()
		p["description"] = f.doc
		f.limits(p)
		if f.hasDefault {
			p["default"] = f.def
		}
		properties[f.key] = p
		if f.required {
			required = append(required, f.key)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	dependencies := map[string]any{}
	for _, r := range s.rules {
		r.schema(dependencies)
		if r.typ == exactlyOneType {
			out["minProperties"] = 1
		}
	}
	if len(dependencies) > 0 {
		out["dependencies"] = dependencies
	}
	return out
}

// limits puts what a value must be on the value itself, or on the elements of a list
// or map.
func (f *spec) limits(p map[string]any) {
	for k := f.kind; k.elem != nil; k = k.elem {
		inside := "items"
		if k.form == formMap {
			inside = "additionalProperties"
		}
		p = p[inside].(map[string]any)
	}
	if len(f.enum) > 0 {
		p["enum"] = f.enum
	}
	if f.kind.leaf().form == formDuration {
		return // a text, which has no order
	}
	if f.min != nil {
		p["minimum"] = f.min.value
	}
	if f.max != nil {
		p["maximum"] = f.max.value
	}
}

const templatePattern = `^\$\{\{`

func (k *kindSpec) schema() map[string]any {
	templated := func(typ string) map[string]any {
		return map[string]any{"type": []string{typ, "string"}, "pattern": templatePattern}
	}
	switch k.form {
	case formBool:
		return templated("boolean")
	case formInt:
		return templated("integer")
	case formFloat:
		return templated("number")
	case formDuration:
		return map[string]any{"type": "string", "pattern": unit.DurationPattern + "|" + templatePattern}
	case formSize:
		return map[string]any{"type": []string{"integer", "string"}, "pattern": unit.SizePattern + "|" + templatePattern}
	case formName:
		return map[string]any{"type": "string", "pattern": unit.NamePattern}
	case formList:
		return map[string]any{"type": []string{"array", "string"}, "items": k.elem.schema(), "pattern": templatePattern}
	case formMap:
		return map[string]any{"type": []string{"object", "string"}, "additionalProperties": k.elem.schema(), "pattern": templatePattern}
	case formStruct:
		return k.shape.JSONSchema()
	case formCondition, formBare:
		return map[string]any{"type": []string{"string", "boolean", "number"}}
	case formAny, formCustom:
		return map[string]any{}
	}
	return map[string]any{"type": []string{"string", "number", "boolean"}}
}
