package function

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"pipelined/internal/value"
)

var textFunctions = []Function{
	own("text", "capitalize", "capitalize(s)", "The text with its first letter in upper case.", `capitalize("order one")`, `"Order one"`, text1(capitalize)),
	own("text", "normalize", "normalize(s)", "The text without accents.", `normalize("São João")`, `"Sao Joao"`, text1(withoutAccents)),
	own("text", "substring", "substring(s, from, to?)", "The characters from one index to before another; beyond the end is cut.", `substring("pipelined", 0, 4)`, `"pipe"`, substring),
	own("text", "padLeft", "padLeft(s, length, with?)", "The text filled up on the left.", `padLeft("7", 3, "0")`, `"007"`, pad(true)),
	own("text", "padRight", "padRight(s, length, with?)", "The text filled up on the right.", `padRight("a", 3, ".")`, `"a.."`, pad(false)),
	own("text", "replaceRegex", "replaceRegex(s, pattern, with)", "Every match of a pattern (RE2) replaced; $1 is its first group.", `replaceRegex("a-1 b-2", "([a-z])-([0-9])", "$2$1")`, `"1a 2b"`, replaceRegex),
	own("text", "matchAll", "matchAll(s, pattern)", "Every match of a pattern (RE2).", `matchAll("a1 b22", "[0-9]+")`, `["1","22"]`, matchAll),
	own("text", "matchGroups", "matchGroups(s, pattern)", "The groups of the first match, the whole match first; null if there is none.", `matchGroups("order-42", "([a-z]+)-([0-9]+)")`, `["order-42","order","42"]`, matchGroups),
	own("text", "splitRegex", "splitRegex(s, pattern)", "The text cut at every match of a pattern (RE2).", `splitRegex("a, b;c", "[,;] *")`, `["a","b","c"]`, splitRegex),
	own("text", "escape", "escape(s, kind)", "The text as it may stand inside json, xml, html or csv.", `escape("a<b", "html")`, `"a&lt;b"`, escapeText),
	own("text", "unescape", "unescape(s, kind)", "The text escape was given.", `unescape("a&lt;b", "html")`, `"a<b"`, unescapeText),
	own("text", "similarity", "similarity(s, other)", "How alike two texts are, from 0 to 1 (edit distance).", `similarity("colour", "color")`, `0.8333333333333334`, similarity),
	own("text", "string", "string(v)", "The value as text: texts bare, numbers as they came, everything else as JSON.", `string(42)`, `"42"`, func(args ...any) (any, error) { return value.Text(args[0]) }),
	own("text", "trim", "trim(s, characters?)", "The text without spaces, or the given characters, at both ends.", `trim("  a ")`, `"a"`, trim),
	own("text", "trimPrefix", "trimPrefix(s, prefix?)", "The text without a prefix; a space if none is given.", `trimPrefix("order-1", "order-")`, `"1"`, without(strings.TrimPrefix)),
	own("text", "trimSuffix", "trimSuffix(s, suffix?)", "The text without a suffix; a space if none is given.", `trimSuffix("a.csv", ".csv")`, `"a"`, without(strings.TrimSuffix)),
	own("text", "upper", "upper(s)", "The text in upper case.", `upper("abc")`, `"ABC"`, text1(strings.ToUpper)),
	own("text", "lower", "lower(s)", "The text in lower case.", `lower("ABC")`, `"abc"`, text1(strings.ToLower)),
	own("text", "split", "split(s, by, n?)", "The text cut at a separator.", `split("a,b", ",")`, `["a","b"]`, split),
	own("text", "replace", "replace(s, old, new)", "Every occurrence of a text replaced.", `replace("a-b", "-", "+")`, `"a+b"`, replace),
	own("text", "repeat", "repeat(s, n)", "The text n times.", `repeat("ab", 2)`, `"abab"`, repeat),
	own("text", "indexOf", "indexOf(s, part)", "Where a part begins; -1 if nowhere.", `indexOf("order", "d")`, `2`, indexOf(strings.Index)),
	own("text", "lastIndexOf", "lastIndexOf(s, part)", "Where a part begins for the last time; -1 if nowhere.", `lastIndexOf("banana", "an")`, `3`, indexOf(strings.LastIndex)),
	own("text", "hasPrefix", "hasPrefix(s, prefix)", "Whether the text begins so; the operator startsWith does the same.", `hasPrefix("order", "or")`, `true`, text2(func(s, x string) any { return strings.HasPrefix(s, x) })),
	own("text", "hasSuffix", "hasSuffix(s, suffix)", "Whether the text ends so; the operator endsWith does the same.", `hasSuffix("order", "er")`, `true`, text2(func(s, x string) any { return strings.HasSuffix(s, x) })),
	own("text", "join", "join(list, between?)", "The texts of a list as one.", `join(["a", "b"], ", ")`, `"a, b"`, join),
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

func withoutAccents(s string) string {
	t := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	out, _, err := transform.String(t, s)
	if err != nil {
		return s
	}
	return out
}

func substring(args ...any) (any, error) {
	s, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	chars := []rune(s)
	from, err := intArg(args, 1)
	if err != nil {
		return nil, err
	}
	to := len(chars)
	if len(args) > 2 && args[2] != nil {
		if to, err = intArg(args, 2); err != nil {
			return nil, err
		}
	}
	from, to = min(max(from, 0), len(chars)), min(to, len(chars))
	return string(chars[from:max(from, to)]), nil
}

func pad(left bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		s, err := textArg(args, 0)
		if err != nil {
			return nil, err
		}
		length, err := intArg(args, 1)
		if err != nil {
			return nil, err
		}
		with := " "
		if len(args) > 2 {
			if with, err = textArg(args, 2); err != nil {
				return nil, err
			}
		}
		missing := length - utf8.RuneCountInString(s)
		if missing <= 0 || with == "" {
			return s, nil
		}
		if length > MaxText {
			return nil, errors.New("the text would be too long")
		}
		fill := []rune(strings.Repeat(with, missing/utf8.RuneCountInString(with)+1))[:missing]
		if left {
			return string(fill) + s, nil
		}
		return s + string(fill), nil
	}
}

// errTooMuch is the error of an expression that makes more than an expression may.
var errTooMuch = fmt.Errorf("the result is larger than %d MB", MaxText>>20)

func trim(args ...any) (any, error) {
	s, err := texts(args, len(args))
	if err != nil {
		return nil, err
	}
	if len(s) > 1 {
		return strings.Trim(s[0], s[1]), nil
	}
	return strings.TrimSpace(s[0]), nil
}

// without takes a part of a text away, a space unless another is given.
func without(take func(s, part string) string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if len(args) == 1 {
			args = append(args, " ")
		}
		s, err := texts(args, 2)
		if err != nil {
			return nil, err
		}
		return take(s[0], s[1]), nil
	}
}

func split(args ...any) (any, error) {
	s, err := texts(args, 2)
	if err != nil {
		return nil, err
	}
	n := -1
	if len(args) > 2 {
		if n, err = intArg(args, 2); err != nil {
			return nil, err
		}
	}
	return anyList(strings.SplitN(s[0], s[1], n)), nil
}

func replace(args ...any) (any, error) {
	s, err := texts(args, 3)
	if err != nil {
		return nil, err
	}
	if n := strings.Count(s[0], s[1]); len(s[0])+n*(len(s[2])-len(s[1])) > MaxText {
		return nil, errTooMuch
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func repeat(args ...any) (any, error) {
	s, err := textArg(args, 0)
	if err != nil {
		return nil, err
	}
	n, err := intArg(args, 1)
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, errors.New("a text cannot be repeated less than 0 times")
	case n > MaxText || n*len(s) > MaxText:
		return nil, errTooMuch
	}
	return strings.Repeat(s, n), nil
}

// indexOf counts in characters, as substring does.
func indexOf(find func(s, part string) int) func(args ...any) (any, error) {
	return text2(func(s, part string) any {
		i := find(s, part)
		if i < 0 {
			return -1
		}
		return utf8.RuneCountInString(s[:i])
	})
}

func join(args ...any) (any, error) {
	list, err := elementsArg(args, 0)
	if err != nil {
		return nil, err
	}
	between, err := textArg(args, 1)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, e := range list {
		s, err := value.Text(e)
		if err != nil {
			return nil, err
		}
		if b.Len()+len(between)+len(s) > MaxText {
			return nil, errTooMuch
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func anyList[T any](list []T) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = e
	}
	return out
}

func similarity(args ...any) (any, error) {
	s, err := texts(args, 2)
	if err != nil {
		return nil, err
	}
	a, b := []rune(s[0]), []rune(s[1])
	if len(a) > maxCompared || len(b) > maxCompared {
		return nil, fmt.Errorf("similarity compares texts of at most %d characters", maxCompared)
	}
	longest := max(len(a), len(b))
	if longest == 0 {
		return 1.0, nil
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return 1 - float64(row[len(b)])/float64(longest), nil
}

// maxCompared bounds the quadratic cost of similarity.
const maxCompared = 1000
