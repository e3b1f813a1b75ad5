package expression

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"pipelined/internal/value"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// Bounds of an expression at load: its text in bytes, and the nodes of its tree.
const (
	maxSource = 10_000
	maxNodes  = 2_000
)

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	source string
	root   term
	locals int
	pushed []Pushed
}

// Condition is a bare expression that must give true or false.
type Condition struct{ *Program }

// IsZero reports whether there is no condition.
func (c Condition) IsZero() bool { return c.Program == nil }

// Bare is a bare expression of any type.
type Bare struct{ *Program }

// IsZero reports whether there is no expression.
func (b Bare) IsZero() bool { return b.Program == nil }

// CompileCondition compiles an expression that must give true or false.
func CompileCondition(src string, syms *Symbols) (Condition, *Error) {
	p, err := Compile(src, syms)
	if err != nil {
		return Condition{}, err
	}
	kind := kindOf(p.root.typ)
	if kind == value.Any || kind == value.Bool {
		return Condition{p}, nil
	}
	return Condition{}, &Error{Length: len(src), Code: CodeType, Summary: "this is " + kind.String() + ", not true or false",
		Consequence: "The condition could not be decided.", Fix: "compare it with something, such as `" + strings.TrimSpace(src) + " != nil`"}
}

// Compile compiles an expression over the names of syms.
func Compile(src string, syms *Symbols) (*Program, *Error) {
	if err := checkSource(src); err != nil {
		return nil, err
	}
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	tree, err := parser.ParseWithConfig(src, config)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	return compile(src, tree.Node, syms)
}

// compile builds a program of a syntax tree, or of a part of one.
func compile(src string, n ast.Node, syms *Symbols) (*Program, *Error) {
	p := &Program{source: strings.TrimSpace(src)}
	b := &builder{program: p, syms: syms, src: src}
	p.root = b.term(n, exact)
	if b.err != nil {
		return nil, b.err
	}
	p.pushed = pushdown(n, syms)
	return p, nil
}

func checkSource(src string) *Error {
	trimmed := strings.TrimSpace(src)
	switch {
	case trimmed == "":
		return &Error{Code: CodeEmpty, Summary: "the expression is empty", Consequence: "There is nothing to evaluate.", Fix: "write an expression, or remove the key"}
	case len(src) > maxSource:
		return &Error{Length: len(src), Code: CodeTooLong, Summary: fmt.Sprintf("the expression is longer than %d characters", maxSource),
			Consequence: "It could not be evaluated in bounded time.", Fix: "split it over several variables"}
	case strings.Contains(src, "${{"):
		inner := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(trimmed, "${{"), "}}"))
		return &Error{Offset: strings.Index(src, "${{"), Length: 3, Code: CodeBraces, Summary: "no ${{ }} here: this value is an expression anyway",
			Consequence: "The expression cannot be read.", Fix: "write  " + inner, Edit: bared(src, inner)}
	case !utf8.ValidString(src):
		return &Error{Length: len(src), Code: CodeSyntax, Summary: "the expression is not UTF-8", Consequence: "It cannot be read.", Fix: "save the file as UTF-8"}
	}
	return nil
}

// bared takes the ${{ }} around an expression away, if that is all there is.
func bared(src, inner string) *Edit {
	if strings.Contains(inner, "${{") || strings.Contains(inner, "}}") || inner == "" {
		return nil
	}
	return &Edit{Length: len(src), NewText: inner}
}

// syntaxError places an error of expr in the source.
func syntaxError(src string, err error) *Error {
	out := &Error{Code: CodeSyntax, Length: 1, Summary: err.Error(), Consequence: "The expression cannot be evaluated.",
		Fix: "see docs/language.md, Expressions"}
	var f *file.Error
	if errors.As(err, &f) {
		out.Offset, out.Length = span(src, f.Location)
		out.Summary = f.Message
	}
	switch {
	case strings.Contains(out.Summary, "arguments"):
		out.Code = CodeArguments
	case strings.Contains(out.Summary, "maximum allowed nodes"):
		out.Code, out.Offset, out.Length = CodeTooLong, 0, len(src)
		out.Summary, out.Fix = fmt.Sprintf("the expression has more than %d parts", maxNodes), "split it over several variables"
	}
	return out
}
