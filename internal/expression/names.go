package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"pipelined/internal/diag"
	"pipelined/internal/value"
)

// read resolves a name and the members below it to a slot and a path.
func (b *builder) read(n ast.Node, root string, segments []string, w want) term {
	sym := b.syms.Lookup(root)
	if sym == nil {
		b.failAt(nameAt(extent(n), root), unknown(root, b.syms))
		return constant(nil, nil)
	}
	sym, name, rest, err := resolve(sym, root, segments)
	if err == nil {
		err = environment(sym, name, rest, w&lenient != 0)
	}
	if err != nil {
		b.fail(n, err)
		return constant(nil, nil)
	}
	typ, err := fieldOf(sym.Type, name, rest)
	if err != nil {
		b.fail(n, err)
	}
	b.syms.tell(name, sym.Slot)
	full := strings.Join(append([]string{root}, segments...), ".")
	return term{eval: reader(sym.Slot, value.NewPath(rest...), full, w), typ: typ, name: full}
}

// resolve follows members from symbol to symbol as far as they go.
func resolve(sym *Symbol, root string, segments []string) (*Symbol, string, []string, *Error) {
	name, rest := root, segments
	for {
		sym.Used = true
		if sym.Hidden != "" {
			return nil, "", nil, &Error{Code: CodeHidden, Summary: name + " cannot be used here: " + sym.Hidden, Fix: "see docs/language.md, Scope"}
		}
		if len(rest) == 0 {
			break
		}
		next := sym.Members[rest[0]]
		if next == nil && sym.Closed {
			return nil, "", nil, unknownMember(name, rest[0], sym)
		}
		if next == nil {
			break
		}
		name += "." + rest[0]
		sym, rest = next, rest[1:]
	}
	if sym.Slot < 0 {
		return nil, "", nil, &Error{Code: CodeUnknownStep, Summary: name + " is not a value itself", Fix: "name one of its members: " + strings.Join(members(sym), ", ")}
	}
	return sym, name, rest, nil
}

// reader reads a path from a slot.
func reader(slot int, path value.Path, name string, w want) func(f *Frame) (any, error) {
	get := value.Exact
	if w&computed != 0 {
		get = value.Get
	}
	strict := w&lenient == 0
	return func(f *Frame) (any, error) {
		v := f.Slots[slot]
		if _, no := v.(unset); no {
			if strict {
				return nil, fmt.Errorf("%s is not set yet at this point", name)
			}
			return nil, nil
		}
		return get(v, path), nil
	}
}

func unknown(name string, syms *Symbols) *Error {
	fix := "the names are: " + strings.Join(slices.Sorted(slices.Values(syms.Names())), ", ")
	near := diag.Suggest(name, syms.Names())
	if near != "" {
		fix = "did you mean " + near + "?"
	}
	return &Error{Code: CodeUnknownName, Summary: "there is no " + name + " here", Fix: fix, wrong: name, instead: near}
}

func members(sym *Symbol) []string {
	var names []string
	for n, m := range sym.Members {
		if m.Hidden == "" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func unknownMember(name, member string, sym *Symbol) *Error {
	known := members(sym)
	fix := name + " has no members yet at this point"
	if len(known) > 0 {
		fix = name + " has: " + strings.Join(known, ", ")
	}
	near := diag.Suggest(member, known)
	if near != "" {
		fix = "did you mean " + name + "." + near + "?"
	}
	return &Error{Code: CodeUnknownStep, Summary: fmt.Sprintf("there is no %s.%s", name, member), Fix: fix, wrong: member, instead: near}
}

// environment reports a variable that is not set and has no default.
func environment(sym *Symbol, name string, rest []string, lenient bool) *Error {
	if sym.Environment == nil || len(rest) == 0 || lenient || sym.Environment(rest[0]) {
		return nil
	}
	return &Error{Code: CodeEnvironment, Summary: fmt.Sprintf("%s.%s is not set", name, rest[0]),
		Consequence: "There would be no value.", Fix: fmt.Sprintf("set %s in the environment, or give a default: %s.%s ?? \"…\"", rest[0], name, rest[0])}
}

// fieldOf is the type below t, or the mistake of naming a field that is not there.
func fieldOf(t *Type, name string, segments []string) (*Type, *Error) {
	for _, s := range segments {
		if t == nil {
			return nil, nil
		}
		below, err := t.field(name, s)
		if err != nil {
			return nil, err
		}
		t = below
		name += "." + s
	}
	return t, nil
}

// field is one step of fieldOf.
func (t *Type) field(name, s string) (*Type, *Error) {
	switch t.Kind {
	case value.Array:
		if !decimal(s) {
			return nil, &Error{Code: CodeUnknownField, Summary: fmt.Sprintf("%s is a list, it has no field %s", name, s),
				Fix: fmt.Sprintf("take one element, %s[0].%s, or all of them, map(%s, .%s)", name, s, name, s)}
		}
		return t.Elem, nil
	case value.Object:
		f, ok := t.Fields[s]
		if !ok && !t.Open {
			return nil, unknownField(t, name, s)
		}
		return f, nil
	case value.String, value.Integer, value.Number, value.Bool:
		return nil, &Error{Code: CodeUnknownField, Summary: fmt.Sprintf("%s is %s, it has no field %s", name, t.Kind.String(), s),
			Consequence: "It would always be null.", Fix: "remove ." + s}
	}
	return nil, nil
}

func unknownField(t *Type, name, field string) *Error {
	known := slices.Sorted(maps.Keys(t.Fields))
	fix := name + " has: " + strings.Join(known, ", ")
	near := diag.Suggest(field, known)
	if near != "" {
		fix = "did you mean " + name + "." + near + "?"
	}
	if t.Fixes[field] != "" {
		fix, near = t.Fixes[field], ""
	}
	where := ""
	if t.Origin != "" {
		where = " (" + t.Origin + ")"
	}
	return &Error{Code: CodeUnknownField, Summary: fmt.Sprintf("%s has no field %s%s", name, field, where),
		Consequence: "It would always be null.", Fix: fix, wrong: field, instead: near}
}

func decimal(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
