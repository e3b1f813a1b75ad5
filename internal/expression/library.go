package expression

import (
	"slices"
)

// Function is a function of the language, as the reference shows it. Every
// example is run by the tests.
type Function struct {
	Name      string
	Signature string
	Family    string
	Summary   string
	Example   string
	Result    string // JSON of what the example gives; empty where it differs each time

	call        func(args ...any) (any, error) // nil: a builtin of expr
	least, most int                            // arguments; most -1 is any number
	exact       bool                           // takes documents as they came
	framed      bool                           // takes the frame first
}

// Functions lists what an expression may call, ours and expr's, by family and name.
func Functions() []Function {
	out := slices.Clone(library)
	slices.SortStableFunc(out, func(a, b Function) int {
		if a.Family != b.Family {
			return slices.Index(families, a.Family) - slices.Index(families, b.Family)
		}
		return compareText(a.Name, b.Name)
	})
	return out
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// families in the order of the reference.
var families = []string{"text", "number", "date", "list", "object", "JSON", "encoding", "hash", "id", "type"}

func functionByName(name string) *Function {
	for i := range library {
		if library[i].Name == name {
			return &library[i]
		}
	}
	return nil
}

func functionNames() []string {
	var out []string
	for _, f := range library {
		out = append(out, f.Name)
	}
	return out
}

// own declares a function of ours.
func own(family, name, signature, summary, example, result string, least, most int, call func(args ...any) (any, error)) Function {
	return Function{Name: name, Signature: signature, Family: family, Summary: summary, Example: example, Result: result,
		call: call, least: least, most: most}
}

// theirs documents a builtin of expr.
func theirs(family, name, signature, summary, example, result string) Function {
	return Function{Name: name, Signature: signature, Family: family, Summary: summary, Example: example, Result: result}
}

func withExact(f Function) Function { f.exact = true; return f }
func withFrame(f Function) Function { f.framed = true; return f }

// library is every function. It is never changed.
var library = slices.Concat(textFunctions, numberFunctions, dateFunctions, listFunctions, jsonFunctions, codeFunctions)
