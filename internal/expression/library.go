package expression

import (
	"maps"
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

	call   func(args ...any) (any, error) // nil: compiled as a loop
	params []param                        // read from the signature
	framed bool                           // takes the frame first
	nulls  bool                           // takes null for a list or an object
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

func functionByName(name string) *Function { return byName[name] }

func functionNames() []string {
	return slices.Collect(maps.Keys(byName))
}

// own declares a function.
func own(family, name, signature, summary, example, result string, call func(args ...any) (any, error)) Function {
	return Function{Name: name, Signature: signature, Family: family, Summary: summary, Example: example, Result: result,
		call: call, params: paramsOf(signature)}
}

// each declares a function that is compiled as a loop over a list.
func each(name, signature, summary, example, result string) Function {
	return Function{Name: name, Signature: signature, Family: "list", Summary: summary, Example: example, Result: result}
}

func withNull(f Function) Function  { f.nulls = true; return f }
func withFrame(f Function) Function { f.framed = true; return f }

// library is every function, and byName the same by name. They are never changed.
var (
	library = slices.Concat(textFunctions, numberFunctions, dateFunctions, listFunctions, jsonFunctions, codeFunctions)
	byName  = indexed(library)
)

func indexed(list []Function) map[string]*Function {
	out := make(map[string]*Function, len(list))
	for i := range list {
		if out[list[i].Name] != nil {
			panic("two functions are called " + list[i].Name)
		}
		out[list[i].Name] = &list[i]
	}
	return out
}
