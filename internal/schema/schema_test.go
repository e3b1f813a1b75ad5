package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pipelined/internal/value"
)

const orderSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["id", "lines"],
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^o-"},
    "placed_at": {"type": "string", "format": "date-time"},
    "customer": {"$ref": "#/$defs/customer"},
    "lines": {
      "type": "array", "minItems": 1, "maxItems": 100,
      "items": {
        "type": "object",
        "required": ["sku", "qty", "price"],
        "properties": {
          "sku": {"type": "string"},
          "qty": {"type": "integer", "minimum": 1},
          "price": {"type": "number", "exclusiveMinimum": 0}
        },
        "additionalProperties": false
      }
    },
    "shipping": {
      "type": "object",
      "properties": {
        "speed": {"enum": ["standard", "express"]},
        "country": {"type": "string", "minLength": 2, "maxLength": 2},
        "gift": {"type": ["boolean", "null"]}
      }
    }
  },
  "$defs": {
    "customer": {
      "type": "object",
      "required": ["id"],
      "properties": {"id": {"type": "string"}, "email": {"type": "string", "format": "email"}}
    }
  }
}`

const order = `{"id":"o-1001","placed_at":"2026-03-08T09:30:00Z","customer":{"id":"c-77","email":"ada@example.com","name":"Ada Lovelace"},` +
	`"lines":[{"sku":"A-1","qty":2,"price":19.99},{"sku":"B-2","qty":1,"price":250},{"sku":"C-3","qty":10,"price":3.5},` +
	`{"sku":"D-4","qty":4,"price":12.25},{"sku":"E-5","qty":1,"price":899.0}],` +
	`"shipping":{"speed":"express","country":"DE","city":"Berlin","street":"Unter den Linden 1","zip":"10117","gift":null,"note":"Leave with the neighbour if nobody answers the bell"},` +
	`"channel":"web","currency":"EUR","locale":"de-DE","coupon":"SPRING","comment":"Please pack the glass separately"}`

func compile(t testing.TB, doc string) *Schema {
	t.Helper()
	s, err := Compile("schemas/test.json", []byte(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func describe(list []Violation) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.Pointer + " " + v.Keyword + ": " + v.Message
	}
	return strings.Join(out, "\n")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, schema, doc, want string
	}{
		{"a valid order has no violations", orderSchema, order, ""},
		{"a missing key is told at its object", orderSchema, `{"id":"o-1"}`, ` required: "lines" is missing`},
		{"every missing key is told", `{"required":["a","b"]}`, `{}`, " required: \"a\" is missing\n required: \"b\" is missing"},
		{"a wrong type names both types", orderSchema, `{"id":7,"lines":[{"sku":"a","qty":1,"price":1}]}`, `/id type: it is a number, and must be a string`},
		{"null is not an object", `{"type":["object","array"]}`, `null`, ` type: it is null, and must be an array or an object`},
		{"an unknown key of a closed object", orderSchema, `{"id":"o-1","lines":[{"sku":"a","qty":1,"price":1,"x":1}]}`, `/lines/0 additionalProperties: "x" is not a known key`},
		{"too few items", orderSchema, `{"id":"o-1","lines":[]}`, `/lines minItems: it has 0 items, and must have at least 1`},
		{"too many items", `{"maxItems":1}`, `[1,2]`, ` maxItems: it has 2 items, and may have at most 1`},
		{"a pattern is told without the value", orderSchema, `{"id":"secret","lines":[{"sku":"a","qty":1,"price":1}]}`, `/id pattern: it does not match ^o-`},
		{"a format is told without the value", `{"format":"email"}`, `"secret"`, ` format: it is not a valid email`},
		{"an enum lists what is allowed", `{"enum":["a",1,null,{"a":1},[1]]}`, `"secret"`, ` enum: it must be one of "a", 1, null, a certain object, a certain array`},
		{"a const", `{"const":true}`, `false`, ` const: it must be true`},
		{"lengths count characters", `{"minLength":3,"maxLength":3}`, `"äöü"`, ``},
		{"too short", `{"minLength":3}`, `"äö"`, ` minLength: it has 2 characters, and must have at least 3`},
		{"too long", `{"maxLength":1}`, `"äö"`, ` maxLength: it has 2 characters, and may have at most 1`},
		{"too few keys", `{"minProperties":1}`, `{}`, ` minProperties: it has 0 keys, and must have at least 1`},
		{"too many keys", `{"maxProperties":0}`, `{"a":1}`, ` maxProperties: it has 1 keys, and may have at most 0`},
		{"a minimum", `{"minimum":1.5}`, `1.4`, ` minimum: it must be at least 1.5`},
		{"a maximum", `{"maximum":3}`, `4`, ` maximum: it must be at most 3`},
		{"an exclusive minimum", `{"exclusiveMinimum":0}`, `0`, ` exclusiveMinimum: it must be more than 0`},
		{"an exclusive maximum", `{"exclusiveMaximum":0}`, `0.0`, ` exclusiveMaximum: it must be less than 0`},
		{"a multiple", `{"multipleOf":0.01}`, `0.001`, ` multipleOf: it must be a multiple of 0.01`},
		{"a decimal multiple is exact", `{"multipleOf":0.01}`, `19.99`, ``},
		{"large integers are compared exactly", `{"maximum":9007199254740992}`, `9007199254740993`, ` maximum: it must be at most 9007199254740992`},
		{"integers beyond 64 bits are compared exactly", `{"maximum":100000000000000000000}`, `100000000000000000001`, ` maximum: it must be at most 100000000000000000000`},
		{"decimals next to a bound are compared exactly", `{"maximum":0.1}`, `0.1000000000000000000001`, ` maximum: it must be at most 0.1`},
		{"1.0 is an integer", `{"type":"integer"}`, `1.0`, ``},
		{"1.5 is not an integer", `{"type":"integer"}`, `1.5`, ` type: it is a number, and must be an integer`},
		{"equal items", `{"uniqueItems":true}`, `[1,2,1.0]`, ` uniqueItems: items 0 and 2 are equal`},
		{"alternatives are told as one", `{"anyOf":[{"type":"string"},{"required":["a"]}]}`, `{}`, ` anyOf: it fits none of the allowed forms`},
		{"none of the exclusive alternatives", `{"oneOf":[{"type":"string"},{"type":"null"}]}`, `1`, ` oneOf: it fits none of the allowed forms`},
		{"more than one of the exclusive alternatives", `{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `1`, ` oneOf: it fits more than one of the allowed forms`},
		{"all parts are told", `{"allOf":[{"required":["a"]},{"properties":{"b":{"type":"string"}}}]}`, `{"b":1}`, " required: \"a\" is missing\n/b type: it is a number, and must be a string"},
		{"a negation", `{"not":{"type":"string"}}`, `"a"`, ` not: it is what the schema excludes`},
		{"no item fits", `{"contains":{"const":1}}`, `[2,3]`, ` contains: no item is what the schema asks for`},
		{"dependent keys", `{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, ` dependentRequired: "b" is missing, and is needed beside "a"`},
		{"dependencies of an earlier draft", `{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"a":["b"]}}`, `{"a":1}`, ` dependencies: "b" is missing, and is needed beside "a"`},
		{"names of keys", `{"propertyNames":{"maxLength":1}}`, `{"ab":1}`, ` propertyNames: "ab" is not a key that is allowed here`},
		{"nothing is allowed", `{"properties":{"a":false}}`, `{"a":1}`, `/a false: nothing is allowed here`},
		{"unevaluated keys", `{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}`, `{"a":1,"b":2}`, `/b false: nothing is allowed here`},
		{"a keyword without words of its own", `{"contains":{"const":1},"minContains":2}`, `[1]`, ` minContains: min 2 items required to match contains schema, but matched 1 items at 0`},
		{"pointers are escaped", `{"properties":{"a/b~c":{"type":"string"}}}`, `{"a/b~c":1}`, `/a~1b~0c type: it is a number, and must be a string`},
		{"a key given twice", orderSchema, `{"id":"o-1","id":"o-2","lines":[{"sku":"a","qty":1,"price":1}]}`, ` duplicate: "id" is given twice`},
		{"an unknown key given twice", orderSchema, `{"x":1,"id":"o-2","lines":[{"sku":"a","qty":1,"price":1}],"x":2}`, ` duplicate: "x" is given twice`},
		{"a key given twice, once with an escape", `{"properties":{"a":{"maximum":1}}}`, `{"a":5,"\u0061":1}`, ` duplicate: "a" is given twice`},
		{"an exponent out of bounds", `{"minimum":0}`, `1e9999999`, ` number: its exponent is out of bounds`},
		{"an exponent out of bounds where nothing is asked", `{}`, `{"a":[1e-1001]}`, ``},
		{"an exponent in a value the schema only names", `{"required":["a"]}`, `{"a":1E+1001}`, `/a number: its exponent is out of bounds`},
		{"a false schema", `false`, `1`, ` false: nothing is allowed here`},
		{"a true schema", `true`, `1`, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := describe(compile(t, tt.schema).Validate(value.Raw(tt.doc))); got != tt.want {
				t.Errorf("violations of %s\n got %s\nwant %s", tt.doc, got, tt.want)
			}
		})
	}
}

func TestViolationsAreBounded(t *testing.T) {
	t.Parallel()
	doc := "[" + strings.Repeat("1,", 500) + "1]"
	if got := len(compile(t, `{"items":{"type":"string"}}`).Validate(value.Raw(doc))); got != maxViolations {
		t.Errorf("%d violations, want %d", got, maxViolations)
	}
	long := `{"` + strings.Repeat("k", 5000) + `":1}`
	got := compile(t, `{"additionalProperties":false}`).Validate(value.Raw(long))
	if len(got) != 1 || len(got[0].Message) > 200 {
		t.Errorf("a long key is repeated in full: %d characters", len(got[0].Message))
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	got = compile(t, `{"$id":"file:///deep.json","items":{"$ref":"#"},"uniqueItems":true}`).Validate(value.Raw(deep))
	if len(got) != 1 || got[0].Keyword != "depth" {
		t.Errorf("a deep document: %s", describe(got))
	}
	got = compile(t, `{"items":{"$ref":"#"}}`).Validate(value.Raw(deep))
	if len(got) != 1 || got[0].Keyword != "depth" {
		t.Errorf("a deep document on the quick walk: %s", describe(got))
	}
}

func TestViolationMarshalsWithLowerCaseKeys(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(Violation{"/a", "type", "no"})
	if err != nil || string(got) != `{"pointer":"/a","keyword":"type","message":"no"}` {
		t.Errorf("got %s, %v", got, err)
	}
}

// files is a project as Compile reads it.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	text, ok := f[path]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	}
	return []byte(text), nil
}

func TestCompileFollowsRelativeReferences(t *testing.T) {
	t.Parallel()
	project := files{
		"schemas/common/money.json": `{"$defs":{"price":{"type":"number","minimum":0}}}`,
		"other file.json":           `{"type":"string"}`,
	}
	s, err := Compile("schemas/order.json", []byte(`{"properties":{
		"price":{"$ref":"common/money.json#/$defs/price"},
		"note":{"$ref":"../other%20file.json"}}}`), project.read)
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(s.Validate(`{"price":-1,"note":2}`)); got != "/note type: it is a number, and must be a string\n/price minimum: it must be at least 0" {
		t.Errorf("got %s", got)
	}
	if s.Name() != "schemas/order.json" {
		t.Errorf("name %q", s.Name())
	}
	if got := s.Type().Fields["price"].Origin; got != "schemas/common/money.json" {
		t.Errorf("a referring place says %q", got)
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, doc string
		project   files
		want      string
	}{
		{"not JSON", "{\n  \"type\": }", nil, `schemas/order.json:2:11: not valid JSON: invalid character '}' looking for beginning of value`},
		{"cut off", "{\n  \"type\"", nil, `schemas/order.json:2:9: not valid JSON: unexpected EOF`},
		{"text after the end", `{} {}`, nil, `schemas/order.json:1:5: not valid JSON: there is more text after the end of the schema`},
		{"not a schema", `[]`, nil, `schemas/order.json: a schema is a JSON object, or true or false`},
		{"a wrong keyword value", `{"properties":{"id":{"type":"text"}}}`, nil, `schemas/order.json#/properties/id/type: it fits none of the allowed forms`},
		{"a negative length", `{"minLength":-1}`, nil, `schemas/order.json#/minLength: it must be at least 0`},
		{"a regular expression that cannot be used", `{"properties":{"id":{"pattern":"(?=a)"}}}`, nil, `schemas/order.json#/properties/id/pattern: it is not a valid regex`},
		{"a network reference", `{"properties":{"a":{"$ref":"https://example.com/a.json"}}}`, nil,
			`schemas/order.json#/properties/a/$ref: cannot use https://example.com/a.json: schemas are never fetched from a network: save the file in the project and refer to it by its relative path`},
		{"a file beside a network $id", `{"$id":"https://example.com/order.json","$ref":"a.json"}`, files{"schemas/a.json": `{}`},
			`schemas/order.json#/$ref: cannot use https://example.com/a.json: schemas are never fetched from a network: save the file in the project and refer to it by its relative path`},
		{"a file URL of another host", `{"$ref":"file://host/a.json"}`, files{}, `schemas/order.json#/$ref: cannot use file://host/a.json: schemas are never fetched from a network: save the file in the project and refer to it by its relative path`},
		{"a network dialect", `{"$schema":"https://example.com/dialect"}`, nil,
			`schemas/order.json#/$schema: cannot use https://example.com/dialect: schemas are never fetched from a network: save the file in the project and refer to it by its relative path`},
		{"a missing file", `{"items":{"anyOf":[{"$ref":"gone.json#/x"}]}}`, files{}, `schemas/order.json#/items/anyOf/0/$ref: cannot use schemas/gone.json: open schemas/gone.json: file does not exist`},
		{"another file where none may be named", `{"$ref":"a.json"}`, nil, `schemas/order.json#/$ref: cannot use schemas/a.json: no other file may be referred to here`},
		{"a broken other file", `{"$ref":"a.json"}`, files{"schemas/a.json": `{`}, `schemas/a.json:1:2: not valid JSON: unexpected EOF`},
		{"a mistake in another file", `{"$ref":"a.json"}`, files{"schemas/a.json": `{"minItems":"x"}`}, `schemas/a.json#/minItems: it is a string, and must be an integer`},
		{"a pointer to nothing", `{"properties":{"a":{"$ref":"#/$defs/gone"}}}`, nil, `schemas/order.json#/properties/a/$ref: the $ref points at nothing: schemas/order.json#/$defs/gone`},
		{"an unknown anchor", `{"properties":{"a":{"$ref":"#gone"}}}`, nil, `schemas/order.json#/properties/a/$ref: the $ref names an anchor that does not exist: schemas/order.json#gone`},
		{"an anchor given twice", `{"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}}`, nil, `schemas/order.json#/$defs/b/$anchor: the anchor x is given at /$defs/a already`},
		{"an $id that is no address", `{"$id":":"}`, nil, `schemas/order.json: error in parsing id at "schemas/order.json#"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var read func(string) ([]byte, error)
			if tt.project != nil {
				read = tt.project.read
			}
			_, err := Compile("schemas/order.json", []byte(tt.doc), read)
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %s\nwant %s", err, tt.want)
			}
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%T is not an *Error", err)
			}
		})
	}
}

func TestFormatsAreChecked(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"date-time": "2026-02-30T00:00:00Z", "date": "2026-13-01", "time": "25:00:00Z", "email": "a", "uuid": "x",
		"uri": "a b", "ipv4": "1.2.3", "ipv6": "::x", "hostname": "-a", "duration": "1h", "json-pointer": "a", "regex": "(",
	}
	for format, text := range bad {
		doc, _ := json.Marshal(text)
		s := compile(t, `{"format":"`+format+`"}`)
		if got := s.Validate(value.Raw(doc)); len(got) != 1 || got[0].Keyword != "format" {
			t.Errorf("%s accepts %q", format, text)
		}
		if got := s.Validate("7"); len(got) != 0 {
			t.Errorf("%s says something about a number: %s", format, describe(got))
		}
	}
}

func TestCommonSchemasAreQuick(t *testing.T) {
	t.Parallel()
	if compile(t, orderSchema).quick == nil {
		t.Error("the order's schema is not walked quickly")
	}
	for _, doc := range []string{
		`false`, `{"anyOf":[{}]}`, `{"enum":[1]}`, `{"const":"a","enum":["a"]}`, `{"additionalProperties":{"type":"string"}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`, `{"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{}}}`,
	} {
		if compile(t, doc).quick != nil {
			t.Errorf("%s is walked quickly", doc)
		}
	}
}

// The quick walk may be unsure, but never lets in what the complete validator
// refuses.
func FuzzQuickAgreesWithComplete(f *testing.F) {
	for _, doc := range []string{order, `{}`, `[]`, `null`, `"o-1"`, `-0.0`, `1e400`, `{"id":"o-1","id":1}`, `{"id":"o-\u00e4","lines":[{"sku":"","qty":1.0,"price":1e-3}]}`, `[[[[1]]]]`} {
		f.Add(doc, 0)
		f.Add(doc, 1)
	}
	schemas := []*Schema{
		compile(f, orderSchema),
		compile(f, `{"items":{"$ref":"#"},"minimum":-1.5,"exclusiveMaximum":1e3,"maxLength":4,"required":["id"]}`),
	}
	f.Fuzz(func(t *testing.T, doc string, which int) {
		if !json.Valid([]byte(doc)) {
			return
		}
		s := schemas[uint(which)%uint(len(schemas))]
		s.Validate(value.Raw(doc)) // must not panic
		if !s.quick.accepts(doc) {
			return
		}
		v, got := decode(doc)
		if len(got) == 0 {
			got = violations(s.full.Validate(v))
		}
		if len(got) > 0 {
			t.Errorf("the quick walk lets in %s: %s", doc, describe(got))
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, doc := range []string{orderSchema, `true`, `{"$ref":"#"}`, `{"allOf":[{"$ref":"#"}]}`, `{"$ref":"a.json#/x"}`, `{"$id":"http://x/","$ref":"y"}`, `{"$dynamicRef":"#a"}`, `{"pattern":"["}`} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		s, err := Compile("s.json", []byte(doc), files{"a.json": `{"x":{}}`}.read)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		s.Validate(`{"a":[1,"b",null]}`)
		if s.Type() == nil {
			t.Error("no type")
		}
	})
}

func TestViolationsComeInOrder(t *testing.T) {
	t.Parallel()
	s := compile(t, orderSchema)
	got := s.Validate(`{"lines":[{"qty":0},{"sku":1}],"id":""}`)
	if !slices.IsSortedFunc(got, func(a, b Violation) int { return strings.Compare(a.Pointer, b.Pointer) }) || len(got) < 6 {
		t.Errorf("got %s", describe(got))
	}
}

func BenchmarkValidateOrder(b *testing.B) {
	s := compile(b, orderSchema)
	b.SetBytes(int64(len(order)))
	b.ReportAllocs()
	for b.Loop() {
		if s.Validate(order) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkValidateOrderCompletely(b *testing.B) {
	s := compile(b, orderSchema)
	s.quick = nil
	b.ReportAllocs()
	for b.Loop() {
		if s.Validate(order) != nil {
			b.Fatal("refused")
		}
	}
}
