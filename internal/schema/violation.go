package schema

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Violation is one place where a document is not what its schema asks for. The
// message never repeats a value of the document: values may be secret.
type Violation struct {
	Pointer string `json:"pointer"` // JSON pointer into the document; "" is the document itself
	Keyword string `json:"keyword"` // of the schema: "required", "type" …
	Message string `json:"message"`
}

const (
	maxViolations = 100
	maxNameLength = 100 // of a key that a message repeats
)

// violations flattens what the library found; err is nil or its error.
func violations(err error) []Violation {
	var top *jsonschema.ValidationError
	if !errors.As(err, &top) {
		return nil
	}
	var out []Violation
	collect(top, &out)
	slices.SortStableFunc(out, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Keyword, b.Keyword), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(out)
}

// collect goes down to the failures that say something by themselves. What fails
// inside an alternative is not the author's mistake to fix, so anyOf and oneOf
// are told as one.
func collect(e *jsonschema.ValidationError, out *[]Violation) {
	if len(*out) >= maxViolations {
		return
	}
	switch e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, cause := range e.Causes {
			collect(cause, out)
		}
		return
	}
	at := pointer(e.InstanceLocation)
	for _, told := range tell(e.ErrorKind) {
		if len(*out) < maxViolations {
			*out = append(*out, Violation{Pointer: at, Keyword: told.keyword, Message: told.text})
		}
	}
}

type told struct{ keyword, text string }

// tell puts one failure into words.
func tell(k jsonschema.ErrorKind) []told {
	one := func(keyword, format string, args ...any) []told {
		return []told{{keyword, fmt.Sprintf(format, args...)}}
	}
	switch k := k.(type) {
	case *kind.Required:
		return each("required", k.Missing, "%s is missing")
	case *kind.AdditionalProperties:
		return each("additionalProperties", k.Properties, "%s is not a known key")
	case *kind.DependentRequired:
		return each("dependentRequired", k.Missing, "%s is missing, and is needed beside "+name(k.Prop))
	case *kind.Dependency:
		return each("dependencies", k.Missing, "%s is missing, and is needed beside "+name(k.Prop))
	case *kind.PropertyNames:
		return one("propertyNames", "%s is not a key that is allowed here", name(k.Property))
	case *kind.FalseSchema:
		return one("false", "nothing is allowed here")
	case *kind.Not:
		return one("not", "it is what the schema excludes")
	case *kind.AnyOf:
		return one("anyOf", "it fits none of the allowed forms")
	case *kind.OneOf:
		if k.Subschemas == nil {
			return one("oneOf", "it fits none of the allowed forms")
		}
		return one("oneOf", "it fits more than one of the allowed forms")
	case *kind.Contains:
		return one("contains", "no item is what the schema asks for")
	}
	return tellValue(k, one)
}

// tellValue is tell for the keywords that look at one value.
func tellValue(k jsonschema.ErrorKind, one func(string, string, ...any) []told) []told {
	switch k := k.(type) {
	case *kind.Type:
		return one("type", "it is %s, and must be %s", article(k.Got), articles(k.Want))
	case *kind.Enum:
		return one("enum", "it must be one of %s", literals(k.Want))
	case *kind.Const:
		return one("const", "it must be %s", literals([]any{k.Want}))
	case *kind.Format:
		return one("format", "it is not a valid %s", k.Want)
	case *kind.Pattern:
		return one("pattern", "it does not match %s", k.Want)
	case *kind.MinLength:
		return one("minLength", "it has %d characters, and must have at least %d", k.Got, k.Want)
	case *kind.MaxLength:
		return one("maxLength", "it has %d characters, and may have at most %d", k.Got, k.Want)
	case *kind.MinItems:
		return one("minItems", "it has %d items, and must have at least %d", k.Got, k.Want)
	case *kind.MaxItems:
		return one("maxItems", "it has %d items, and may have at most %d", k.Got, k.Want)
	case *kind.MinProperties:
		return one("minProperties", "it has %d keys, and must have at least %d", k.Got, k.Want)
	case *kind.MaxProperties:
		return one("maxProperties", "it has %d keys, and may have at most %d", k.Got, k.Want)
	case *kind.UniqueItems:
		return one("uniqueItems", "items %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.Minimum:
		return one("minimum", "it must be at least %s", number(k.Want))
	case *kind.Maximum:
		return one("maximum", "it must be at most %s", number(k.Want))
	case *kind.ExclusiveMinimum:
		return one("exclusiveMinimum", "it must be more than %s", number(k.Want))
	case *kind.ExclusiveMaximum:
		return one("exclusiveMaximum", "it must be less than %s", number(k.Want))
	case *kind.MultipleOf:
		return one("multipleOf", "it must be a multiple of %s", number(k.Want))
	}
	keyword := "schema"
	if path := k.KeywordPath(); len(path) > 0 {
		keyword = path[0]
	}
	return one(keyword, "%s", k.LocalizedString(message.NewPrinter(language.English)))
}

func each(keyword string, names []string, format string) []told {
	out := make([]told, 0, len(names))
	for _, n := range names {
		out = append(out, told{keyword, fmt.Sprintf(format, name(n))})
	}
	return out
}

// name quotes a key for a message, cut to a bearable length.
func name(key string) string {
	if runes := []rune(key); len(runes) > maxNameLength {
		key = string(runes[:maxNameLength]) + "…"
	}
	return fmt.Sprintf("%q", key)
}

func article(typ string) string {
	switch typ {
	case "null":
		return typ
	case "array", "integer", "object":
		return "an " + typ
	}
	return "a " + typ
}

func articles(types []string) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = article(t)
	}
	return strings.Join(out, " or ")
}

// literals writes values of the schema, not of the document.
func literals(values []any) string {
	out := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			out[i] = "null"
		case string:
			out[i] = fmt.Sprintf("%q", v)
		case map[string]any:
			out[i] = "a certain object"
		case []any:
			out[i] = "a certain array"
		default:
			out[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(out, ", ")
}

// number writes a bound of the schema in decimals, exactly where that is possible.
func number(r *big.Rat) string {
	digits, _ := r.FloatPrec()
	return r.FloatString(digits)
}

func pointer(path []string) string {
	var b strings.Builder
	for _, token := range path {
		b.WriteByte('/')
		b.WriteString(escapePointer(token))
	}
	return b.String()
}

func escapePointer(token string) string {
	if !strings.ContainsAny(token, "~/") {
		return token
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}
