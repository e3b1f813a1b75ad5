package field

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
)

// Blank fields of these types say what keys of a struct have to do with each other:
//
//	_ field.AtMostOne  `keys:"body,form,text"`
//	_ field.ExactlyOne `keys:"basic,bearer"`
//	_ field.Together   `keys:"cert_file,key_file"`
//
// What counts is that a key is written with a value, whatever an expression makes of
// it later. The tag beside names keys of the same mapping that are not the struct's
// own, as Context.Beside gives them.
type (
	AtMostOne  struct{} // they exclude each other
	ExactlyOne struct{} // they exclude each other, and one is needed
	Together   struct{} // one needs the others
)

// Checker is implemented by pointers to structs that have more to say about their
// values at lint than tags can. It is called once the struct is decoded without an
// error; what an expression gives per call is still zero then.
type Checker interface {
	CheckFields(c *Context)
}

// rule is one of the blank fields.
type rule struct {
	typ  reflect.Type
	keys []string // with those beside at the end
}

var (
	atMostOneType  = reflect.TypeFor[AtMostOne]()
	exactlyOneType = reflect.TypeFor[ExactlyOne]()
	togetherType   = reflect.TypeFor[Together]()
)

// newRule reads a blank field. A rule about keys that the struct does not have
// panics.
func (s *Shape) newRule(f reflect.StructField) *rule {
	name := f.Type.Name()
	if !slices.Contains([]reflect.Type{atMostOneType, exactlyOneType, togetherType}, f.Type) {
		panic(fmt.Sprintf("field: %s: a blank field is AtMostOne, ExactlyOne or Together, not %s", s.typ, f.Type))
	}
	checkTags(s.typ, f, []string{"keys", "beside"})
	r := &rule{typ: f.Type, keys: strings.Split(f.Tag.Get("keys"), ",")}
	for _, key := range r.keys {
		if s.byKey[key] == nil {
			panic(fmt.Sprintf("field: %s: %s names %q, which is not a key", s.typ, name, key))
		}
	}
	if beside := f.Tag.Get("beside"); beside != "" {
		if r.typ == togetherType {
			panic(fmt.Sprintf("field: %s: Together is for keys of its own", s.typ))
		}
		r.keys = append(r.keys, strings.Split(beside, ",")...)
	}
	if len(r.keys) < 2 {
		panic(fmt.Sprintf("field: %s: %s needs two keys", s.typ, name))
	}
	return r
}

// check reports keys that break the rule. pairs are what is written, in its order;
// at is where a missing key is reported.
func (r *rule) check(d *decoding, s *Shape, at *yaml.Node, pairs []Pair, beside []string) {
	var given []Pair
	for _, p := range pairs {
		if f := s.byKey[p.Key]; f != nil && slices.Contains(r.keys, p.Key) && !f.empty(p.Value) {
			given = append(given, p)
		}
	}
	if r.typ == togetherType {
		r.together(d, s, given)
		return
	}
	var first string
	for _, key := range beside {
		if slices.Contains(r.keys, key) {
			first = key
		}
	}
	if first == "" && len(given) > 0 {
		first, given = given[0].Key, given[1:]
	}
	for _, p := range given {
		d.Report(CodeExclusive, diag.Error, p.KeyNode, first+" and "+p.Key+" exclude each other", "It would not be clear which of them counts.", "remove one of them")
	}
	if first == "" && r.typ == exactlyOneType {
		d.Report(CodeMissing, diag.Error, at, "one of the keys "+words(r.keys, "or")+" is missing", "It cannot run without it.", "add one of them")
	}
}

func (r *rule) together(d *decoding, s *Shape, given []Pair) {
	if len(given) == 0 {
		return
	}
	for _, key := range r.keys {
		if !slices.ContainsFunc(given, func(p Pair) bool { return p.Key == key }) {
			d.Report(CodeMissing, diag.Error, given[0].KeyNode, given[0].Key+" needs "+key+" too", "It cannot run without it.",
				"add `"+key+":` ("+s.byKey[key].doc+")")
		}
	}
}

// words joins keys as a sentence has them.
func words(keys []string, last string) string {
	n := len(keys) - 1
	return strings.Join(keys[:n], ", ") + " " + last + " " + keys[n]
}

// sentence is the rule for the reference.
func (r *rule) sentence(prefix string) string {
	var keys []string
	for _, key := range r.keys {
		keys = append(keys, "`"+prefix+key+"`")
	}
	switch r.typ {
	case togetherType:
		return words(keys, "and") + " go together."
	case exactlyOneType:
		return "Exactly one of " + words(keys, "and") + " is needed."
	}
	if len(keys) == 2 {
		return words(keys, "and") + " exclude each other."
	}
	return "At most one of " + words(keys, "and") + "."
}

// schema puts the rule into an object's JSON schema, without alternatives: what a
// key that is there says of the others.
func (r *rule) schema(dependencies map[string]any) {
	for _, key := range r.keys {
		var others []string
		for _, other := range r.keys {
			if other != key {
				others = append(others, other)
			}
		}
		dep, _ := dependencies[key].(map[string]any)
		if dep == nil {
			dep = map[string]any{}
			dependencies[key] = dep
		}
		if r.typ == togetherType {
			before, _ := dep["required"].([]string)
			dep["required"] = append(before, others...)
			continue
		}
		forbidden, _ := dep["properties"].(map[string]any)
		if forbidden == nil {
			forbidden = map[string]any{}
			dep["properties"] = forbidden
		}
		for _, other := range others {
			forbidden[other] = false
		}
	}
}
