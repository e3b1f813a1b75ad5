package expression

// Equivalent is what a "Double Braces" function is here.
type Equivalent struct{ Digibee, Ours string }

// DigibeeEquivalents maps the functions users know to ours.
func DigibeeEquivalents() []Equivalent {
	return []Equivalent{
		{"AND", "a and b"}, {"OR", "a or b"}, {"NOT", "not a"}, {"XOR", "xor(a, b)"},
		{"EQUALTO", "a == b"}, {"GREATERTHAN", "a > b"}, {"GREATERTHANEQUAL", "a >= b"}, {"LESSTHAN", "a < b"}, {"LESSTHANEQUAL", "a <= b"},
		{"IF", "c ? a : b"}, {"SWITCHCASE", "c1 ? r1 : c2 ? r2 : default"},
		{"ISOBJECT", "isObject(v)"}, {"ISARRAY", "isArray(v)"}, {"ISBOOLEAN", "isBool(v)"}, {"ISSTRING", "isString(v)"}, {"ISNUMBER", "isNumber(v)"}, {"ISNULL", "isNull(v)"},
		{"FORMATDATE", "formatDate(parseDate(v, layout), layout, timezone)"}, {"NOW", "epochMillis(now())"}, {"SUMDATE", "epochMillis(addDate(fromEpochMillis(ms), n, unit, timezone))"},
		{"TOISODATE", "parseDate(v, layout, timezone)"}, {"DIFFDATE", "diffDate(a, b, unit)"},
		{"FILEEXISTS", "none: expressions do no I/O"}, {"FILESIZE", "none: expressions do no I/O"},
		{"JSONPATH", "path(v, gjson)"}, {"TOJSON", "fromJSON(s)"}, {"UNESCAPEJSON", "unescape(s, \"json\")"},
		{"GETELEMENTAT", "list[i]"}, {"LASTELEMENT", "last(list)"}, {"REMOVEAT", "removeAt(list, i)"}, {"PUSH", "push(list, v)"}, {"POP", "pop(list) and last(list)"},
		{"NEWEMPTYOBJECT", "{}"}, {"NEWEMPTYARRAY", "[]"}, {"CARDINALITYONE", "firstOf(v)"}, {"CARDINALITYMANY", "listOf(v)"},
		{"ARRAYTOOBJECT", "fromPairs(pairs)"}, {"OBJECTTOARRAY", "toPairs(object)"},
		{"ABS", "abs(n)"}, {"CEIL", "ceil(n)"}, {"ROUND", "round(n)"}, {"SQRT", "sqrt(n)"}, {"POW", "pow(n, e)"}, {"LOG", "log(n, base)"},
		{"MAX", "max(a, b)"}, {"MIN", "min(a, b)"}, {"MOD", "a % b"}, {"DIVIDE", "a / b"}, {"SUBTRACT", "a - b"}, {"MULTIPLY", "a * b"}, {"SUM", "sum(list) or a + b"},
		{"FORMATNUMBER", "formatNumber(n, digits, decimal, thousands)"}, {"TONUMBER", "parseNumber(s, decimal, thousands)"},
		{"TOINT", "int(v)"}, {"TOLONG", "int(v)"}, {"TODOUBLE", "float(v)"}, {"RANDOMNUMBERS", "randomInt(from, to)"},
		{"CAPITALIZE", "capitalize(s)"}, {"LOWERCASE", "lower(s)"}, {"UPPERCASE", "upper(s)"}, {"TRIM", "trim(s)"}, {"NORMALIZE", "normalize(s)"},
		{"CONCAT", "a + b, or a text with several ${{ }}"}, {"CONCATWITHOUTTAB", "replace(a + b, \"\\t\", \" \")"},
		{"JOIN", "join(list, between)"}, {"SPLIT", "splitRegex(s, pattern)"}, {"CONTAINS", "s contains part"}, {"INDEXOF", "indexOf(s, part)"}, {"LASTINDEXOF", "lastIndexOf(s, part)"},
		{"MATCHES", "s matches pattern"}, {"STRINGMATCHES", "matchAll(s, pattern)"}, {"REPLACE", "replaceRegex(s, pattern, with)"},
		{"SUBSTRING", "substring(s, from, to)"}, {"LEFTPAD", "padLeft(s, length, with)"}, {"RIGHTPAD", "padRight(s, length, with)"},
		{"DEFAULT", "v ?? fallback"}, {"ESCAPE", "escape(s, kind)"}, {"UNESCAPE", "unescape(s, kind)"}, {"TOSTRING", "string(v)"},
		{"RANDOMSTRINGS", "randomString(length, alphabet)"}, {"FUZZYMATCH", "similarity(a, b)"},
		{"BASEENCODE", "base64Encode(s)"}, {"BASEDECODE", "base64Decode(s)"}, {"BASEURLENCODE", "base64UrlEncode(s)"}, {"BASEURLDECODE", "base64UrlDecode(s)"},
		{"URIENCODE", "urlEncode(s)"}, {"URIDECODE", "urlDecode(s)"}, {"UUID", "uuid()"}, {"TOBOOLEAN", "toBool(v)"}, {"SIZE", "len(v)"},
	}
}
