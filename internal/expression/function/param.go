package function

import (
	"strings"

	"pipelined/internal/value"
)

// Param is a parameter as its name in a signature says.
type Param struct {
	Name     string
	Kind     value.Kind
	Optional bool
	Many     bool // it may be given again and again
}

// paramKinds are the kinds that names of parameters stand for; other names take
// anything.
var paramKinds = map[string]value.Kind{
	"s": value.String, "other": value.String, "part": value.String, "prefix": value.String, "suffix": value.String, "by": value.String, "old": value.String, "new": value.String, "with": value.String,
	"pattern": value.String, "kind": value.String, "alphabet": value.String, "layout": value.String, "timezone": value.String, "unit": value.String, "between": value.String,
	"encoding": value.String, "characters": value.String, "decimal": value.String, "thousands": value.String, "gjson": value.String, "order": value.String,
	"n": value.Number, "e": value.Number, "base": value.Number, "digits": value.Number, "length": value.Number, "from": value.Number, "to": value.Number, "i": value.Number,
	"list": value.Array, "names": value.Array, "pairs": value.Array,
	"object": value.Object,
}

// paramsOf reads the parameters from a signature: f(s, from, to?) or f(a, b, …).
func paramsOf(signature string) []Param {
	_, inner, _ := strings.Cut(strings.TrimSuffix(signature, ")"), "(")
	var out []Param
	for name := range strings.SplitSeq(inner, ", ") {
		switch bare := strings.TrimSuffix(name, "?"); bare {
		case "":
		case "…":
			out[len(out)-1].Many = true
		default:
			out = append(out, Param{Name: bare, Kind: paramKinds[bare], Optional: bare != name})
		}
	}
	if n := len(out); n > 1 && out[n-1].Many { // f(a, b, …) takes a alone, too
		out[n-1].Optional = true
	}
	return out
}

// Takes reports whether a function takes n arguments.
func (f *Function) Takes(n int) bool {
	least := 0
	for _, p := range f.params {
		if !p.Optional {
			least++
		}
	}
	many := len(f.params) > 0 && f.params[len(f.params)-1].Many
	return n >= least && (many || n <= len(f.params))
}

// Param is what stands at argument i.
func (f *Function) Param(i int) Param { return f.params[min(i, len(f.params)-1)] }

// results are the kinds of what functions give; the others may give anything.
var results = resultKinds(map[value.Kind]string{
	value.String: `capitalize normalize substring padLeft padRight replaceRegex escape unescape string trim trimPrefix trimSuffix upper lower replace repeat join
		formatNumber formatDate type toJSON base64Encode base64Decode base64UrlEncode base64UrlDecode hexEncode hexDecode urlEncode urlDecode
		md5 sha1 sha256 sha512 hmacSha256 uuid randomString`,
	value.Number:  `similarity sqrt pow log roundTo trunc parseNumber random abs ceil floor round float mean median`,
	value.Integer: `indexOf lastIndexOf len randomInt int diffDate epochMillis bitand bitor bitxor bitnand bitnot bitshl bitshr bitushr`,
	value.Bool:    `hasPrefix hasSuffix isObject isArray isString isNumber isBool isNull toBool xor`,
	value.Array:   `split splitRegex matchAll sort reverse uniq concat flatten take push pop removeAt listOf keys values toPairs`,
	value.Object:  `fromPairs merge pick omit`,
})

func resultKinds(names map[value.Kind]string) map[string]value.Kind {
	out := map[string]value.Kind{}
	for kind, list := range names {
		for _, name := range strings.Fields(list) {
			out[name] = kind
		}
	}
	return out
}
