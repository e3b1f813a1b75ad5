package schema

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tidwall/gjson"
)

// quickNode is the part of a schema the quick walk checks. Its answers are
// "valid" and "not sure"; whatever it cannot decide exactly is "not sure".
type quickNode struct {
	kinds     kinds
	formats   []*jsonschema.Format
	pattern   jsonschema.Regexp
	enum      []string // the value must be one of these strings; nil: no such rule
	minLength int
	maxLength int // -1: no limit

	bounds []bound

	items    *quickNode
	minItems int
	maxItems int // -1: no limit

	keys     map[string]quickKey
	required uint64 // bits of the keys that must be there
	closed   bool   // no other keys
}

// quickKey is a key the schema names; node is nil where any value will do.
type quickKey struct {
	bit  uint64
	node *quickNode
}

// bound is one of minimum, maximum and their exclusive forms.
type bound struct {
	limit     float64
	whole     int64
	isWhole   bool // limit is exactly whole
	above     bool // the number must be above the limit, else below
	exclusive bool
}

type kinds uint8

const (
	kindNull kinds = 1 << iota
	kindBool
	kindInteger
	kindNumber
	kindString
	kindArray
	kindObject

	anyKind = kindNull | kindBool | kindInteger | kindNumber | kindString | kindArray | kindObject
)

// maxHops is how many references in a row are followed.
const maxHops = 16

// compileQuick returns nil where s uses a keyword the quick walk does not know.
func compileQuick(s *jsonschema.Schema) *quickNode {
	c := quickCompiler{nodes: map[*jsonschema.Schema]*quickNode{}}
	n := c.node(s)
	if c.unknown {
		return nil
	}
	return n
}

type quickCompiler struct {
	nodes   map[*jsonschema.Schema]*quickNode
	unknown bool
}

func (c *quickCompiler) node(s *jsonschema.Schema) *quickNode {
	if s == nil || c.unknown {
		return nil
	}
	for hops := 0; s.Ref != nil && onlyRef(s); hops++ {
		if hops == maxHops {
			c.unknown = true // a reference that comes back to itself
			return nil
		}
		s = s.Ref
	}
	if n := c.nodes[s]; n != nil {
		return n
	}
	n := &quickNode{kinds: anyKind, maxLength: -1, maxItems: -1}
	c.nodes[s] = n // before the parts: a schema may hold itself
	if s.Bool != nil {
		c.unknown = c.unknown || !*s.Bool
		return n
	}
	c.unknown = c.unknown || s.DraftVersion < 2020 || hasUnknownKeyword(s)
	c.scalars(n, s)
	c.array(n, s)
	c.object(n, s)
	return n
}

// onlyRef reports whether s is nothing but a reference and notes for people.
func onlyRef(s *jsonschema.Schema) bool {
	return !hasOtherThanRef(s) && s.Types == nil && s.Enum == nil && s.Const == nil && s.Format == nil &&
		s.Pattern == nil && s.MinLength == nil && s.MaxLength == nil && s.Items2020 == nil &&
		s.MinItems == nil && s.MaxItems == nil && s.Properties == nil && s.Required == nil &&
		s.AdditionalProperties == nil && s.Minimum == nil && s.Maximum == nil &&
		s.ExclusiveMinimum == nil && s.ExclusiveMaximum == nil
}

func hasUnknownKeyword(s *jsonschema.Schema) bool { return s.Ref != nil || hasOtherThanRef(s) }

func hasOtherThanRef(s *jsonschema.Schema) bool {
	return s.RecursiveRef != nil || s.DynamicRef != nil || s.Not != nil ||
		len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) > 0 || s.If != nil ||
		s.MaxProperties != nil || s.MinProperties != nil || s.PropertyNames != nil ||
		len(s.PatternProperties)+len(s.Dependencies)+len(s.DependentRequired)+len(s.DependentSchemas) > 0 ||
		s.UnevaluatedProperties != nil || s.UnevaluatedItems != nil || s.UniqueItems ||
		s.Contains != nil || s.MinContains != nil || s.MaxContains != nil || s.Items != nil ||
		s.AdditionalItems != nil || len(s.PrefixItems) > 0 || s.MultipleOf != nil || len(s.Extensions) > 0
}

func (c *quickCompiler) scalars(n *quickNode, s *jsonschema.Schema) {
	if s.Types != nil {
		n.kinds = 0
		for _, name := range s.Types.ToStrings() {
			n.kinds |= map[string]kinds{
				"null": kindNull, "boolean": kindBool, "integer": kindInteger, "number": kindInteger | kindNumber,
				"string": kindString, "array": kindArray, "object": kindObject,
			}[name]
		}
	}
	if s.Format != nil {
		n.formats = append(n.formats, s.Format)
	}
	n.pattern = s.Pattern
	if s.MinLength != nil {
		n.minLength = *s.MinLength
	}
	if s.MaxLength != nil {
		n.maxLength = *s.MaxLength
	}
	if s.Const != nil {
		c.enum(n, []any{*s.Const})
	}
	if s.Enum != nil {
		c.enum(n, s.Enum.Values)
	}
	c.bound(n, s.Minimum, true, false)
	c.bound(n, s.Maximum, false, false)
	c.bound(n, s.ExclusiveMinimum, true, true)
	c.bound(n, s.ExclusiveMaximum, false, true)
}

// enum knows strings only.
func (c *quickCompiler) enum(n *quickNode, values []any) {
	c.unknown = c.unknown || n.enum != nil
	n.enum = []string{}
	for _, v := range values {
		text, ok := v.(string)
		c.unknown = c.unknown || !ok
		n.enum = append(n.enum, text)
	}
}

func (c *quickCompiler) bound(n *quickNode, limit *big.Rat, above, exclusive bool) {
	if limit == nil {
		return
	}
	b := bound{above: above, exclusive: exclusive}
	b.limit, _ = limit.Float64()
	if limit.IsInt() && limit.Num().IsInt64() {
		b.whole, b.isWhole = limit.Num().Int64(), true
	}
	n.bounds = append(n.bounds, b)
}

func (c *quickCompiler) array(n *quickNode, s *jsonschema.Schema) {
	n.items = c.node(s.Items2020)
	if s.MinItems != nil {
		n.minItems = *s.MinItems
	}
	if s.MaxItems != nil {
		n.maxItems = *s.MaxItems
	}
}

func (c *quickCompiler) object(n *quickNode, s *jsonschema.Schema) {
	n.keys = make(map[string]quickKey, len(s.Properties)+len(s.Required))
	for key, sub := range s.Properties {
		n.keys[key] = quickKey{node: c.node(sub)}
	}
	for _, key := range s.Required {
		if _, named := n.keys[key]; !named {
			n.keys[key] = quickKey{}
		}
	}
	bit := uint64(1)
	for key, k := range n.keys {
		k.bit = bit
		n.keys[key] = k
		bit <<= 1
	}
	for _, key := range s.Required {
		n.required |= n.keys[key].bit
	}
	n.closed = forbids(s.AdditionalProperties)
	_, schema := s.AdditionalProperties.(*jsonschema.Schema)
	c.unknown = c.unknown || len(n.keys) > 64 || (schema && !n.closed)
}

// accepts reports whether the document is surely valid.
func (n *quickNode) accepts(text string) bool { return n.value(gjson.Parse(text), 0) }

func (n *quickNode) value(v gjson.Result, depth int) bool {
	switch v.Type {
	case gjson.Null:
		return n.kinds&kindNull != 0 && n.enum == nil
	case gjson.True, gjson.False:
		return n.kinds&kindBool != 0 && n.enum == nil
	case gjson.Number:
		return n.enum == nil && n.number(v.Raw)
	case gjson.String:
		return n.kinds&kindString != 0 && n.text(v.Str)
	}
	switch {
	case depth >= maxDepth || n.enum != nil || len(n.formats) > 0:
		return false
	case v.IsArray():
		return n.kinds&kindArray != 0 && n.array(v, depth)
	}
	return n.kinds&kindObject != 0 && n.object(v, depth)
}

func (n *quickNode) number(raw string) bool {
	whole := !strings.ContainsAny(raw, ".eE")
	if !(n.kinds&kindNumber != 0 || whole && n.kinds&kindInteger != 0) || len(n.formats) > 0 {
		return false
	}
	if !reasonable(raw) {
		return false
	}
	if len(n.bounds) == 0 {
		return true
	}
	integer, err := strconv.ParseInt(raw, 10, 64)
	exact := err == nil
	decimal, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return false
	}
	for _, b := range n.bounds {
		if !b.holds(integer, exact, decimal) {
			return false
		}
	}
	return true
}

// holds compares integers exactly. Decimals are compared as floats, which keeps
// order but may make neighbours equal, so equality is "not sure".
func (b bound) holds(integer int64, exact bool, decimal float64) bool {
	if exact && b.isWhole {
		if integer == b.whole {
			return !b.exclusive
		}
		return (integer > b.whole) == b.above
	}
	return decimal != b.limit && (decimal > b.limit) == b.above
}

func (n *quickNode) text(s string) bool {
	if n.enum != nil && !contains(n.enum, s) {
		return false
	}
	if n.minLength > 0 || n.maxLength >= 0 {
		length := utf8.RuneCountInString(s)
		if length < n.minLength || n.maxLength >= 0 && length > n.maxLength {
			return false
		}
	}
	if n.pattern != nil && !n.pattern.MatchString(s) {
		return false
	}
	for _, f := range n.formats {
		if f.Validate(s) != nil {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

func (n *quickNode) array(v gjson.Result, depth int) bool {
	count, ok := 0, true
	v.ForEach(func(_, item gjson.Result) bool {
		count++
		ok = n.items == nil && plain(item) || n.items != nil && n.items.value(item, depth+1)
		return ok
	})
	return ok && count >= n.minItems && (n.maxItems < 0 || count <= n.maxItems)
}

// maxOthers is how many keys the schema does not name are checked for duplicates
// before giving up.
const maxOthers = 16

func (n *quickNode) object(v gjson.Result, depth int) bool {
	var (
		seen   uint64
		others [maxOthers]string
		count  int
		ok     = true
	)
	v.ForEach(func(key, item gjson.Result) bool {
		k, named := n.keys[key.Str]
		switch {
		case named:
			ok = seen&k.bit == 0 && (k.node == nil && plain(item) || k.node != nil && k.node.value(item, depth+1))
			seen |= k.bit
		case n.closed || count == maxOthers || contains(others[:count], key.Str) || !plain(item):
			ok = false
		default:
			others[count] = key.Str
			count++
		}
		return ok
	})
	return ok && seen&n.required == n.required
}

// plain reports whether a value the schema says nothing about can be let in
// without looking into it.
func plain(v gjson.Result) bool {
	return v.Type != gjson.Number || reasonable(v.Raw)
}
