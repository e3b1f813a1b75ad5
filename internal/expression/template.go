package expression

import (
	"strings"

	"pipelined/internal/value"
)

// Template is a text with ${{ }} in it.
type Template struct {
	exact *Program // if it is exactly one ${{ }}; there are no parts then
	parts []part
}

// part is literal text or an expression.
type part struct {
	text    string
	program *Program
}

const (
	opening = "${{"
	closing = "}}"
	escaped = "$${{" // stands for a literal ${{
)

// HasTemplate reports whether a text has ${{ in it.
func HasTemplate(s string) bool { return strings.Contains(s, opening) }

// CompileTemplate compiles a text. One that is exactly one ${{ }} keeps its
// value's type; otherwise results are put into the text.
func CompileTemplate(src string, syms *Symbols) (*Template, *Error) {
	t := &Template{}
	var text strings.Builder
	for i := 0; i < len(src); {
		switch {
		case strings.HasPrefix(src[i:], escaped):
			text.WriteString(opening)
			i += len(escaped)
		case strings.HasPrefix(src[i:], opening):
			end := closingOf(src, i+len(opening))
			if end < 0 {
				return nil, &Error{Offset: i, Length: len(opening), Code: CodeUnbalanced, Summary: "${{ has no }}",
					Consequence: "The text could not be evaluated.",
					Fix:         "close it with }}; if it is there, quote the whole value: YAML takes ` #` for the beginning of a comment"}
			}
			p, err := Compile(src[i+len(opening):end], syms)
			if err != nil {
				err.move(i + len(opening))
				return nil, err
			}
			if text.Len() > 0 {
				t.parts = append(t.parts, part{text: text.String()})
				text.Reset()
			}
			t.parts = append(t.parts, part{program: p})
			i = end + len(closing)
		default:
			text.WriteByte(src[i])
			i++
		}
	}
	if text.Len() > 0 || len(t.parts) == 0 {
		t.parts = append(t.parts, part{text: text.String()})
	}
	if len(t.parts) == 1 && t.parts[0].program != nil {
		return &Template{exact: t.parts[0].program}, nil
	}
	return t, nil
}

// closingOf finds the }} that ends an expression: not one inside quotes, and not
// the end of an object literal.
func closingOf(src string, i int) int {
	depth := 0
	for ; i < len(src); i++ {
		switch c := src[i]; c {
		case '"', '\'', '`':
			j := i + 1
			for j < len(src) && src[j] != c {
				if src[j] == '\\' && c != '`' {
					j++
				}
				j++
			}
			i = j
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(src[i:], closing) {
				return i
			}
		}
	}
	return -1
}

// Exact returns the expression of a template that is exactly one ${{ }}, or nil.
func (t *Template) Exact() *Program { return t.exact }

// Constant returns the text of a template without expressions.
func (t *Template) Constant() (any, bool) {
	if len(t.parts) == 1 {
		return t.parts[0].text, true
	}
	return nil, false
}

// Eval evaluates the template.
func (t *Template) Eval(f *Frame) (any, error) {
	if t.exact != nil {
		return t.exact.Eval(f)
	}
	if len(t.parts) == 1 {
		return t.parts[0].text, nil
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.program.Eval(f)
		if err != nil {
			return nil, err
		}
		s, err := value.Text(v)
		if err != nil {
			return nil, p.program.problem(err)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// AppendJSON evaluates the template and appends the result as JSON.
func (t *Template) AppendJSON(dst []byte, f *Frame) ([]byte, error) {
	if t.exact != nil {
		return t.exact.AppendJSON(dst, f)
	}
	v, err := t.Eval(f)
	if err != nil {
		return dst, err
	}
	return value.Append(dst, v)
}
