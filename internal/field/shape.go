package field

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/unit"
)

// Shape is what Of learned from a struct. It is immutable.
type Shape struct {
	typ    reflect.Type
	fields []*spec
	byKey  map[string]*spec
	rules  []*rule
}

// spec is one field.
type spec struct {
	key, doc   string
	def        string
	hasDefault bool
	required   bool
	enum       []string
	min, max   *limit
	index      []int
	kind       *kindSpec
}

// limit is an end of a range: a number, a duration or a size, by the field's type.
type limit struct {
	value float64 // nanoseconds of a duration, bytes of a size
	text  string
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

	omittable    bool // nothing behind the key is the same as no key
	takesNothing bool // nothing behind the key is a value
}

var (
	durationType  = reflect.TypeFor[time.Duration]()
	sizeType      = reflect.TypeFor[Size]()
	nameType      = reflect.TypeFor[Name]()
	secretType    = reflect.TypeFor[pipelined.Secret]()
	conditionType = reflect.TypeFor[expression.Condition]()
	bareType      = reflect.TypeFor[expression.Bare]()
	decoderType   = reflect.TypeFor[Decoder]()
	omittableType = reflect.TypeFor[interface{ omittable() }]()
	nothingType   = reflect.TypeFor[NothingTaker]()
)

// Of builds the shape of a struct type. A declaration that breaks the rules of
// the package panics.
func Of[T any]() *Shape {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("field: %s is not a struct", t))
	}
	return shapeOf(t, nil)
}

// shapeOf builds the shape of a struct that stands in the fields of others, outer.
func shapeOf(t reflect.Type, outer []reflect.Type) *Shape {
	s := &Shape{typ: t, byKey: map[string]*spec{}}
	var blank []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Name == "_":
			blank = append(blank, f)
			continue
		case f.Anonymous && f.Tag == "" && f.Type.Kind() == reflect.Struct:
			s.embed(shapeOf(f.Type, append(slices.Clone(outer), t)), i)
			continue
		}
		if !f.IsExported() {
			if f.Tag != "" {
				panic(fmt.Sprintf("field: %s.%s has a tag, and is not exported", t, f.Name))
			}
			continue
		}
		key, ok := f.Tag.Lookup("yaml")
		if !ok || key == "" || f.Tag.Get("doc") == "" {
			panic(fmt.Sprintf("field: %s.%s needs a yaml and a doc tag", t, f.Name))
		}
		s.add(newSpec(t, f, key, i, append(slices.Clone(outer), t)))
	}
	for _, f := range blank {
		s.rules = append(s.rules, s.newRule(f))
	}
	return s
}

func (s *Shape) add(p *spec) {
	if s.byKey[p.key] != nil {
		panic(fmt.Sprintf("field: %s has the key %s twice", s.typ, p.key))
	}
	s.fields, s.byKey[p.key] = append(s.fields, p), p
}

// embed takes over the keys of an embedded struct, the ith field, as if they were written
// where it stands.
func (s *Shape) embed(inner *Shape, i int) {
	for _, f := range inner.fields {
		p := *f
		p.index = append([]int{i}, f.index...)
		s.add(&p)
	}
	s.rules = append(s.rules, inner.rules...)
}

func newSpec(t reflect.Type, f reflect.StructField, key string, i int, outer []reflect.Type) *spec {
	checkTags(t, f, fieldTags)
	p := &spec{key: key, doc: f.Tag.Get("doc"), index: []int{i}}
	p.def, p.hasDefault = f.Tag.Lookup("default")
	_, p.required = f.Tag.Lookup("required")
	var why string
	if p.kind, why = kindOf(f.Type, outer); p.kind == nil {
		panic(fmt.Sprintf("field: %s.%s %s", t, f.Name, why))
	}
	if e, ok := f.Tag.Lookup("enum"); ok {
		if p.enum = strings.Split(e, ","); p.kind.leaf().form != formString {
			panic(fmt.Sprintf("field: %s.%s: enum is for texts", t, f.Name))
		}
	}
	p.min, p.max = bound(t, f, p.kind, "min"), bound(t, f, p.kind, "max")
	p.checkDefault(t, f)
	return p
}

// fieldTags are all that a field may have.
var fieldTags = []string{"yaml", "doc", "required", "default", "enum", "min", "max"}

// tagPattern is one pair of a tag as package reflect reads it.
var tagPattern = regexp.MustCompile(`^ *([^ ":]+):"((?:[^"\\]|\\.)*)"`)

// keyPattern is how a key is written; a step's own begins with its connector.
var keyPattern = regexp.MustCompile(`^[a-z][a-z0-9_.]*$`)

// checkTags panics on a tag that would be ignored.
func checkTags(t reflect.Type, f reflect.StructField, tags []string) {
	rest := string(f.Tag)
	var seen []string
	for strings.TrimSpace(rest) != "" {
		m := tagPattern.FindStringSubmatch(rest)
		switch {
		case m == nil:
			panic(fmt.Sprintf("field: %s.%s: the tag is broken at %s", t, f.Name, rest))
		case !slices.Contains(tags, m[1]):
			panic(fmt.Sprintf("field: %s.%s: there is no tag %s", t, f.Name, m[1]))
		case slices.Contains(seen, m[1]):
			panic(fmt.Sprintf("field: %s.%s has the tag %s twice", t, f.Name, m[1]))
		case m[1] == "required" && m[2] != "":
			panic(fmt.Sprintf("field: %s.%s: required takes no value", t, f.Name))
		case m[1] == "yaml" && !keyPattern.MatchString(m[2]):
			panic(fmt.Sprintf("field: %s.%s: %q is not a key", t, f.Name, m[2]))
		}
		seen, rest = append(seen, m[1]), rest[len(m[0]):]
	}
}

// checkDefault panics on a default that an author could not write.
func (p *spec) checkDefault(t reflect.Type, f reflect.StructField) {
	switch {
	case p.min != nil && p.max != nil && p.min.value > p.max.value:
		panic(fmt.Sprintf("field: %s.%s: min is above max", t, f.Name))
	case !p.hasDefault:
		return
	case p.required:
		panic(fmt.Sprintf("field: %s.%s is required, and has a default", t, f.Name))
	}
	d := &decoding{Context: &Context{Diags: &diag.List{}}, load: true}
	d.absent(p, nil, reflect.New(f.Type).Elem())
	if found := d.Diags.All(); len(found) > 0 {
		panic(fmt.Sprintf("field: %s.%s: the default %q cannot be used: %s", t, f.Name, p.def, found[0].Summary))
	}
}

// bound reads a limit, in the form of what it limits.
func bound(t reflect.Type, f reflect.StructField, k *kindSpec, tag string) *limit {
	text, ok := f.Tag.Lookup(tag)
	if !ok {
		return nil
	}
	var n float64
	var err error
	switch k.leaf().form {
	case formInt, formFloat:
		n, err = strconv.ParseFloat(text, 64)
	case formDuration:
		var d time.Duration
		d, err = unit.Duration(text)
		n = float64(d)
	case formSize:
		var size int64
		size, err = unit.Size(text)
		n = float64(size)
	default:
		err = fmt.Errorf("%s has no range", k.name())
	}
	if err != nil {
		panic(fmt.Sprintf("field: %s.%s: %s: %v", t, f.Name, tag, err))
	}
	return &limit{n, text}
}

// String is the limit as declared; empty where there is none.
func (l *limit) String() string {
	if l == nil {
		return ""
	}
	return l.text
}

// leaf is the type of what is in a list or map, through all of them.
func (k *kindSpec) leaf() *kindSpec {
	for k.elem != nil {
		k = k.elem
	}
	return k
}

// kindOf returns how a type is written, or why it cannot be. outer are the types it
// stands in.
func kindOf(t reflect.Type, outer []reflect.Type) (*kindSpec, string) {
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
		k.form, k.omittable, k.takesNothing = formCustom, t.Implements(omittableType), t.Implements(nothingType)
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
	case slices.Contains(outer, t) || t.Kind() == reflect.Pointer && slices.Contains(outer, t.Elem()):
		return nil, fmt.Sprintf("makes %s a part of itself, which needs a type that decodes itself", t)
	default:
		return k.composed(t, append(slices.Clone(outer), t))
	}
	return k, ""
}

// composed fills in a type that is made of others.
func (k *kindSpec) composed(t reflect.Type, outer []reflect.Type) (*kindSpec, string) {
	switch {
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		k.form = formList
		if t.Kind() == reflect.Map {
			k.form = formMap
		}
		var why string
		if k.elem, why = kindOf(t.Elem(), outer); k.elem == nil {
			return nil, why
		}
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		k.form, k.ptr, k.shape = formStruct, true, shapeOf(t.Elem(), outer)
	case t.Kind() == reflect.Struct:
		k.form, k.shape = formStruct, shapeOf(t, outer)
	default:
		return nil, fmt.Sprintf("has a type that cannot be written in YAML: %s", t)
	}
	return k, ""
}

// Decoder is implemented by pointer receivers of types that decode themselves.
// Findings go to c.Diags; a value with findings is never run.
type Decoder interface {
	DecodeField(c *Context, n *yaml.Node)
}

// NothingTaker is implemented by Decoders for which a key with nothing behind it is
// complete, such as `stop:`.
type NothingTaker interface{ TakesNothing() }
