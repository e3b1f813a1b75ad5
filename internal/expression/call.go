package expression

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/diag"
	"pipelined/internal/value"
)

// param is a parameter as its name in a signature says.
type param struct {
	name     string
	kind     Kind
	optional bool
	many     bool // it may be given again and again
}

// paramKinds are the kinds that names of parameters stand for; other names take
// anything.
var paramKinds = map[string]Kind{
	"s": String, "other": String, "part": String, "prefix": String, "suffix": String, "by": String, "old": String, "new": String, "with": String,
	"pattern": String, "kind": String, "alphabet": String, "layout": String, "timezone": String, "unit": String, "between": String,
	"encoding": String, "characters": String, "decimal": String, "thousands": String, "gjson": String, "order": String,
	"n": Number, "e": Number, "base": Number, "digits": Number, "length": Number, "from": Number, "to": Number, "i": Number,
	"list": Array, "names": Array, "pairs": Array,
	"object": Object,
}

// paramsOf reads the parameters from a signature: f(s, from, to?) or f(a, b, …).
func paramsOf(signature string) []param {
	_, inner, _ := strings.Cut(strings.TrimSuffix(signature, ")"), "(")
	var out []param
	for name := range strings.SplitSeq(inner, ", ") {
		switch bare := strings.TrimSuffix(name, "?"); bare {
		case "":
		case "…":
			out[len(out)-1].many = true
		default:
			out = append(out, param{name: bare, kind: paramKinds[bare], optional: bare != name})
		}
	}
	if n := len(out); n > 1 && out[n-1].many { // f(a, b, …) takes a alone, too
		out[n-1].optional = true
	}
	return out
}

// takes reports whether a function takes n arguments.
func (f *Function) takes(n int) bool {
	least := 0
	for _, p := range f.params {
		if !p.optional {
			least++
		}
	}
	many := len(f.params) > 0 && f.params[len(f.params)-1].many
	return n >= least && (many || n <= len(f.params))
}

func (f *Function) param(i int) param { return f.params[min(i, len(f.params)-1)] }

func (b *builder) callee(n *ast.CallNode) term {
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		return b.call(n, callee.Value, n.Arguments)
	case *ast.MemberNode:
		return b.method(n, callee)
	}
	b.failAt(n.Location(), &Error{Code: CodeUnknownFunc, Summary: "only functions can be called", Fix: "see docs/reference/functions.md"})
	return constant(nil, nil)
}

// call compiles a call of a function.
func (b *builder) call(n ast.Node, name string, arguments []ast.Node) term {
	fn := functionByName(name)
	if fn == nil || fn.call == nil {
		b.failAt(nameAt(n.Location(), name), unknownFunction(name))
		return constant(nil, nil)
	}
	if !fn.takes(len(arguments)) {
		b.failAt(nameAt(n.Location(), name), &Error{Code: CodeArguments, Summary: name + " takes other arguments", Fix: "write " + fn.Signature})
		return constant(nil, nil)
	}
	args := make([]term, len(arguments))
	for i, a := range arguments {
		args[i] = b.argument(fn, i, a)
	}
	t := term{typ: resultOf(fn, args), eval: fn.evaluator(args)}
	if fn.framed {
		return t
	}
	return folded(t, args...)
}

// argument compiles one argument and holds it to its parameter. A pattern that is
// known is compiled now.
func (b *builder) argument(fn *Function, i int, n ast.Node) term {
	p := fn.param(i)
	w := exact
	if p.kind == String || p.kind == Number {
		w = computed
	}
	t := b.term(n, w)
	if null := kindOf(t.typ) == Null && (p.optional || fn.nulls); p.kind != Any && !null {
		b.needs(n, t, fmt.Sprintf("%s needs %s", fn.Name, kindNames[p.kind]), p.kind)
	}
	if s, ok := t.value.(string); ok && t.fixed && p.name == "pattern" {
		re, err := pattern(s)
		if err != nil {
			b.fail(n, &Error{Code: CodeSyntax, Summary: err.Error(), Fix: "patterns are RE2: see https://github.com/google/re2/wiki/Syntax"})
		}
		return constant(re, typeString)
	}
	return t
}

func unknownFunction(name string) *Error {
	fix := "see docs/reference/functions.md"
	if s := diag.Suggest(name, functionNames()); s != "" {
		fix = "did you mean " + s + "()?"
	}
	if ours := renamed[name]; ours != "" {
		fix = "write " + ours
	}
	return &Error{Code: CodeUnknownFunc, Summary: "there is no function " + name, Fix: fix}
}

// renamed are functions of expr that have one name here.
var renamed = map[string]string{"toBase64": "base64Encode(v)", "fromBase64": "base64Decode(s)", "timezone": "the name of the zone itself, such as \"Europe/Berlin\"",
	"splitAfter": "split(s, by)"}

// evaluator calls the function with its arguments in the form it wants.
func (f *Function) evaluator(args []term) func(*Frame) (any, error) {
	offset := 0
	if f.framed {
		offset = 1
	}
	return func(frame *Frame) (any, error) {
		values := make([]any, offset+len(args))
		if f.framed {
			values[0] = frame
		}
		cost := 1
		for i := range args {
			v, err := args[i].eval(frame)
			if err == nil {
				v, err = f.accept(i, v, args[i])
			}
			if err != nil {
				return nil, err
			}
			values[offset+i] = v
			cost += weight(v)
		}
		if err := frame.spend(cost); err != nil {
			return nil, err
		}
		v, err := f.call(values...)
		if err != nil {
			return nil, err
		}
		return v, frame.grow(size(v))
	}
}

// accept holds a value to its parameter.
func (f *Function) accept(i int, v any, t term) (any, error) {
	p := f.param(i)
	if v == nil {
		if p.kind == Any || p.optional || f.nulls && (p.kind == Array || p.kind == Object) {
			return nil, nil
		}
		return nil, isNull(t)
	}
	switch p.kind {
	case String:
		switch v.(type) {
		case string, *regexp.Regexp:
			return v, nil
		}
		v = value.Scalar(v)
		if s, ok := v.(string); ok {
			return s, nil
		}
		return nil, fmt.Errorf("argument %d of %s is %s, not a text; write string(…) around it", i+1, f.Name, value.Describe(v))
	case Number:
		switch v.(type) {
		case int, float64:
			return v, nil
		}
		if n, changed := plain(v); changed {
			return f.accept(i, n, t)
		}
		if value.Describe(v) == "a number" {
			return nil, errOverflow
		}
		return nil, fmt.Errorf("argument %d of %s is %s, not a number", i+1, f.Name, value.Describe(v))
	case Array:
		return listOf(v, f.Name, t)
	case Object:
		if value.Describe(v) != "an object" {
			return nil, fmt.Errorf("argument %d of %s is %s, not an object", i+1, f.Name, value.Describe(v))
		}
	}
	return v, nil
}

// resultOf is what a function gives, as far as its arguments do not decide.
func resultOf(fn *Function, args []term) *Type {
	switch fn.Name {
	case "sort", "reverse", "take", "uniq", "pop", "removeAt":
		return args[0].typ
	case "first", "last":
		if kindOf(args[0].typ) == Array {
			return args[0].typ.Elem
		}
	}
	return typeOf[results[fn.Name]]
}

// results are the kinds of what functions give; the others may give anything.
var results = resultKinds(map[Kind]string{
	String: `capitalize normalize substring padLeft padRight replaceRegex escape unescape string trim trimPrefix trimSuffix upper lower replace repeat join
		formatNumber formatDate type toJSON base64Encode base64Decode base64UrlEncode base64UrlDecode hexEncode hexDecode urlEncode urlDecode
		md5 sha1 sha256 sha512 hmacSha256 uuid randomString`,
	Number:  `similarity sqrt pow log roundTo trunc parseNumber random abs ceil floor round float mean median`,
	Integer: `indexOf lastIndexOf len randomInt int diffDate epochMillis`,
	Bool:    `hasPrefix hasSuffix isObject isArray isString isNumber isBool isNull toBool xor`,
	Array:   `split splitRegex matchAll sort reverse uniq concat flatten take push pop removeAt listOf keys values toPairs`,
	Object:  `fromPairs merge pick omit`,
})

func resultKinds(names map[Kind]string) map[string]Kind {
	out := map[string]Kind{}
	for kind, list := range names {
		for _, name := range strings.Fields(list) {
			out[name] = kind
		}
	}
	return out
}
