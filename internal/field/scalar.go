package field

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"pipelined"
	"pipelined/internal/diag"
	"pipelined/internal/position"
	"pipelined/internal/unit"
	"pipelined/internal/value"
)

// scalar decodes a literal.
func (d *decoding) scalar(f *spec, k *kindSpec, n *yaml.Node, dst reflect.Value) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.wrong(k, n)
		return
	}
	switch k.form {
	case formBool, formInt, formFloat:
		if quoted(n) {
			d.quoted(k, n)
			return
		}
	}
	switch k.form {
	case formString:
		d.text(f, n, dst)
	case formName:
		if checkName(d.Context, n) {
			dst.SetString(n.Value)
		}
	case formSecret:
		dst.Set(reflect.ValueOf(pipelined.NewSecret(n.Value)))
	case formBool:
		switch n.Value {
		case "true", "false":
			dst.SetBool(n.Value == "true")
		case "yes", "no", "on", "off", "Yes", "No", "On", "Off":
			d.Report(CodeBooleanWord, diag.Error, n, n.Value+" is a word here, not true or false", "It would be a text.", "write true or false")
		default:
			d.wrong(k, n)
		}
	default:
		d.number(f, k, n, dst)
	}
}

// number decodes what has a range: numbers, durations and sizes.
func (d *decoding) number(f *spec, k *kindSpec, n *yaml.Node, dst reflect.Value) {
	var whole int64
	var err error
	switch k.form {
	case formInt:
		whole, err = strconv.ParseInt(n.Value, 10, 64)
		if err != nil || octal(n.Value) {
			d.wrong(k, n)
			return
		}
	case formFloat:
		x, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			d.wrong(k, n)
		} else if d.inRange(f, n, x) {
			dst.SetFloat(x)
		}
		return
	case formDuration:
		var t time.Duration
		t, err = unit.Duration(n.Value)
		whole = int64(t)
		if err != nil {
			d.Report(CodeWrongType, diag.Error, n, "this is not a duration", "It cannot be used.", "write 250ms, 5s, 15m, 24h or 30d")
			return
		}
	case formSize:
		if whole, err = unit.Size(n.Value); err != nil {
			d.Report(CodeWrongType, diag.Error, n, "this is not a size", "It cannot be used.", "write 500B, 64KB, 10MB or 1GB")
			return
		}
	default:
		return
	}
	if d.inRange(f, n, float64(whole)) {
		dst.SetInt(whole)
	}
}

func octal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return len(s) > 1 && s[0] == '0'
}

func (d *decoding) wrong(k *kindSpec, n *yaml.Node) {
	d.Report(CodeWrongType, diag.Error, n, fmt.Sprintf("%s is needed here, not %s", article(k.name()), describe(n)),
		"It cannot be used.", "write "+article(k.name()))
}

// quoted reports whether a scalar is a text whatever stands in it.
func quoted(n *yaml.Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// quoted reports a text where YAML would have read the right type without the
// quotes, or would not have.
func (d *decoding) quoted(k *kindSpec, n *yaml.Node) {
	plain := *n
	plain.Style, plain.Tag = 0, ""
	trial := &decoding{Context: &Context{Diags: &diag.List{}}}
	trial.scalar(&spec{}, k, &plain, reflect.New(k.typ).Elem())
	if trial.Diags.Len() > 0 || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 {
		d.wrong(k, n)
		return
	}
	d.Diags.Add(diag.Diagnostic{Code: CodeWrongType, Severity: diag.Error, Range: d.Range(n),
		Summary:     fmt.Sprintf("%s is needed here, not a text", article(k.name())),
		Consequence: "It cannot be used.", Fix: "remove the quotes: " + n.Value,
		Edit: &diag.Edit{Range: d.Range(n), NewText: n.Value}})
}

func article(s string) string {
	if strings.HasPrefix(s, "true") || strings.HasPrefix(s, "any") {
		return s
	}
	if strings.ContainsAny(s[:1], "aeiou") {
		return "an " + s
	}
	return "a " + s
}

// text decodes a literal text. What YAML reads as something else and would change
// on the way is named.
func (d *decoding) text(f *spec, n *yaml.Node, dst reflect.Value) {
	if why := changed(n); why != "" {
		d.ReportEdit(CodeChanged, diag.Error, n, fmt.Sprintf("YAML reads %s as %s", n.Value, why), "The text would not be what stands here.",
			fmt.Sprintf("quote it: %q", n.Value), position.Quoted(n.Value))
		return
	}
	if !f.checkEnum(n.Value) {
		d.ReportName(CodeEnum, diag.Error, n, fmt.Sprintf("%s cannot be %s", f.key, n.Value), "It cannot be used.",
			f.enum, "it is one of: "+strings.Join(f.enum, ", "))
		return
	}
	dst.SetString(n.Value)
}

// changed says as what YAML reads a plain scalar that looks like a text but is
// none; empty where the text is safe.
func changed(n *yaml.Node) string {
	if n.Style != 0 || n.Line == 0 {
		return ""
	}
	switch n.ShortTag() {
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && strconv.FormatFloat(f, 'f', -1, 64) != n.Value {
			return "the number " + strconv.FormatFloat(f, 'f', -1, 64)
		}
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil && strconv.FormatInt(i, 10) != n.Value {
			return fmt.Sprintf("the number %d", i)
		}
	case "!!timestamp":
		return "a date"
	}
	return ""
}

func checkName(c *Context, n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode && unit.IsName(n.Value) {
		return true
	}
	c.Report(CodeName, diag.Error, n, fmt.Sprintf("%q is not a name", n.Value), "Expressions could not use it: a hyphen would be a minus.",
		"use lower case letters, digits and _, beginning with a letter: "+unit.SuggestName(n.Value))
	return false
}

// DecodeField checks a name.
func (m *Name) DecodeField(c *Context, n *yaml.Node) {
	if checkName(c, n) {
		*m = Name(n.Value)
	}
}

func (d *decoding) inRange(f *spec, n *yaml.Node, x float64) bool {
	if why := f.outOfRange(x); why != "" {
		d.Report(CodeRange, diag.Error, n, fmt.Sprintf("%s %s", f.key, why), "It cannot be used.", "choose another "+f.measure())
		return false
	}
	return true
}

// checkRange is inRange for a value of an expression.
func (f *spec) checkRange(x float64) error {
	if why := f.outOfRange(x); why != "" {
		return &unfit{code: CodeRange, text: "it " + why}
	}
	return nil
}

func (f *spec) outOfRange(x float64) string {
	switch {
	case f.min != nil && x < f.min.value:
		return "must be at least " + f.min.text
	case f.max != nil && x > f.max.value:
		return "must be at most " + f.max.text
	}
	return ""
}

// measure is what a range is about.
func (f *spec) measure() string {
	switch f.kind.leaf().form {
	case formDuration:
		return "duration"
	case formSize:
		return "size"
	}
	return "number"
}

func durationOf(v any) (time.Duration, error) {
	switch t := value.Scalar(v).(type) {
	case time.Duration:
		return t, nil
	case string:
		return unit.Duration(t)
	}
	return 0, fmt.Errorf("not a duration")
}

func number(v any) (float64, bool) {
	switch t := value.Scalar(v).(type) {
	case int:
		return float64(t), true
	case float64:
		return t, true
	}
	return 0, false
}

// CheckScalar reports what is legal YAML and surely a mistake, whatever the value
// is for.
func CheckScalar(c *Context, n *yaml.Node) {
	if n.Style&yaml.TaggedStyle != 0 && strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		c.Report(CodeTag, diag.Error, n, fmt.Sprintf("YAML read %s as a tag, and what is left is %q", n.Tag, n.Value),
			"The condition would be empty.", "write `not "+strings.TrimPrefix(n.Tag, "!")+"`, or quote it")
		return
	}
	if n.Style != 0 || !strings.Contains(n.Value, "${{") && n.LineComment == "" {
		return
	}
	if opens := strings.Count(n.Value, "${{"); opens > strings.Count(n.Value, "}}") {
		c.Report(CodeComment, diag.Error, n, "this expression has no }}: YAML took what follows ` #` for a comment",
			"Half of the expression is missing.", "quote the whole value")
		return
	}
	if n.LineComment != "" && unbalanced(n.Value) {
		c.Report(CodeComment, diag.Error, n, "YAML took what follows ` #` for a comment, and the expression is cut",
			"Half of the expression is missing.", "quote the whole value")
	}
}

// unbalanced reports whether a text opens a bracket it does not close.
func unbalanced(s string) bool {
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.Count(s, pair[:1]) > strings.Count(s, pair[1:]) {
			return true
		}
	}
	return false
}
