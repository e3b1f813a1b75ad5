package expression

import (
	"strings"

	"github.com/expr-lang/expr/ast"
)

var (
	typeNull    = &Type{Kind: Null}
	typeBool    = &Type{Kind: Bool}
	typeInteger = &Type{Kind: Integer}
	typeNumber  = &Type{Kind: Number}
	typeString  = &Type{Kind: String}
)

// kindNames are the kinds as messages call them.
var kindNames = map[Kind]string{Null: "null", Bool: "true or false", Integer: "a number", Number: "a number", String: "a text", Array: "a list", Object: "an object"}

func kindOf(t *Type) Kind {
	if t == nil {
		return Any
	}
	return t.Kind
}

// typeOf is the type of which no more is known than the kind; nil for Any.
var typeOf = map[Kind]*Type{Null: typeNull, Bool: typeBool, Integer: typeInteger, Number: typeNumber, String: typeString,
	Array: {Kind: Array}, Object: {Kind: Object, Open: true}}

func isNumber(k Kind) bool { return k == Integer || k == Number }

func isScalar(k Kind) bool { return k == Bool || k == String || isNumber(k) }

// same reports whether a value of kind k may stand where o is asked for.
func same(k, o Kind) bool { return k == o || isNumber(k) && isNumber(o) }

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
	case x == Array && y == Array:
		return &Type{Kind: Array, Elem: either(a.Elem, b.Elem)}
	case x == Object && y == Object:
		return &Type{Kind: Object, Open: true}
	}
	return nil
}

// needs reports a value whose type is known and is none of the kinds. Null is
// reported too: written where a value is needed, it is always wrong.
func (b *builder) needs(n ast.Node, t term, summary string, kinds ...Kind) {
	k := kindOf(t.typ)
	if k == Any {
		return
	}
	for _, o := range kinds {
		if same(k, o) {
			return
		}
	}
	b.mistake(n, summary+"; "+called(t, "this")+" is "+kindNames[k], remedy(k, kinds, called(t, "…")))
}

func called(t term, otherwise string) string {
	if t.name == "" {
		return otherwise
	}
	return t.name
}

// remedy is what to write instead of a value of kind k.
func remedy(k Kind, kinds []Kind, name string) string {
	switch want := kinds[0]; {
	case k == Null:
		return "give it a value"
	case isNumber(want) && k == String:
		return "make a number of the text: float(" + name + ") or int(" + name + ")"
	case want == String && isScalar(k):
		return "make a text of it: string(" + name + ")"
	case want == Array && k == Object:
		return "take its members: toPairs(" + name + ") or values(" + name + ")"
	case want == Bool:
		return "compare it with something, such as " + name + " != nil"
	}
	names := make([]string, len(kinds))
	for i, o := range kinds {
		names[i] = kindNames[o]
	}
	return "write " + strings.Join(names, " or ") + " here"
}
