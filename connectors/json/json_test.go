package json_test

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
	"testing"

	"pipelined/connectors"
	"pipelined/connectors/connectortest"
	"pipelined/connectors/json"
	"pipelined/internal/value"
)

func TestConnector(t *testing.T) {
	t.Parallel()
	text := `text: "${{ input }}"`
	connectortest.Run(t, json.Connector, []connectortest.Case{
		{Name: "numbers keep every digit", Operation: "json.parse", Params: text,
			Input: `{"id": 9007199254740993, "price": 1.10}`, Want: `{"id": 9007199254740993, "price": 1.10}`},
		{Name: "a byte order mark is skipped", Operation: "json.parse", Params: text, Input: "\ufeff[1]", Want: `[1]`},
		{Name: "a mistake is told by line and column", Operation: "json.parse", Params: text, Input: "{\n  \"a\": nul\n}",
			Problem: "json/parse", Status: 422, Detail: "line 2, column"},
		{Name: "an empty text is no JSON", Operation: "json.parse", Params: text, Input: "", Problem: "json/parse"},
		{Name: "nesting without end is refused", Operation: "json.parse", Params: text, Input: strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
			Problem: "json/parse", Detail: "nested"},
		{Name: "a value becomes one line", Operation: "json.format", Params: "value: { a: 1.10, b: \"${{ input }}\" }", Input: value.Raw(`[1, 2]`),
			Want: `"{\"a\":1.10,\"b\":[1, 2]}"`},
		{Name: "an indent makes it readable", Operation: "json.format", Params: "value: \"${{ input }}\"\nindent: 2", Input: value.Raw(`{"a":[1.10]}`),
			Want: `"{\n  \"a\": [\n    1.10\n  ]\n}"`},
		{Name: "null is a value", Operation: "json.format", Params: "value: \"${{ input }}\"", Input: nil, Want: `"null"`},
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "{}", "[1,2.50]", `{"a":{"b":[null,true,"x"]}}`, "\ufeff1", "{\"a\":1", "\"\\ud800\"", "1e999", "[[[["} {
		f.Add(s)
	}
	parse, format := json.Connector.Operations[0], json.Connector.Operations[1]
	client, err := json.Connector.Open(f.Context(), nil, connectors.Env{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parse.Call(t.Context(), client, json.ParseParams(text))
		if err != nil {
			return
		}
		if !stdjson.Valid([]byte(v.(value.Raw))) {
			t.Fatalf("%q was let in", text)
		}
		out, err := format.Call(t.Context(), client, json.FormatParams(v, 2))
		if err != nil {
			t.Fatalf("what was parsed cannot be written: %v", err)
		}
		var a, b bytes.Buffer
		if stdjson.Compact(&a, []byte(v.(value.Raw))) != nil || stdjson.Compact(&b, []byte(out.(string))) != nil || a.String() != b.String() {
			t.Fatalf("%q became %q", text, out)
		}
	})
}
