package expression

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"net/url"
	"strings"

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
	own("object", "get", "get(v, key)", "A member by its name, or an element by its number; the operator v[key] does the same.", `get({"a": 1}, "a")`, `1`, func(args ...any) (any, error) { return at(args[0], args[1]) }),
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

func elementsArg(args []any, i int) ([]any, error) {
	if args[i] == nil {
		return nil, nil
	}
	list, ok := value.Open(args[i]).([]any)
	if !ok {
		return nil, fmt.Errorf("argument %d is %s, not a list", i+1, value.Describe(args[i]))
	}
	return list, nil
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

func objectArg(args []any, i int) (map[string]any, error) {
	if args[i] == nil {
		return nil, nil
	}
	m, ok := value.Open(args[i]).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("argument %d is %s, not an object", i+1, value.Describe(args[i]))
	}
	return m, nil
}

func mergeObjects(args ...any) (any, error) {
	out := map[string]any{}
	for i := range args {
		m, err := objectArg(args, i)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, m)
	}
	return out, nil
}

func pick(keep bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		m, err1 := objectArg(args, 0)
		names, err2 := elementsArg(args, 1)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		wanted := map[string]bool{}
		for _, n := range names {
			if s, ok := n.(string); ok {
				wanted[s] = true
			}
		}
		out := map[string]any{}
		for k, v := range m {
			if wanted[k] == keep {
				out[k] = v
			}
		}
		return out, nil
	}
}

func is(kind string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) { return value.Describe(args[0]) == kind, nil }
}

func toBool(args ...any) (any, error) {
	switch t := value.Scalar(args[0]).(type) {
	case bool:
		return t, nil
	case string:
		return strings.EqualFold(t, "true"), nil
	}
	return false, nil
}

func xor(args ...any) (any, error) {
	odd := false
	for i, a := range args {
		b, ok := a.(bool)
		if !ok {
			return nil, fmt.Errorf("argument %d is %s, not true or false", i+1, value.Describe(a))
		}
		odd = odd != b
	}
	return odd, nil
}

var jsonFunctions = []Function{
	own("JSON", "path", "path(v, gjson)", "What a GJSON path finds.", `path({"lines": [{"sku": "A", "qty": 2}, {"sku": "B", "qty": 1}]}, "lines.#(qty>1)#.sku")`, `["A"]`, queryPath),
	own("JSON", "toJSON", "toJSON(v)", "The value as JSON text, numbers as they came.", `toJSON({"a": 1})`, `"{\"a\":1}"`, toJSON),
	own("JSON", "fromJSON", "fromJSON(s)", "The value of JSON text; numbers stay exact.", `fromJSON("[1, 2]")`, `[1,2]`, fromJSON),
}

func queryPath(args ...any) (any, error) {
	s, err := textArg(args, 1)
	if err != nil {
		return nil, err
	}
	return value.Query(args[0], s), nil
}

func toJSON(args ...any) (any, error) {
	raw, err := value.JSON(args[0])
	return string(raw), err
}

func fromJSON(args ...any) (any, error) {
	s, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	raw, err := value.ParseString(s)
	if err != nil {
		return nil, fmt.Errorf("the text is not JSON: %w", err)
	}
	return value.Exact(raw, value.NewPath()), nil
}

var codeFunctions = []Function{
	own("encoding", "base64Encode", "base64Encode(v)", "Base64.", `base64Encode("a?b")`, `"YT9i"`, encode(base64.StdEncoding.EncodeToString)),
	own("encoding", "base64Decode", "base64Decode(s)", "The text of base64.", `base64Decode("YT9i")`, `"a?b"`, decode(base64.StdEncoding.DecodeString)),
	own("encoding", "base64UrlEncode", "base64UrlEncode(v)", "Base64 with the URL alphabet, without padding.", `base64UrlEncode("a?>b")`, `"YT8-Yg"`, encode(base64.RawURLEncoding.EncodeToString)),
	own("encoding", "base64UrlDecode", "base64UrlDecode(s)", "The text of it.", `base64UrlDecode("YT8-Yg")`, `"a?>b"`, decode(base64.RawURLEncoding.DecodeString)),
	own("encoding", "hexEncode", "hexEncode(v)", "Hexadecimal.", `hexEncode("az")`, `"617a"`, encode(hex.EncodeToString)),
	own("encoding", "hexDecode", "hexDecode(s)", "The text of it.", `hexDecode("617a")`, `"az"`, decode(hex.DecodeString)),
	own("encoding", "urlEncode", "urlEncode(v)", "The text as one segment of a path or one value of a query.", `urlEncode("a b/c")`, `"a%20b%2Fc"`, func(args ...any) (any, error) {
		s, err := value.Text(args[0])
		return url.PathEscape(s), err
	}),
	own("encoding", "urlDecode", "urlDecode(s)", "The text of it.", `urlDecode("a%20b%2Fc")`, `"a b/c"`, func(args ...any) (any, error) {
		s, err := textArg(args, 0)
		if err != nil {
			return nil, err
		}
		out, err := url.PathUnescape(s)
		if err != nil {
			return nil, errors.New("the text is not URL-encoded")
		}
		return out, nil
	}),
	own("hash", "md5", "md5(v, encoding?)", "MD5, for systems that still ask for it.", `md5("a")`, `"0cc175b9c0f1b6a831c399e269772661"`, digest(md5.New)),
	own("hash", "sha1", "sha1(v, encoding?)", "SHA-1, for systems that still ask for it.", `sha1("a")`, `"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"`, digest(sha1.New)),
	own("hash", "sha256", "sha256(v, encoding?)", "SHA-256, in hex or base64.", `sha256("a", "base64")`, `"ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="`, digest(sha256.New)),
	own("hash", "sha512", "sha512(v, encoding?)", "SHA-512, in hex or base64.", `len(sha512("a"))`, `128`, digest(sha512.New)),
	own("hash", "hmacSha256", "hmacSha256(key, v, encoding?)", "HMAC with SHA-256, in hex or base64.", `hmacSha256("key", "text")`, `"6afa9046a9579cad143a384c1b564b9a250d27d6f6a63f9f20bf3a7594c9e2c6"`, hmacSHA256),
	withFrame(own("id", "uuid", "uuid()", "A new id, UUIDv7: later ones sort after earlier ones.", `len(uuid())`, `36`, func(args ...any) (any, error) { return args[0].(*Frame).Host.NewID(), nil })),
	withFrame(own("id", "randomString", "randomString(length, alphabet?)", "A text of random letters and digits; not for secrets.", `len(randomString(8))`, `8`, randomString)),
}

func bytesOf(v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	s, err := value.Text(v)
	return []byte(s), err
}

func encode(f func([]byte) string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		b, err := bytesOf(args[0])
		return f(b), err
	}
}

func decode(f func(string) ([]byte, error)) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		s, err := textArg(args, 0)
		if err != nil {
			return nil, err
		}
		b, err := f(s)
		if err != nil {
			return nil, errors.New("the text is not encoded so")
		}
		return string(b), nil
	}
}

func encoded(sum []byte, args []any, i int) (any, error) {
	as, err := textArg(args, i)
	if err != nil {
		return nil, err
	}
	switch as {
	case "", "hex":
		return hex.EncodeToString(sum), nil
	case "base64":
		return base64.StdEncoding.EncodeToString(sum), nil
	}
	return nil, errors.New("the encoding is hex or base64")
}

func digest(h func() hash.Hash) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		b, err := bytesOf(args[0])
		if err != nil {
			return nil, err
		}
		d := h()
		d.Write(b)
		return encoded(d.Sum(nil), args, 1)
	}
}

func hmacSHA256(args ...any) (any, error) {
	key, err1 := bytesOf(args[0])
	b, err2 := bytesOf(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, key)
	m.Write(b)
	return encoded(m.Sum(nil), args, 2)
}

func randomString(args ...any) (any, error) {
	f := args[0].(*Frame)
	n, err := intArg(args, 1)
	if err != nil || n < 0 || n > maxText {
		return nil, errors.New("length is a whole number that is not too large")
	}
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if len(args) > 2 {
		if alphabet, err = textArg(args, 2); err != nil {
			return nil, err
		}
	}
	if alphabet == "" {
		return nil, errors.New("the alphabet is empty")
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[int(f.Host.Random()*float64(len(alphabet)))]
	}
	return string(b), nil
}
