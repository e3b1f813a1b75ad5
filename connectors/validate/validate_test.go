package validate_test

import (
	"os"
	"path/filepath"
	"testing"

	"pipelined/connectors/connectortest"
	"pipelined/connectors/validate"
	"pipelined/internal/value"
)

// project is a folder with schemas, and a file beside it that no step may read.
func project(t *testing.T) string {
	t.Helper()
	above := t.TempDir()
	dir := filepath.Join(above, "project")
	if err := os.MkdirAll(filepath.Join(dir, "schemas"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"project/schemas/order.json":  `{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "lines": {"type": "array", "items": {"$ref": "line.json"}}}}`,
		"project/schemas/line.json":   `{"type": "object", "properties": {"qty": {"type": "integer", "minimum": 1}}}`,
		"project/schemas/broken.json": `{"type": "objct"}`,
		"outside.json":                `true`,
	} {
		if err := os.WriteFile(filepath.Join(above, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestConnector(t *testing.T) {
	t.Parallel()
	dir := project(t)
	const order = "value: \"${{ input }}\"\nschema: schemas/order.json\n"
	connectortest.Run(t, validate.Connector, []connectortest.Case{
		{Name: "a value that fits its schema file is valid", Dir: dir, Params: order,
			Input: value.Raw(`{"id": "a", "lines": [{"qty": 2}]}`), Want: `{"valid": true, "violations": []}`},
		{Name: "one that does not is a problem that names the places", Dir: dir, Params: order,
			Input:   value.Raw(`{"lines": [{"qty": 0}]}`),
			Problem: "validate/failed", Status: 422, Detail: "/lines/0/qty",
			Data: `{"violations": [{"pointer": "", "keyword": "required"}, {"pointer": "/lines/0/qty", "keyword": "minimum"}]}`},
		{Name: "the problem never repeats a value", Dir: dir, Params: order, Input: value.Raw(`{"id": 4111111111}`),
			Problem: "validate/failed", Detail: "/id: ", Data: `{"violations": [{"pointer": "/id", "keyword": "type"}]}`},
		{Name: "more than three violations are counted", Dir: dir, Params: order, Input: value.Raw(`{"id": "a", "lines": [1, 2, 3, 4, 5]}`),
			Problem: "validate/failed", Detail: "and 2 more"},
		{Name: "report is a result", Dir: dir, Params: order + "on_invalid: report\n", Input: value.Raw(`{}`),
			Want: `{"valid": false, "violations": [{"pointer": "", "keyword": "required"}]}`},
		{Name: "a schema may stand in the pipeline", Params: "value: \"${{ input }}\"\nschema: { type: integer, maximum: 5 }\n", Input: 6,
			Problem: "validate/failed", Detail: "the value: "},
		{Name: "an inline schema refers to files of the project", Dir: dir, Params: "value: \"${{ input }}\"\nschema: { $ref: schemas/line.json }\n",
			Input: value.Raw(`{"qty": 1}`), Want: `{"valid": true}`},
		{Name: "a schema may be true", Params: "value: 1\nschema: true\n", Want: `{"valid": true}`},
		{Name: "a file that is not there is a problem", Dir: dir, Params: "value: 1\nschema: schemas/none.json\n", Problem: "validate/schema", Status: 500},
		{Name: "a schema that is none is a problem", Dir: dir, Params: "value: 1\nschema: schemas/broken.json\n", Problem: "validate/schema", Detail: "broken.json"},
		{Name: "a file outside the project is not read", Dir: dir, Params: "value: 1\nschema: ../outside.json\n", Problem: "validate/schema"},
		{Name: "nor through a reference", Dir: dir, Params: "value: 1\nschema: { $ref: ../outside.json }\n", Problem: "validate/schema"},
		{Name: "without a project folder there are no files", Params: "value: 1\nschema: a.json\n", Problem: "validate/schema"},
	})
}

func TestAFileIsReadOnce(t *testing.T) {
	t.Parallel()
	dir := project(t)
	c := validate.Open(t, dir)
	if err := c.Check(t, `{}`, "schemas/order.json"); err == nil {
		t.Fatal("{} is valid")
	}
	if err := os.WriteFile(filepath.Join(dir, "schemas", "order.json"), []byte(`true`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t, `{}`, "schemas/order.json"); err == nil {
		t.Error("a schema changed under a running project")
	}
}

func TestComputedSchemasDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	c := validate.Open(t, "")
	for i := range 2500 {
		if err := c.Check(t, `1`, map[string]any{"minimum": -i}); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Kept(); n > 1000 {
		t.Errorf("%d schemas are kept", n)
	}
}
