package field

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/internal/expression"
)

// Shape is what Of learned from a struct. It is immutable.
type Shape struct {
	typ    reflect.Type
	fields []*spec
	byKey  map[string]*spec
}

// spec is one field.
type spec struct {
	key, doc, since string
	def             string
	hasDefault      bool
	required        bool
	enum            []string
	min, max        *float64
	index           int
	kind            *kindSpec
}

// form is how a type is written in YAML.
type form int

const (
	formString form = iota
	formBool
	formInt
	formFloat
	formDuration
	formSize
	formName
	formSecret
	formAny
	formList
	formMap
	formStruct
	formCondition
	formBare
	formCustom
)

// kindSpec is a type.
type kindSpec struct {
	form  form
	typ   reflect.Type
	elem  *kindSpec // of a list or map
	shape *Shape    // of a struct
	ptr   bool
}

var (
	durationType  = reflect.TypeFor[time.Duration]()
	sizeType      = reflect.TypeFor[Size]()
	nameType      = reflect.TypeFor[Name]()
	secretType    = reflect.TypeFor[pipelined.Secret]()
	conditionType = reflect.TypeFor[expression.Condition]()
	bareType      = reflect.TypeFor[expression.Bare]()
	decoderType   = reflect.TypeFor[Decoder]()
)

// Of builds the shape of a struct type. A declaration that breaks the rules of
// the package panics.
func Of[T any]() *Shape { return shapeOf(reflect.TypeFor[T]()) }

func shapeOf(t reflect.Type) *Shape {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("field: %s is not a struct", t))
	}
	s := &Shape{typ: t, byKey: map[string]*spec{}}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		key, ok := f.Tag.Lookup("yaml")
		if !ok || key == "" || f.Tag.Get("doc") == "" {
			panic(fmt.Sprintf("field: %s.%s needs a yaml and a doc tag", t, f.Name))
		}
		p := newSpec(t, f, key, i)
		if s.byKey[key] != nil {
			panic(fmt.Sprintf("field: %s has the key %s twice", t, key))
		}
		s.fields, s.byKey[key] = append(s.fields, p), p
	}
	return s
}

func newSpec(t reflect.Type, f reflect.StructField, key string, i int) *spec {
	p := &spec{key: key, doc: f.Tag.Get("doc"), since: f.Tag.Get("since"), index: i}
	p.def, p.hasDefault = f.Tag.Lookup("default")
	_, p.required = f.Tag.Lookup("required")
	if e := f.Tag.Get("enum"); e != "" {
		p.enum = strings.Split(e, ",")
	}
	p.min, p.max = bound(t, f, "min"), bound(t, f, "max")
	p.kind = kindOf(f.Type)
	if p.kind == nil {
		panic(fmt.Sprintf("field: %s.%s has a type that cannot be written in YAML: %s", t, f.Name, f.Type))
	}
	return p
}

func bound(t reflect.Type, f reflect.StructField, tag string) *float64 {
	text, ok := f.Tag.Lookup(tag)
	if !ok {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("field: %s.%s: %s is not a number", t, f.Name, tag))
	}
	return &n
}

// kindOf returns how a type is written; nil if it cannot be.
func kindOf(t reflect.Type) *kindSpec {
	k := &kindSpec{typ: t}
	switch {
	case t == durationType:
		k.form = formDuration
	case t == sizeType:
		k.form = formSize
	case t == nameType:
		k.form = formName
	case t == secretType:
		k.form = formSecret
	case t == conditionType:
		k.form = formCondition
	case t == bareType:
		k.form = formBare
	case reflect.PointerTo(t).Implements(decoderType):
		k.form = formCustom
	case t.Kind() == reflect.Pointer && t.Implements(decoderType):
		k.form, k.ptr = formCustom, true
	case t.Kind() == reflect.String:
		k.form = formString
	case t.Kind() == reflect.Bool:
		k.form = formBool
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		k.form = formInt
	case t.Kind() == reflect.Float64:
		k.form = formFloat
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		k.form = formAny
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		k.form = formList
		if t.Kind() == reflect.Map {
			k.form = formMap
		}
		if k.elem = kindOf(t.Elem()); k.elem == nil {
			return nil
		}
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		k.form, k.ptr, k.shape = formStruct, true, shapeOf(t.Elem())
	case t.Kind() == reflect.Struct:
		k.form, k.shape = formStruct, shapeOf(t)
	default:
		return nil
	}
	return k
}

// FieldInfo describes a field to people and programs.
type FieldInfo struct {
	Key      string
	Type     string // as the reference calls it
	Doc      string
	Required bool
	Default  string
	Enum     []string
	Min, Max *float64
	Since    string
	Nested   *Shape // of a struct, or of the elements of a list or map of structs
}

// Fields lists the fields in the order of the declaration.
func (s *Shape) Fields() []FieldInfo {
	var out []FieldInfo
	for _, p := range s.fields {
		out = append(out, FieldInfo{Key: p.key, Type: p.kind.name(), Doc: p.doc, Required: p.required, Default: p.def,
			Enum: p.enum, Min: p.min, Max: p.max, Since: p.since, Nested: p.kind.nested()})
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

// Table is the fields as a Markdown table; nested fields are written a.b.
func (s *Shape) Table() string {
	var b strings.Builder
	b.WriteString("| key | type | default | |\n|---|---|---|---|\n")
	s.rows(&b, "")
	return b.String()
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
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, f.Key, typ, def, strings.ReplaceAll(f.Doc, "|", "\\|"))
		if f.Nested != nil && f.Nested != s {
			infix := "."
			if strings.HasPrefix(f.Type, "list") {
				infix = "[]."
			} else if strings.HasPrefix(f.Type, "map") {
				infix = ".*."
			}
			f.Nested.rows(b, prefix+f.Key+infix)
		}
	}
}

// Decoder is implemented by pointer receivers of types that decode themselves.
// Findings go to c.Diags; a value with findings is never run.
type Decoder interface {
	DecodeField(c *Context, n *yaml.Node)
}
