package expression

import (
	"strings"

	"pipelined/internal/value"

	"github.com/expr-lang/expr/ast"
)

var (
	typeNull    = &Type{Kind: value.Null}
	typeBool    = &Type{Kind: value.Bool}
	typeInteger = &Type{Kind: value.Integer}
	typeNumber  = &Type{Kind: value.Number}
	typeString  = &Type{Kind: value.String}
)

func kindOf(t *Type) value.Kind {
	if t == nil {
		return value.Any
	}
	return t.Kind
}

// typeOf is the type of which no more is known than the kind; nil for Any.
var typeOf = map[value.Kind]*Type{value.Null: typeNull, value.Bool: typeBool, value.Integer: typeInteger, value.Number: typeNumber, value.String: typeString,
	value.Array: {Kind: value.Array}, value.Object: {Kind: value.Object, Open: true}}

func isNumber(k value.Kind) bool { return k == value.Integer || k == value.Number }

func isScalar(k value.Kind) bool { return k == value.Bool || k == value.String || isNumber(k) }

// same reports whether a value of kind k may stand where o is asked for.
func same(k, o value.Kind) bool { return k == o || isNumber(k) && isNumber(o) }

// either is the type of a value that may be of one or of the other.
func either(a, b *Type) *Type {
	x, y := kindOf(a), kindOf(b)
	switch {
	case a == b:
		return a
	case isScalar(x) && x == y:
		return a
	case isNumber(x) && isNumber(y):
		return typeNumber
	case x == value.Array && y == value.Array:
		return &Type{Kind: value.Array, Elem: either(a.Elem, b.Elem)}
	case x == value.Object && y == value.Object:
		return &Type{Kind: value.Object, Open: true}
	}
	return nil
}

// needs reports a value whose type is known and is none of the kinds. Null is
// reported too: written where a value is needed, it is always wrong.
func (b *builder) needs(n ast.Node, t term, summary string, kinds ...value.Kind) {
	k := kindOf(t.typ)
	if k == value.Any {
		return
	}
	for _, o := range kinds {
		if same(k, o) {
			return
		}
	}
	b.mistake(n, summary+"; "+called(t, "this")+" is "+k.String(), remedy(k, kinds, called(t, "…")))
}

func called(t term, otherwise string) string {
	if t.name == "" {
		return otherwise
	}
	return t.name
}

// remedy is what to write instead of a value of kind k.
func remedy(k value.Kind, kinds []value.Kind, name string) string {
	switch want := kinds[0]; {
	case k == value.Null:
		return "give it a value"
	case isNumber(want) && k == value.String:
		return "make a number of the text: float(" + name + ") or int(" + name + ")"
	case want == value.String && isScalar(k):
		return "make a text of it: string(" + name + ")"
	case want == value.Array && k == value.Object:
		return "take its members: toPairs(" + name + ") or values(" + name + ")"
	case want == value.Bool:
		return "compare it with something, such as " + name + " != nil"
	}
	names := make([]string, len(kinds))
	for i, o := range kinds {
		names[i] = o.String()
	}
	return "write " + strings.Join(names, " or ") + " here"
}
