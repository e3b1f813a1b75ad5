package field

import (
	"fmt"
	"reflect"
	"strings"
)

// FieldInfo describes a field to people and programs.
type FieldInfo struct {
	Key      string
	Type     string // as the reference calls it
	Doc      string
	Required bool
	Default  string
	Enum     []string
	Min, Max string // as declared: a number, a duration or a size
	Nested   *Shape // of a struct, or of the elements of a list or map of structs
}

// Fields lists the fields in the order of the declaration.
func (s *Shape) Fields() []FieldInfo {
	var out []FieldInfo
	for _, p := range s.fields {
		out = append(out, FieldInfo{Key: p.key, Type: p.kind.name(), Doc: p.doc, Required: p.required, Default: p.def,
			Enum: p.enum, Min: p.min.String(), Max: p.max.String(), Nested: p.kind.nested()})
	}
	return out
}

func (k *kindSpec) nested() *Shape {
	if k.elem != nil {
		return k.elem.nested()
	}
	return k.shape
}

var formNames = map[form]string{formString: "text", formBool: "true or false", formInt: "whole number", formFloat: "number",
	formDuration: "duration", formSize: "size", formName: "name", formSecret: "secret", formAny: "any value", formStruct: "object",
	formCondition: "expression (true or false)", formBare: "expression"}

// name is what the reference calls a type.
func (k *kindSpec) name() string {
	switch k.form {
	case formList:
		return "list of " + k.elem.name()
	case formMap:
		return "map of " + k.elem.name()
	case formCustom:
		return customName(k.typ)
	}
	return formNames[k.form]
}

// Named is implemented by self-decoding types that have a name for the reference.
type Named interface{ FieldType() string }

func customName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n, ok := reflect.New(t).Interface().(Named); ok {
		return n.FieldType()
	}
	return "see text"
}

// Table is the fields as a Markdown table, and what keys have to do with each other
// below it; nested fields are written a.b.
func (s *Shape) Table() string {
	var b strings.Builder
	b.WriteString("| key | type | default | |\n|---|---|---|---|\n")
	s.rows(&b, "")
	if list := s.sentences("", nil); len(list) > 0 {
		b.WriteString("\n" + strings.Join(list, "\n") + "\n")
	}
	return b.String()
}

func (s *Shape) sentences(prefix string, list []string) []string {
	for _, r := range s.rules {
		list = append(list, r.sentence(prefix))
	}
	for _, f := range s.Fields() {
		if f.Nested != nil {
			list = f.Nested.sentences(prefix+f.Key+f.infix(), list)
		}
	}
	return list
}

func (s *Shape) rows(b *strings.Builder, prefix string) {
	for _, f := range s.Fields() {
		def := ""
		switch {
		case f.Required:
			def = "*required*"
		case f.Default != "":
			def = "`" + f.Default + "`"
		}
		typ := f.Type
		if len(f.Enum) > 0 {
			typ = "`" + strings.Join(f.Enum, "` `") + "`"
		}
		typ += f.between()
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, f.Key, typ, def, strings.ReplaceAll(f.Doc, "|", "\\|"))
		if f.Nested != nil {
			f.Nested.rows(b, prefix+f.Key+f.infix())
		}
	}
}

// between says what a value is held to; empty where it is to nothing.
func (f FieldInfo) between() string {
	switch {
	case f.Min != "" && f.Max != "":
		return ", " + f.Min + " to " + f.Max
	case f.Min != "":
		return ", from " + f.Min
	case f.Max != "":
		return ", up to " + f.Max
	}
	return ""
}

// infix is what stands between a field and the keys of its nested shape.
func (f FieldInfo) infix() string {
	switch {
	case strings.HasPrefix(f.Type, "list"):
		return "[]."
	case strings.HasPrefix(f.Type, "map"):
		return ".*."
	}
	return "."
}
