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
// condition to hold.
func Pushdown(p *Program, root string) []Pushed {
	if root != documentRoot {
		return nil
	}
	return p.pushed
}

// documentRoot is the name of the document in a where.
const documentRoot = "doc"

// pushdown finds the comparisons of a condition over doc before it is rewritten.
func pushdown(n ast.Node, syms *Symbols) []Pushed {
	if syms.Lookup(documentRoot) == nil {
		return nil
	}
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return nil
	}
	if b.Operator == "and" || b.Operator == "&&" {
		return append(pushdown(b.Left, syms), pushdown(b.Right, syms)...)
	}
	flipped, comparison := flips[b.Operator]
	if !comparison {
		return nil
	}
	if path, ok := documentPath(b.Left); ok {
		return one(path, b.Operator, b.Right, syms)
	}
	if path, ok := documentPath(b.Right); ok && flipped != "" {
		return one(path, flipped, b.Left, syms)
	}
	return nil
}

// flips are the comparisons, and what each is from the other side.
var flips = map[string]string{"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<=", "in": ""}

func one(path, op string, side ast.Node, syms *Symbols) []Pushed {
	without := NewSymbols(syms)
	without.Declare(documentRoot, &Symbol{Slot: -1, Hidden: "this side of a comparison does not depend on the document"})
	p, err := compile(side.String(), side, without)
	if err != nil {
		return nil
	}
	return []Pushed{{path, op, p}}
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
