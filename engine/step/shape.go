package step

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/field"
	"pipelined/internal/value"
)

// shapes holds what a step writes to what a schema asks for, as far as both are
// known at load: a value of another kind, a field the schema does not know, a
// required one that is missing.
type shapes struct {
	c         *field.Context
	event     string
	templates map[*yaml.Node]*expression.Template // what is written with ${{ }}, compiled
}

// at is what a path below the data is called.
func (s shapes) at(path string) string { return "data" + path + " of " + s.event }

// written checks a value as it stands in the file.
func (s shapes) written(n *yaml.Node, path string, want *expression.Type) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if want == nil || want.Kind == value.Any {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		s.object(n, path, want)
	case yaml.SequenceNode:
		if s.kind(n, path, value.Array, want) {
			for i, e := range n.Content {
				s.written(e, fmt.Sprintf("%s[%d]", path, i), want.Elem)
			}
		}
	default:
		s.scalar(n, path, want)
	}
}

func (s shapes) object(n *yaml.Node, path string, want *expression.Type) {
	if !s.kind(n, path, value.Object, want) {
		return
	}
	have := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		have[key.Value] = true
		typ, known := want.Fields[key.Value]
		if !known && !want.Open {
			s.unknown(key, path, key.Value, want, diag.Error)
		}
		s.written(n.Content[i+1], path+"."+key.Value, typ)
	}
	s.missing(n, path, want, diag.Error, func(name string) bool { return have[name] })
}

func (s shapes) scalar(n *yaml.Node, path string, want *expression.Type) {
	if !expression.HasTemplate(n.Value) {
		s.kind(n, path, literalKind(n), want)
		return
	}
	t := s.templates[n]
	if t == nil {
		return // it could not be compiled, and that is reported
	}
	if t.Exact() == nil {
		s.kind(n, path, value.String, want)
		return
	}
	s.given(n, path, t.Exact().Type(), want, diag.Error)
}

func literalKind(n *yaml.Node) value.Kind {
	switch n.ShortTag() {
	case "!!null":
		return value.Null
	case "!!bool":
		return value.Bool
	case "!!int":
		return value.Integer
	case "!!float":
		return value.Number
	}
	return value.String
}

// given checks a value of which the type is known. What is below a field that may
// be missing is only a warning.
func (s shapes) given(n *yaml.Node, path string, have, want *expression.Type, severity diag.Severity) {
	if have == nil || want == nil || have.Kind == value.Any || want.Kind == value.Any {
		return
	}
	if !fits(have.Kind, want.Kind) {
		s.wrong(n, path, have.Kind, want.Kind, severity)
		return
	}
	switch want.Kind {
	case value.Array:
		s.given(n, path+"[0]", have.Elem, want.Elem, diag.Warning)
	case value.Object:
		for _, name := range slices.Sorted(maps.Keys(have.Fields)) {
			sure := severity
			if !slices.Contains(have.Required, name) {
				sure = diag.Warning
			}
			typ, known := want.Fields[name]
			if !known && !want.Open {
				s.unknown(n, path, name, want, sure)
			}
			s.given(n, path+"."+name, have.Fields[name], typ, sure)
		}
		if !have.Open {
			s.missing(n, path, want, severity, func(name string) bool { _, ok := have.Fields[name]; return ok })
		}
	}
}

func fits(have, want value.Kind) bool {
	number := func(k value.Kind) bool { return k == value.Integer || k == value.Number }
	return have == want || number(have) && number(want)
}

func (s shapes) kind(n *yaml.Node, path string, have value.Kind, want *expression.Type) bool {
	if fits(have, want.Kind) {
		return true
	}
	s.wrong(n, path, have, want.Kind, diag.Error)
	return false
}

func (s shapes) wrong(n *yaml.Node, path string, have, want value.Kind, severity diag.Severity) {
	s.c.Report(CodeShape, severity, n, fmt.Sprintf("%s must be %s, this is %s", s.at(path), want, have), "Publishing it would fail.", remedy(have, want))
}

func remedy(have, want value.Kind) string {
	switch {
	case want == value.String && have != value.Array && have != value.Object:
		return "make it a text: quote it, or ${{ string(…) }}"
	case (want == value.Integer || want == value.Number) && have == value.String:
		return "make it a number: take the quotes away, or ${{ float(…) }}"
	}
	return "write " + want.String() + ", or change the schema"
}

func (s shapes) unknown(n *yaml.Node, path, name string, want *expression.Type, severity diag.Severity) {
	known := slices.Sorted(maps.Keys(want.Fields))
	fix := "its fields are: " + strings.Join(known, ", ")
	if near := diag.Suggest(name, known); near != "" {
		fix = "did you mean " + near + "?"
	}
	s.c.Report(CodeShape, severity, n, fmt.Sprintf("%s has no field %s%s", s.at(path), name, origin(want)), "Publishing it would fail.", fix)
}

func (s shapes) missing(n *yaml.Node, path string, want *expression.Type, severity diag.Severity, have func(string) bool) {
	for _, name := range want.Required {
		if !have(name) {
			s.c.Report(CodeShape, severity, n, fmt.Sprintf("%s needs the field %s%s", s.at(path), name, origin(want)),
				"Publishing it would fail.", "add "+name)
		}
	}
}

func origin(t *expression.Type) string {
	if t.Origin == "" {
		return ""
	}
	return " (" + t.Origin + ")"
}
