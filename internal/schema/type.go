package schema

import (
	"slices"

	"pipelined/internal/expression"
	"pipelined/internal/value"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// typeOf derives what expressions may expect. It is never narrower than the
// schema, with one exception that matches what authors mean: `properties` without
// `type` is read as an object.
func typeOf(s *jsonschema.Schema) *expression.Type {
	t := typer{done: map[*jsonschema.Schema]*expression.Type{}, open: map[*jsonschema.Schema]bool{}}
	return t.of(s)
}

type typer struct {
	done map[*jsonschema.Schema]*expression.Type
	open map[*jsonschema.Schema]bool // being derived: a schema inside itself is Any
}

func (t *typer) of(s *jsonschema.Schema) *expression.Type {
	if s == nil {
		return &expression.Type{}
	}
	origin, _ := filePath(beforeHash(s.Location))
	if t.open[s] {
		return &expression.Type{Origin: origin}
	}
	if known := t.done[s]; known != nil {
		return known
	}
	t.open[s] = true
	out := t.own(s)
	out.Origin = origin
	if s.Ref != nil {
		out = merge(out, t.of(s.Ref))
	}
	for _, part := range s.AllOf {
		out = merge(out, t.of(part))
	}
	for _, choice := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		if common := t.common(choice); common != nil {
			out = merge(out, common)
		}
	}
	delete(t.open, s)
	t.done[s] = out
	return out
}

// own is the type by the schema's own keywords.
func (t *typer) own(s *jsonschema.Schema) *expression.Type {
	out := &expression.Type{Kind: kindOf(s)}
	switch out.Kind {
	case value.Array:
		out.Elem = t.elem(s)
	case value.Object:
		out.Fields = map[string]*expression.Type{}
		for _, key := range sorted(s.Properties) {
			out.Fields[key] = t.of(s.Properties[key])
		}
		out.Open = !closed(s)
		out.Required = slices.Sorted(slices.Values(s.Required))
	}
	return out
}

func kindOf(s *jsonschema.Schema) value.Kind {
	if s.Types != nil {
		switch names := s.Types.ToStrings(); {
		case len(names) == 1:
			return kindNamed(names[0])
		case len(names) == 2 && slices.Contains(names, "number") && slices.Contains(names, "integer"):
			return value.Number
		}
		return value.Any
	}
	switch {
	case s.Const != nil:
		return commonKind([]any{*s.Const})
	case s.Enum != nil:
		return commonKind(s.Enum.Values)
	case len(s.Properties) > 0:
		return value.Object
	}
	return value.Any
}

func kindNamed(name string) value.Kind {
	switch name {
	case "null":
		return value.Null
	case "boolean":
		return value.Bool
	case "integer":
		return value.Integer
	case "number":
		return value.Number
	case "string":
		return value.String
	case "array":
		return value.Array
	case "object":
		return value.Object
	}
	return value.Any
}

// commonKind is the kind of listed values where all have the same.
func commonKind(values []any) value.Kind {
	kind := value.Any
	for i, v := range values {
		k := value.Any
		switch v.(type) {
		case bool:
			k = value.Bool
		case string:
			k = value.String
		}
		if i > 0 && k != kind {
			return value.Any
		}
		kind = k
	}
	return kind
}

func (t *typer) elem(s *jsonschema.Schema) *expression.Type {
	if len(s.PrefixItems) > 0 {
		return &expression.Type{} // a tuple has no one type
	}
	if s.Items2020 != nil {
		return t.of(s.Items2020)
	}
	if items, ok := s.Items.(*jsonschema.Schema); ok {
		return t.of(items)
	}
	return &expression.Type{}
}

// closed reports whether a valid object has no other keys than those listed.
func closed(s *jsonschema.Schema) bool {
	if len(s.PatternProperties) > 0 {
		return false
	}
	if forbids(s.AdditionalProperties) {
		return true
	}
	// unevaluatedProperties counts the keys of every branch; those are not listed
	// in the merged type.
	branches := len(s.AnyOf)+len(s.OneOf)+len(s.DependentSchemas) > 0 || s.If != nil || s.DynamicRef != nil
	return !branches && forbids(s.UnevaluatedProperties)
}

func forbids(v any) bool {
	switch v := v.(type) {
	case bool:
		return !v
	case *jsonschema.Schema:
		return v != nil && v.Bool != nil && !*v.Bool
	}
	return false
}

// common is the type all alternatives share, or nil.
func (t *typer) common(list []*jsonschema.Schema) *expression.Type {
	var first *expression.Type
	for i, s := range list {
		got := t.of(s)
		if i == 0 {
			first = got
		} else if !equal(first, got) {
			return nil
		}
	}
	if first == nil || len(list) == 1 {
		return first
	}
	out := *first // what one alternative requires, another need not
	out.Required = nil
	return &out
}

// merge is what holds of a value that is both a and b.
func merge(a, b *expression.Type) *expression.Type {
	switch {
	case a.Kind == value.Any:
		return b // which is where it is declared, too
	case b.Kind == value.Any:
		return a
	case a.Kind == value.Number && b.Kind == value.Integer:
		return &expression.Type{Kind: value.Integer, Origin: a.Origin}
	case a.Kind == value.Integer && b.Kind == value.Number:
		return a
	case a.Kind != b.Kind:
		return &expression.Type{Origin: a.Origin} // no value is both; nothing is known
	}
	out := *a
	switch a.Kind {
	case value.Array:
		out.Elem = merge(a.Elem, b.Elem)
	case value.Object:
		out.Fields = map[string]*expression.Type{}
		for k, f := range a.Fields {
			out.Fields[k] = f
		}
		for k, f := range b.Fields {
			if have := out.Fields[k]; have != nil {
				f = merge(have, f)
			}
			out.Fields[k] = f
		}
		out.Open = a.Open && b.Open
		out.Required = slices.Compact(slices.Sorted(slices.Values(slices.Concat(a.Required, b.Required))))
	}
	return &out
}

// equal ignores where the types are declared.
func equal(a, b *expression.Type) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Kind != b.Kind || a.Open != b.Open || len(a.Fields) != len(b.Fields) {
		return false
	}
	for k, f := range a.Fields {
		if g, ok := b.Fields[k]; !ok || !equal(f, g) {
			return false
		}
	}
	return equal(a.Elem, b.Elem)
}

func sorted(properties map[string]*jsonschema.Schema) []string {
	keys := make([]string, 0, len(properties))
	for k := range properties {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
