package expression

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"pipelined/internal/value"
)

// maxSource bounds an expression's text, in bytes.
const maxSource = 10_000

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	source string
	reads  []read
	fields []value.Path
	paths  []string
	roots  map[string]bool
	pushed []Pushed
	exact  bool // pushed says everything
	kind   Kind

	// One of these is set: most expressions are a single read and need no machine.
	code     *vm.Program
	single   bool // reads[0] is all
	constant any
	fixed    bool
}

// read is one static path, resolved to a slot.
type read struct {
	slot    int
	path    value.Path
	name    string // as written, for messages
	root    string
	rest    string // the path below the slot's own name
	lenient bool   // left of ??: Unset is null
	output  bool   // may leave as it came
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
	switch p.kind {
	case Any, Bool:
		return Condition{p}, nil
	}
	return Condition{}, &Error{Length: len(src), Code: CodeType, Summary: "this is " + kindNames[p.kind] + ", not true or false",
		Consequence: "The condition could not be decided.", Fix: "compare it with something, such as `" + strings.TrimSpace(src) + " != nil`"}
}

var kindNames = map[Kind]string{Null: "null", Integer: "a number", Number: "a number", String: "a text", Array: "a list", Object: "an object"}

// Compile compiles an expression over the names of syms.
func Compile(src string, syms *Symbols) (*Program, *Error) {
	if err := checkSource(src); err != nil {
		return nil, err
	}
	config := newConfig()
	tree, perr := parser.ParseWithConfig(src, config)
	if perr != nil {
		return nil, syntaxError(src, perr)
	}
	p := &Program{source: strings.TrimSpace(src), roots: map[string]bool{}}
	p.pushed, p.exact = pushdown(tree.Node, syms)
	r := &rewriter{program: p, syms: syms, src: src}
	p.kind = kindOf(tree.Node)
	r.node(&tree.Node, output)
	if r.err != nil {
		return nil, r.err
	}
	if p.simple(tree.Node) {
		return p, nil
	}
	p.bind(config)
	if _, err := checker.Check(tree, config); err != nil {
		return nil, syntaxError(src, err)
	}
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, syntaxError(src, err)
	}
	code, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	p.code = code
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
			Consequence: "The expression cannot be read.", Fix: "write  " + inner}
	case !utf8.ValidString(src):
		return &Error{Length: len(src), Code: CodeSyntax, Summary: "the expression is not UTF-8", Consequence: "It cannot be read.", Fix: "save the file as UTF-8"}
	}
	return nil
}

// newConfig is a compiler configuration that knows our functions.
func newConfig() *conf.Config {
	c := conf.CreateNew()
	c.MaxNodes = 2000
	for i := range library {
		f := &library[i]
		if f.call == nil {
			continue
		}
		c.Functions[f.Name] = &builtin.Function{Name: f.Name, Func: f.call}
	}
	return c
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
	case strings.HasPrefix(out.Summary, "unknown name"), strings.Contains(out.Summary, "unknown function"):
		out.Code = CodeUnknownFunc
	case strings.Contains(out.Summary, "arguments"):
		out.Code = CodeArguments
	case strings.HasPrefix(out.Summary, "invalid operation"), strings.Contains(out.Summary, "cannot use"), strings.Contains(out.Summary, "mismatched types"):
		out.Code = CodeType
	}
	return out
}

// span turns a location in characters into bytes.
func span(src string, l file.Location) (offset, length int) {
	n := 0
	from, to := len(src), len(src)
	for i := range src {
		if n == l.From {
			from = i
		}
		if n == l.To {
			to = i
			break
		}
		n++
	}
	if from > to {
		to = from
	}
	return from, max(to-from, 0)
}

// simple recognises constants and single reads.
func (p *Program) simple(n ast.Node) bool {
	switch t := n.(type) {
	case *ast.NilNode:
		p.fixed = true
	case *ast.BoolNode:
		p.constant, p.fixed = t.Value, true
	case *ast.IntegerNode:
		p.constant, p.fixed = t.Value, true
	case *ast.FloatNode:
		p.constant, p.fixed = t.Value, true
	case *ast.StringNode:
		p.constant, p.fixed = t.Value, true
	case *ast.CallNode:
		id, ok := t.Callee.(*ast.IdentifierNode)
		if !ok || id.Value != fnRead || len(p.reads) != 1 {
			return false
		}
		p.single = true
	default:
		return false
	}
	return true
}

// kindOf is what an expression gives as far as its form tells.
func kindOf(n ast.Node) Kind {
	switch t := n.(type) {
	case *ast.NilNode:
		return Null
	case *ast.BoolNode:
		return Bool
	case *ast.IntegerNode:
		return Integer
	case *ast.FloatNode:
		return Number
	case *ast.StringNode:
		return String
	case *ast.ArrayNode:
		return Array
	case *ast.MapNode:
		return Object
	case *ast.BinaryNode:
		switch t.Operator {
		case "==", "!=", "<", "<=", ">", ">=", "in", "and", "or", "&&", "||", "matches", "contains", "startsWith", "endsWith":
			return Bool
		case "-", "*", "/", "%", "**", "^":
			return Number
		}
	case *ast.UnaryNode:
		if t.Operator == "not" || t.Operator == "!" {
			return Bool
		}
		return Number
	case *ast.BuiltinNode:
		switch t.Name {
		case "all", "any", "none", "one", "hasPrefix", "hasSuffix":
			return Bool
		case "len", "count", "abs", "ceil", "floor", "round", "int", "float":
			return Number
		case "map", "filter", "keys", "values", "sort", "sortBy", "split":
			return Array
		}
	}
	return Any
}

// machines are reused: each has a stack that grew to what expressions need.
var machines = sync.Pool{New: func() any { return &vm.VM{MemoryBudget: 2_000_000} }}
