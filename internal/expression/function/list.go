package function

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"pipelined/internal/value"
)

var listFunctions = []Function{
	own("list", "len", "len(v)", "How many elements, members or characters.", `len([1, 2])`, `2`, length),
	each("map", "map(list, predicate)", "A new element for each: map(input.lines, .qty).", `map([1, 2], # * 2)`, `[2,4]`),
	each("filter", "filter(list, predicate)", "The elements for which something holds.", `filter([1, 2, 3], # > 1)`, `[2,3]`),
	each("find", "find(list, predicate)", "The first element for which something holds.", `find([1, 2, 3], # > 1)`, `2`),
	each("findIndex", "findIndex(list, predicate)", "Where that is.", `findIndex([1, 2, 3], # > 1)`, `1`),
	each("findLast", "findLast(list, predicate)", "The last element for which something holds.", `findLast([1, 2, 3], # > 1)`, `3`),
	each("all", "all(list, predicate)", "Whether something holds for every element.", `all([1, 2], # > 0)`, `true`),
	each("any", "any(list, predicate)", "Whether something holds for some element.", `any([1, 2], # > 1)`, `true`),
	each("none", "none(list, predicate)", "Whether something holds for no element.", `none([1, 2], # > 2)`, `true`),
	each("one", "one(list, predicate)", "Whether something holds for exactly one element.", `one([1, 2], # > 1)`, `true`),
	each("count", "count(list, predicate?)", "For how many elements something holds.", `count([1, 2, 3], # > 1)`, `2`),
	each("findLastIndex", "findLastIndex(list, predicate)", "Where the last element is for which something holds.", `findLastIndex([1, 2, 3], # < 3)`, `1`),
	each("sum", "sum(list, predicate?)", "The sum of a list, or of what a predicate gives for each element.", `sum([1, 2, 3], # * 2)`, `12`),
	each("reduce", "reduce(list, predicate, start?)", "The list folded; #acc is what there is so far.", `reduce([1, 2, 3], #acc + #, 0)`, `6`),
	each("groupBy", "groupBy(list, predicate)", "The elements by a key.", `groupBy([1, 2, 3], # % 2 == 0 ? "even" : "odd")`, `{"even":[2],"odd":[1,3]}`),
	own("list", "sort", "sort(list, order?)", "The list sorted; \"desc\" sorts it the other way round.", `sort([3, 1, 2])`, `[1,2,3]`, sortList),
	each("sortBy", "sortBy(list, predicate, order?)", "The list sorted by something.", `sortBy([3, 1, 2], -#)`, `[3,2,1]`),
	own("list", "reverse", "reverse(list)", "The list backwards.", `reverse([1, 2])`, `[2,1]`, reverse),
	own("list", "uniq", "uniq(list)", "Each different element once.", `uniq([1, 1, 2])`, `[1,2]`, uniq),
	own("list", "concat", "concat(a, b, …)", "Lists one after the other.", `concat([1], [2, 3])`, `[1,2,3]`, concat),
	own("list", "flatten", "flatten(list)", "Lists in the list laid open.", `flatten([1, [2, 3]])`, `[1,2,3]`, flatten),
	own("list", "take", "take(list, n)", "The first n elements.", `take([1, 2, 3], 2)`, `[1,2]`, take),
	own("list", "first", "first(list)", "The first element; null of an empty list.", `first([1, 2])`, `1`, first),
	own("list", "last", "last(list)", "The last element; null of an empty list.", `last([1, 2])`, `2`, last),
	withNull(own("list", "push", "push(list, v)", "The list with one more element.", `push([1], 2)`, `[1,2]`, push)),
	withNull(own("list", "pop", "pop(list)", "The list without its last element.", `pop([1, 2])`, `[1]`, pop)),
	withNull(own("list", "removeAt", "removeAt(list, i)", "The list without one element; unchanged if there is none.", `removeAt([1, 2, 3], 1)`, `[1,3]`, removeAt)),
	own("list", "firstOf", "firstOf(v)", "The first element of a list, anything else as it is.", `firstOf([7, 8])`, `7`, oneOf),
	own("list", "listOf", "listOf(v)", "A list as it is, anything else as a list of one.", `listOf(7)`, `[7]`, manyOf),
	own("object", "get", "get(v, key)", "A member by its name, or an element by its number; the operator v[key] does the same.", `get({"a": 1}, "a")`, `1`, func(args ...any) (any, error) { return At(args[0], args[1]) }),
	own("object", "keys", "keys(object)", "The names of the members.", `keys({"a": 1})`, `["a"]`, ofMembers(func(name string, _ any) any { return name })),
	own("object", "values", "values(object)", "The values of the members.", `values({"a": 1})`, `[1]`, ofMembers(func(_ string, v any) any { return v })),
	own("object", "toPairs", "toPairs(object)", "The members as pairs.", `toPairs({"a": 1})`, `[["a",1]]`, ofMembers(func(name string, v any) any { return []any{name, v} })),
	own("object", "fromPairs", "fromPairs(pairs)", "An object made of pairs.", `fromPairs([["a", 1]])`, `{"a":1}`, fromPairs),
	own("object", "merge", "merge(a, b, …)", "The members of all; later ones win.", `merge({"a": 1, "b": 1}, {"b": 2})`, `{"a":1,"b":2}`, mergeObjects),
	withNull(own("object", "pick", "pick(object, names)", "Only some members.", `pick({"a": 1, "b": 2}, ["a"])`, `{"a":1}`, pick(true))),
	withNull(own("object", "omit", "omit(object, names)", "All but some members.", `omit({"a": 1, "b": 2}, ["a"])`, `{"b":2}`, pick(false))),
	own("type", "type", "type(v)", "nil, bool, int, float, string, array or map.", `type("a")`, `"string"`, typeName),
	own("type", "isObject", "isObject(v)", "Whether it is an object.", `isObject({"a": 1})`, `true`, is("an object")),
	own("type", "isArray", "isArray(v)", "Whether it is a list.", `isArray([1])`, `true`, is("a list")),
	own("type", "isString", "isString(v)", "Whether it is a text.", `isString("a")`, `true`, is("a text")),
	own("type", "isNumber", "isNumber(v)", "Whether it is a number.", `isNumber(1.5)`, `true`, is("a number")),
	own("type", "isBool", "isBool(v)", "Whether it is true or false.", `isBool(true)`, `true`, is("true or false")),
	own("type", "isNull", "isNull(v)", "Whether it is null or missing.", `isNull(nil)`, `true`, is("null")),
	own("type", "toBool", "toBool(v)", "true for true and the text true in any case; everything else is false.", `toBool("TRUE")`, `true`, toBool),
	own("type", "xor", "xor(a, b, …)", "Whether an odd number of conditions hold.", `xor(true, false)`, `true`, xor),
}

func push(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	return append(append([]any{}, list...), args[1]), nil
}

func pop(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil || len(list) == 0 {
		return list, err
	}
	return list[:len(list)-1], nil
}

func removeAt(args ...any) (any, error) {
	list, err1 := elementsArg(args, 0)
	i, err2 := intArg(args, 1)
	if err := errors.Join(err1, err2); err != nil || i < 0 || i >= len(list) {
		return list, err
	}
	return append(append([]any{}, list[:i]...), list[i+1:]...), nil
}

func oneOf(args ...any) (any, error) {
	if value.Describe(args[0]) != "a list" {
		return args[0], nil
	}
	list, err := elementsArg(args, 0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func manyOf(args ...any) (any, error) {
	if value.Describe(args[0]) == "a list" {
		return args[0], nil
	}
	return []any{args[0]}, nil
}

func length(args ...any) (any, error) {
	switch t := args[0].(type) {
	case string:
		return utf8.RuneCountInString(t), nil
	case []any:
		return len(t), nil
	case map[string]any:
		return len(t), nil
	case nil:
		return nil, errors.New("null has no length; say what counts instead: v ?? []")
	}
	switch kind := value.Describe(args[0]); kind {
	case "a list", "an object":
		return value.Length(args[0]), nil
	default:
		if _, err := value.Elements(args[0]); err == nil {
			return value.Length(args[0]), nil
		}
		return nil, fmt.Errorf("%s has no length", kind)
	}
}

func first(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func last(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[len(list)-1], nil
}

func take(args ...any) (any, error) {
	list, err1 := elementsArg(args, 0)
	n, err2 := intArg(args, 1)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	n = min(max(n, 0), len(list))
	return list[:n:n], nil
}

func reverse(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	out := slices.Clone(list)
	slices.Reverse(out)
	return out, err
}

func sortList(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	var order any
	if len(args) > 1 {
		order = args[1]
	}
	return Sorted(list, list, order)
}

// uniq knows elements again by their JSON with members sorted and numbers decoded,
// which is the same for values that are equal.
func uniq(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	out := []any{}
	for _, e := range list {
		key, err := value.JSON(value.Decode(e))
		if err != nil {
			return nil, err
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, e)
		}
	}
	return out, nil
}

func concat(args ...any) (any, error) {
	out := []any{}
	for i := range args {
		list, err := elementsArg(args, i)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

func flatten(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, e := range list {
		if value.Describe(e) != "a list" {
			out = append(out, e)
			continue
		}
		inner, err := flatten(value.Open(e))
		if err != nil {
			return nil, err
		}
		out = append(out, inner.([]any)...)
	}
	return out, nil
}

// Sorted is list in the order of keys.
func Sorted(list, keys []any, order any) ([]any, error) {
	sign := 1
	switch order {
	case nil, "asc":
	case "desc":
		sign = -1
	default:
		return nil, errOrder
	}
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	var mistake error
	slices.SortStableFunc(places, func(i, j int) int {
		c, ok := value.Compare(keys[i], keys[j])
		if !ok && mistake == nil {
			mistake = fmt.Errorf("%s and %s have no order: only numbers, texts and times do", value.Describe(keys[i]), value.Describe(keys[j]))
		}
		return sign * c
	})
	out := make([]any, len(list))
	for i, p := range places {
		out[i] = list[p]
	}
	return out, mistake
}

var errOrder = errors.New(`the order is "asc" or "desc"`)
