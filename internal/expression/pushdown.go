package expression

import (
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Pushed is a comparison of a path of the document with something that does not
// depend on the document.
type Pushed struct {
	Path  string // below the root
	Op    string // "==", "<", "<=", ">", ">=", "in"; the document is on the left
	Value *Program
}

// Pushdown returns the comparisons of root that all must hold for the whole
// condition to hold. exact reports that they say everything the condition says.
func Pushdown(p *Program, root string) (list []Pushed, exact bool) {
	if root != documentRoot {
		return nil, false
	}
	return p.pushed, p.exact
}

// documentRoot is the name of the document in a where.
const documentRoot = "doc"

// pushdown finds the comparisons of a condition over doc before it is rewritten.
func pushdown(n ast.Node, syms *Symbols) (list []Pushed, exact bool) {
	if syms.Lookup(documentRoot) == nil {
		return nil, false
	}
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return nil, false
	}
	if b.Operator == "and" || b.Operator == "&&" {
		left, le := pushdown(b.Left, syms)
		right, re := pushdown(b.Right, syms)
		return append(left, right...), le && re
	}
	flipped, comparison := flips[b.Operator]
	if !comparison {
		return nil, false
	}
	if path, ok := documentPath(b.Left); ok {
		return one(path, b.Operator, b.Right, syms)
	}
	if path, ok := documentPath(b.Right); ok && flipped != "" {
		return one(path, flipped, b.Left, syms)
	}
	return nil, false
}

// flips are the comparisons, and what each is from the other side.
var flips = map[string]string{"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<=", "in": ""}

func one(path, op string, side ast.Node, syms *Symbols) ([]Pushed, bool) {
	without := NewSymbols(syms)
	without.Declare(documentRoot, &Symbol{Slot: -1, Hidden: "this side of a comparison does not depend on the document"})
	p, err := compile(side.String(), side, without)
	if err != nil {
		return nil, false
	}
	return []Pushed{{path, op, p}}, true
}

// documentPath returns the path of doc.a.b.
func documentPath(n ast.Node) (string, bool) {
	base, segments := chain(n)
	id, ok := base.(*ast.IdentifierNode)
	if !ok || id.Value != documentRoot || len(segments) == 0 {
		return "", false
	}
	for _, s := range segments {
		if strings.ContainsAny(s, `."\`) {
			return "", false
		}
	}
	return strings.Join(segments, "."), true
}
