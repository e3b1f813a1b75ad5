package field

import (
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/expression"
)

// Pair is one key of a mapping.
type Pair struct {
	Key            string
	KeyNode, Value *yaml.Node
}

// Binding is a decoded struct whose expressions are evaluated per call. It is
// immutable.
type Binding struct {
	typ     reflect.Type
	base    reflect.Value
	dynamic []setter
}

// setter fills one field of a struct.
type setter struct {
	index []int
	key   string
	bind  binder
}

// binder fills a value from the scope of a call; nil means that the value is
// constant and in place already.
type binder func(f *expression.Frame, dst reflect.Value) error

// decoding is one decode on its way.
type decoding struct {
	*Context
	load bool // values must be known now
}

// Decode decodes parameters that are bound per call. n may be nil: everything is
// then at its default. It returns nil after reporting an error.
func (s *Shape) Decode(c *Context, n *yaml.Node) *Binding {
	before := c.Diags.Len()
	d := &decoding{Context: c}
	base := reflect.New(s.typ).Elem()
	at := n
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		at = c.Node
	}
	b := &Binding{typ: s.typ, base: base, dynamic: d.structure(s, at, mapping(c, s, n), base)}
	if c.Diags.ErrorsSince(before) {
		return nil
	}
	return b
}

// Literals fills dst, a pointer to the struct the Shape describes, with what needs no
// expression.
func (b *Binding) Literals(dst any) { reflect.ValueOf(dst).Elem().Set(b.base) }

// Bind fills dst, a pointer to the struct, for one call.
func (b *Binding) Bind(f *expression.Frame, dst any) error {
	v := reflect.ValueOf(dst).Elem()
	v.Set(b.base)
	return problem(apply(b.dynamic, f, v))
}

func apply(setters []setter, f *expression.Frame, v reflect.Value) error {
	for i := range setters {
		s := &setters[i]
		if err := s.bind(f, v.FieldByIndex(s.index)); err != nil {
			return placed(s.key, err)
		}
	}
	return nil
}

// DecodeInto decodes a mapping whose values must be known now, into dst, a
// pointer to the struct. It reports whether there was no error.
func (s *Shape) DecodeInto(c *Context, n *yaml.Node, dst any) bool {
	at := n
	if at == nil {
		at = c.Node
	}
	return s.DecodePairs(c, at, mapping(c, s, n), dst)
}

// DecodePairs is DecodeInto for some keys of a mapping; at is where a missing key
// is reported.
func (s *Shape) DecodePairs(c *Context, at *yaml.Node, pairs []Pair, dst any) bool {
	before := c.Diags.Len()
	d := &decoding{Context: c, load: true}
	v := reflect.ValueOf(dst).Elem()
	setters := d.structure(s, at, pairs, v)
	if c.Diags.ErrorsSince(before) {
		return false
	}
	for i := range setters {
		st := &setters[i]
		if err := st.bind(c.LoadFrame, v.FieldByIndex(st.index)); err != nil {
			p := pipelined.AsProblem(problem(placed(st.key, err)))
			c.Report(CodeLoad, diag.Error, valueOf(pairs, st.key, at), p.Detail, "The project cannot start.", "correct the value")
			return false
		}
	}
	return true
}

func valueOf(pairs []Pair, key string, at *yaml.Node) *yaml.Node {
	for _, p := range pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return at
}

// mapping takes a node apart; anything but a mapping is reported.
func mapping(c *Context, s *Shape, n *yaml.Node) []Pair {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n == nil, n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil
	case n.Kind != yaml.MappingNode:
		var keys []string
		for _, p := range s.fields {
			keys = append(keys, p.key)
		}
		c.Report(CodeWrongType, diag.Error, n, "keys and values are needed here, not "+describe(n), "It cannot be used.",
			"the keys are: "+strings.Join(keys, ", "))
		return nil
	}
	var out []Pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, Pair{n.Content[i].Value, n.Content[i], n.Content[i+1]})
	}
	return out
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "keys and values"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "a text"
}

// structure decodes the fields of a struct and returns what to bind per call.
func (d *decoding) structure(s *Shape, at *yaml.Node, pairs []Pair, dst reflect.Value) []setter {
	before, beside := d.Diags.Len(), d.Beside
	d = &decoding{Context: d.at(at), load: d.load}
	if at != nil && at.Kind != yaml.MappingNode && d.Context.Node == nil {
		d.Context.Node = at
	}
	given := map[string]Pair{}
	for _, p := range pairs {
		if s.byKey[p.Key] == nil {
			d.unknown(s, p)
			continue
		}
		given[p.Key] = p
	}
	var out []setter
	for _, f := range s.fields {
		p, ok := given[f.key]
		empty := ok && f.empty(p.Value)
		if empty && f.required {
			d.Report(CodeMissing, diag.Error, p.KeyNode, "the key "+f.key+" has no value", "It cannot run without it.",
				"write it behind `"+f.key+":` ("+f.doc+")")
			continue
		}
		omitted := empty && f.kind.defaults()
		if omitted && p.Value.Value == "" {
			d.Report(CodeEmpty, diag.Warning, p.KeyNode, "the key "+f.key+" has no value", "It is as if it was not written.",
				"write it behind `"+f.key+":` ("+f.doc+"), or remove the key")
		}
		if !ok || omitted {
			d.absent(f, at, dst.FieldByIndex(f.index))
			continue
		}
		if b := d.value(f, f.kind, p.Value, dst.FieldByIndex(f.index)); b != nil {
			out = append(out, setter{f.index, f.key, b})
		}
	}
	for _, r := range s.rules {
		r.check(d, s, at, pairs, beside)
	}
	if c, ok := dst.Addr().Interface().(Checker); ok && !d.Diags.ErrorsSince(before) {
		c.CheckFields(d.Context)
	}
	return out
}

// empty reports whether nothing stands behind a key that takes something. Where any value may stand,
// null is one if it is written out.
func (f *spec) empty(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return !f.kind.takesNothing && isNull(n) && (n.Value == "" || f.kind.form != formAny && f.kind.form != formCustom)
}

// defaults reports whether a key with nothing behind it is the default. The other
// types see for themselves what an empty value means.
func (k *kindSpec) defaults() bool {
	return k.omittable || k.form != formCustom && k.form != formAny && k.form != formStruct
}

// isNull is true for nothing, ~ and null where YAML reads them so.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func (d *decoding) unknown(s *Shape, p Pair) {
	var keys []string
	for _, f := range s.fields {
		keys = append(keys, f.key)
	}
	fix := "the keys are: " + strings.Join(keys, ", ")
	dg := diag.Diagnostic{Code: CodeUnknownKey, Severity: diag.Error, Range: d.Range(p.KeyNode),
		Summary: "there is no key " + p.Key + " here", Consequence: "It would be ignored."}
	if near := diag.Suggest(p.Key, keys); near != "" {
		fix = "did you mean " + near + "?"
		dg.Edit = &diag.Edit{Range: dg.Range, NewText: near}
	}
	dg.Fix = fix
	d.Diags.Add(dg)
}

// absent fills in a default, or reports what is missing.
func (d *decoding) absent(f *spec, at *yaml.Node, dst reflect.Value) {
	switch {
	case f.required:
		d.Report(CodeMissing, diag.Error, at, "the key "+f.key+" is missing", "It cannot run without it.", "add `"+f.key+":` ("+f.doc+")")
	case f.hasDefault:
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: f.def, Line: line(at), Column: col(at)}
		if err := yaml.Unmarshal([]byte(f.def), &yaml.Node{}); err == nil {
			n.Tag = n.ShortTag()
		}
		if f.kind.form == formString {
			n.Tag = "!!str"
		}
		d.value(f, f.kind, n, dst)
	case f.kind.form == formStruct && !f.kind.ptr:
		d.structure(f.kind.shape, at, nil, dst) // its own defaults
	}
}

func line(n *yaml.Node) int {
	if n == nil {
		return 0
	}
	return n.Line
}

func col(n *yaml.Node) int {
	if n == nil {
		return 0
	}
	return n.Column
}

// value decodes one value: into dst now, or as what is bound per call.
func (d *decoding) value(f *spec, k *kindSpec, n *yaml.Node, dst reflect.Value) binder {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch k.form {
	case formCustom:
		target := dst
		if k.ptr {
			dst.Set(reflect.New(k.typ.Elem()))
			target = dst.Elem()
		}
		target.Addr().Interface().(Decoder).DecodeField(d.Context, n)
		return nil
	case formCondition:
		cond := Condition(d.Context, n)
		dst.Set(reflect.ValueOf(cond))
		return nil
	case formBare:
		expr := bare(d.Context, n)
		dst.Set(reflect.ValueOf(expr))
		return nil
	case formAny:
		return d.any(n, dst)
	case formStruct:
		return d.nested(k, n, dst)
	}
	if n.Kind == yaml.ScalarNode && expression.HasTemplate(n.Value) {
		return d.template(f, k, n, dst)
	}
	switch k.form {
	case formList:
		return d.list(f, k, n, dst)
	case formMap:
		return d.entries(f, k, n, dst)
	}
	d.scalar(f, k, n, dst)
	return nil
}

func (d *decoding) nested(k *kindSpec, n *yaml.Node, dst reflect.Value) binder {
	target := dst
	if k.ptr {
		target = reflect.New(k.typ.Elem()).Elem()
	}
	before := d.Diags.Len()
	pairs := mapping(d.Context, k.shape, n)
	if d.Diags.ErrorsSince(before) {
		return nil
	}
	setters := d.structure(k.shape, n, pairs, target)
	if k.ptr {
		dst.Set(target.Addr())
	}
	if len(setters) == 0 {
		return nil
	}
	base := reflect.New(target.Type()).Elem()
	base.Set(target)
	return func(f *expression.Frame, dst reflect.Value) error {
		if k.ptr {
			fresh := reflect.New(k.typ.Elem())
			fresh.Elem().Set(base)
			dst.Set(fresh)
			return apply(setters, f, fresh.Elem())
		}
		return apply(setters, f, dst)
	}
}

// template compiles a scalar with ${{ }} in it.
func (d *decoding) template(f *spec, k *kindSpec, n *yaml.Node, dst reflect.Value) binder {
	if d.load && d.LoadFrame == nil {
		d.Report(CodeTemplate, diag.Error, n, "no ${{ }} here: this value must be known before anything runs",
			"It could not be checked, or prepared.", "write the value itself")
		return nil
	}
	t, err := expression.CompileTemplate(n.Value, d.Symbols)
	if err != nil {
		d.ReportExpression(n, 0, err)
		return nil
	}
	if v, ok := constant(t); ok {
		d.fixed(f, k, n, v, dst)
		return nil
	}
	return func(fr *expression.Frame, dst reflect.Value) error {
		v, err := t.Eval(fr)
		if err != nil {
			return err
		}
		return assign(f, k, v, dst)
	}
}

// constant is the value of a template that depends on nothing.
func constant(t *expression.Template) (any, bool) {
	if p := t.Exact(); p != nil {
		return p.Constant()
	}
	return t.Constant()
}

// fixed takes the value of an expression that is the same for every call.
func (d *decoding) fixed(f *spec, k *kindSpec, n *yaml.Node, v any, dst reflect.Value) {
	err := assign(f, k, v, dst)
	if e, ok := err.(*unfit); ok {
		d.Report(e.code, diag.Error, n, placed(f.key, e).Error(), "It cannot be used.", "correct the expression, or write the value itself")
	}
}

func (d *decoding) any(n *yaml.Node, dst reflect.Value) binder {
	var j JSON
	j.DecodeField(d.Context, n)
	if j.IsZero() {
		return nil
	}
	if v, ok := j.Constant(); ok {
		if v != nil {
			dst.Set(reflect.ValueOf(v))
		}
		return nil
	}
	return func(f *expression.Frame, dst reflect.Value) error {
		v, err := j.Eval(f)
		if err == nil && v != nil {
			dst.Set(reflect.ValueOf(v))
		}
		return err
	}
}

func (d *decoding) list(f *spec, k *kindSpec, n *yaml.Node, dst reflect.Value) binder {
	if n.Kind != yaml.SequenceNode {
		d.Report(CodeWrongType, diag.Error, n, "a list is needed here, not "+describe(n), "It cannot be used.", "write [ … ], or one line with `- ` for each")
		return nil
	}
	base := reflect.MakeSlice(k.typ, len(n.Content), len(n.Content))
	binders := make([]binder, len(n.Content))
	some := false
	for i, e := range n.Content {
		binders[i] = d.value(f, k.elem, e, base.Index(i))
		some = some || binders[i] != nil
	}
	dst.Set(base)
	if !some {
		return nil
	}
	return func(fr *expression.Frame, dst reflect.Value) error {
		list := reflect.MakeSlice(k.typ, base.Len(), base.Len())
		reflect.Copy(list, base)
		for i, b := range binders {
			if b == nil {
				continue
			}
			if err := b(fr, list.Index(i)); err != nil {
				return placed(fmt.Sprint(i), err)
			}
		}
		dst.Set(list)
		return nil
	}
}

func (d *decoding) entries(f *spec, k *kindSpec, n *yaml.Node, dst reflect.Value) binder {
	if n.Kind != yaml.MappingNode {
		d.Report(CodeWrongType, diag.Error, n, "keys and values are needed here, not "+describe(n), "It cannot be used.", "write one line `key: value` for each")
		return nil
	}
	base := reflect.MakeMap(k.typ)
	type entry struct {
		key  reflect.Value
		bind binder
	}
	var dynamic []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := reflect.ValueOf(n.Content[i].Value).Convert(k.typ.Key())
		v := reflect.New(k.typ.Elem()).Elem()
		if b := d.value(f, k.elem, n.Content[i+1], v); b != nil {
			dynamic = append(dynamic, entry{key, b})
			continue
		}
		base.SetMapIndex(key, v)
	}
	dst.Set(base)
	if len(dynamic) == 0 {
		return nil
	}
	return func(fr *expression.Frame, dst reflect.Value) error {
		m := reflect.MakeMapWithSize(k.typ, base.Len()+len(dynamic))
		for it := base.MapRange(); it.Next(); {
			m.SetMapIndex(it.Key(), it.Value())
		}
		for _, e := range dynamic {
			v := reflect.New(k.typ.Elem()).Elem()
			if err := e.bind(fr, v); err != nil {
				return placed(e.key.String(), err)
			}
			m.SetMapIndex(e.key, v)
		}
		dst.Set(m)
		return nil
	}
}
