package field

import (
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"pipelined/internal/diag"
	"pipelined/internal/expression"
	"pipelined/internal/value"
)

// JSON is any value with ${{ }} inside, compiled: what is literal is JSON text
// already, and only expressions are evaluated per call. The zero JSON is a key
// that was not written.
type JSON struct {
	set      bool
	constant any // if nothing is evaluated
	exact    *expression.Template
	segments []segment
}

// segment is JSON text and then, but for the last, an expression.
type segment struct {
	text string
	expr *expression.Template
}

// FieldType names the type in the reference.
func (JSON) FieldType() string { return "any value" }

func (JSON) omittable() {}

// IsZero reports whether nothing was written.
func (j JSON) IsZero() bool { return !j.set }

// Constant returns the value if it needs no evaluation.
func (j JSON) Constant() (any, bool) {
	return j.constant, j.exact == nil && len(j.segments) == 0
}

// Eval evaluates: one that is exactly ${{ }} keeps its type, objects and lists
// become documents.
func (j *JSON) Eval(f *expression.Frame) (any, error) {
	switch {
	case j.exact != nil:
		return j.exact.Eval(f)
	case len(j.segments) == 0:
		return j.constant, nil
	}
	b, err := j.AppendJSON(make([]byte, 0, 192), f)
	if err != nil {
		return nil, err
	}
	return value.Raw(b), nil
}

// AppendJSON evaluates and appends the result as JSON.
func (j *JSON) AppendJSON(dst []byte, f *expression.Frame) ([]byte, error) {
	switch {
	case j.exact != nil:
		return j.exact.AppendJSON(dst, f)
	case len(j.segments) == 0:
		return value.Append(dst, j.constant)
	}
	var err error
	for i := range j.segments {
		s := &j.segments[i]
		dst = append(dst, s.text...)
		if s.expr == nil {
			continue
		}
		if dst, err = s.expr.AppendJSON(dst, f); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// DecodeField compiles a node of any kind.
func (j *JSON) DecodeField(c *Context, n *yaml.Node) { j.Compile(c, n, nil) }

// Compile is DecodeField, and shows each scalar with ${{ }} and what it compiled to.
func (j *JSON) Compile(c *Context, n *yaml.Node, show func(*yaml.Node, *expression.Template)) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	j.set = true
	b := &builder{c: c, show: show}
	b.node(n, 0)
	if len(b.segments) == 0 {
		j.constant = constantOf(n, b.text.String())
		return
	}
	if t := b.only(); t != nil {
		if v, ok := constant(t); ok {
			j.constant = v
			return
		}
		j.exact = t
		return
	}
	j.segments = append(b.segments, segment{text: b.text.String()})
}

// constantOf is a literal as a value: a text stays a text, everything else is
// JSON.
func constantOf(n *yaml.Node, text string) any {
	if n.Kind == yaml.ScalarNode {
		return value.Exact(value.Raw(text), value.NewPath())
	}
	return value.Raw(text)
}

// builder assembles segments.
type builder struct {
	c        *Context
	show     func(*yaml.Node, *expression.Template) // may be nil
	text     strings.Builder
	segments []segment
	nodes    int
	refused  bool // too deep or too large, and reported
}

// only returns the one template a value consists of.
func (b *builder) only() *expression.Template {
	if len(b.segments) == 1 && b.segments[0].text == "" && b.text.Len() == 0 {
		return b.segments[0].expr
	}
	return nil
}

// A literal has bounds, because aliases can make a few lines endless.
const (
	maxLiteralDepth = 100
	maxLiteralNodes = 100_000
)

func (b *builder) node(n *yaml.Node, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if b.refused {
		return
	}
	if b.nodes++; depth > maxLiteralDepth || b.nodes > maxLiteralNodes {
		b.refused = true
		why := "nested more than 100 deep"
		if depth <= maxLiteralDepth {
			why = "more than 100000 values"
		}
		b.c.Report(CodeWrongType, diag.Error, n, why, "It cannot be used.", "move it to a file")
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		b.text.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.text.WriteByte(',')
			}
			b.text.WriteString(string(value.Quote(n.Content[i].Value)))
			b.text.WriteByte(':')
			b.node(n.Content[i+1], depth+1)
		}
		b.text.WriteByte('}')
	case yaml.SequenceNode:
		b.text.WriteByte('[')
		for i, e := range n.Content {
			if i > 0 {
				b.text.WriteByte(',')
			}
			b.node(e, depth+1)
		}
		b.text.WriteByte(']')
	default:
		b.scalar(n)
	}
}

func (b *builder) scalar(n *yaml.Node) {
	if !expression.HasTemplate(n.Value) {
		b.text.WriteString(b.literal(n))
		return
	}
	if b.c.Symbols == nil {
		b.c.Report(CodeTemplate, diag.Error, n, "no ${{ }} here", "It could not be evaluated.", "write the value itself")
		return
	}
	t, err := expression.CompileTemplate(n.Value, b.c.Symbols)
	if err != nil {
		b.c.ReportExpression(n, 0, err)
		return
	}
	if b.show != nil {
		b.show(n, t)
	}
	if v, ok := t.Constant(); ok {
		b.text.WriteString(string(value.Quote(v.(string))))
		return
	}
	b.segments = append(b.segments, segment{b.text.String(), t})
	b.text.Reset()
}

// literal is a scalar as JSON. Numbers keep their text where JSON allows it.
func (b *builder) literal(n *yaml.Node) string {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return string(value.Quote(n.Value))
	}
	switch n.ShortTag() {
	case "!!null":
		return "null"
	case "!!bool":
		return strings.ToLower(n.Value)
	case "!!int", "!!float":
		if raw, err := value.ParseString(n.Value); err == nil {
			return string(raw)
		}
		b.c.Report(CodeChanged, diag.Error, n, "YAML reads "+n.Value+" as a number of another form",
			"The value would not be what stands here.", "quote it as "+strconv.Quote(n.Value)+", or write the number as JSON does")
		return "null"
	case "!!str":
		if n.Style == 0 && endless(n.Value) {
			b.c.Report(CodeRange, diag.Error, n, n.Value+" is larger than any number", "It would become a text.",
				"quote it as "+strconv.Quote(n.Value)+" if it is one, or write a smaller number")
		}
	case "!!timestamp":
		b.c.Report(CodeChanged, diag.Warning, n, "YAML reads "+n.Value+" as a date; here it is kept as the text",
			"Other programs may read the file differently.", "quote it: "+strconv.Quote(n.Value))
	}
	return string(value.Quote(n.Value))
}

// endless reports whether a text is a number in form that YAML could not take for
// one because of its size.
func endless(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err != nil && math.IsInf(f, 0)
}

// Text is a text with ${{ }} inside, compiled. The zero Text is a key that was not
// written, and evaluates to "".
type Text struct {
	set      bool
	literal  string
	template *expression.Template
}

// FieldType names the type in the reference.
func (Text) FieldType() string { return "text" }

func (Text) omittable() {}

// IsZero reports whether nothing was written.
func (t Text) IsZero() bool { return !t.set }

// Literal returns the text if it needs no evaluation.
func (t Text) Literal() (string, bool) { return t.literal, t.template == nil }

// Eval evaluates the text; null becomes "".
func (t Text) Eval(f *expression.Frame) (string, error) {
	if t.template == nil {
		return t.literal, nil
	}
	v, err := t.template.Eval(f)
	if err != nil {
		return "", err
	}
	return value.Text(v)
}

// DecodeField compiles a scalar.
func (t *Text) DecodeField(c *Context, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	t.set = true
	if n.Kind != yaml.ScalarNode {
		c.Report(CodeWrongType, diag.Error, n, "a text is needed here, not "+describe(n), "It cannot be used.", "write a text; ${{ toJSON(…) }} makes one of a document")
		return
	}
	if !expression.HasTemplate(n.Value) {
		if why := changed(n); why != "" {
			c.Report(CodeChanged, diag.Error, n, "YAML reads "+n.Value+" as "+why, "The text would not be what stands here.", "quote it: "+strconv.Quote(n.Value))
		}
		t.literal = n.Value
		return
	}
	if c.Symbols == nil {
		c.Report(CodeTemplate, diag.Error, n, "no ${{ }} here", "It could not be evaluated.", "write the value itself")
		return
	}
	p, err := expression.CompileTemplate(n.Value, c.Symbols)
	if err != nil {
		c.ReportExpression(n, 0, err)
		return
	}
	v, ok := constant(p)
	if !ok {
		t.template = p
		return
	}
	s, e := value.Text(v)
	if e != nil {
		c.Report(CodeWrongType, diag.Error, n, "a text is needed here, not "+value.Describe(v), "It cannot be used.", "correct the expression, or write the text itself")
	}
	t.literal = s
}

// Assignments are names and their values, in the order written.
type Assignments struct{ items []Assignment }

// Assignment is one of them.
type Assignment struct {
	Name    string
	KeyNode *yaml.Node
	Value   JSON
}

// FieldType names the type in the reference.
func (Assignments) FieldType() string { return "map of name to any value" }

// Items lists them.
func (a Assignments) Items() []Assignment { return a.items }

// DecodeField compiles a mapping.
func (a *Assignments) DecodeField(c *Context, n *yaml.Node) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		c.Report(CodeWrongType, diag.Error, n, "names and values are needed here, not "+describe(n), "Nothing would be assigned.", "write one line `name: value` for each")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if !checkName(c, k) {
			continue
		}
		item := Assignment{Name: k.Value, KeyNode: k}
		item.Value.DecodeField(c, n.Content[i+1])
		a.items = append(a.items, item)
	}
}
