package diag_test

import (
	"testing"

	"pipelined/internal/diag"
)

func edit(line, from, to int, text string) diag.Diagnostic {
	return diag.Diagnostic{Code: code, Range: at(line, from, to), Edit: &diag.Edit{Range: at(line, from, to), NewText: text}}
}

func TestApply(t *testing.T) {
	t.Parallel()
	across := edit(1, 3, 3, "")
	across.Edit.Range.End = diag.Position{Line: 2, Column: 2}
	other := edit(1, 1, 2, "X")
	other.Edit.Range.File = "other.yaml"
	for name, tt := range map[string]struct {
		text, want string
		applied    int
		edits      []diag.Diagnostic
	}{
		"none":                           {"a: b\n", "a: b\n", 0, []diag.Diagnostic{{Code: code, Range: at(1, 1, 2)}}},
		"one":                            {"when: inpt\n", "when: input\n", 1, []diag.Diagnostic{edit(1, 7, 11, "input")}},
		"in any order":                   {"ab cd\n", "x y\n", 2, []diag.Diagnostic{edit(1, 4, 6, "y"), edit(1, 1, 3, "x")}},
		"side by side":                   {"abcd", "xy", 2, []diag.Diagnostic{edit(1, 3, 5, "y"), edit(1, 1, 3, "x")}},
		"overlapping":                    {"abcd", "xd", 1, []diag.Diagnostic{edit(1, 2, 5, "y"), edit(1, 1, 4, "x")}},
		"the same twice":                 {"abcd", "xcd", 1, []diag.Diagnostic{edit(1, 1, 3, "x"), edit(1, 1, 3, "x")}},
		"two inserted at one place":      {"abcd", "xabcd", 1, []diag.Diagnostic{edit(1, 1, 1, "x"), edit(1, 1, 1, "y")}},
		"wide characters":                {"名前: inpt\n", "名前: input\n", 1, []diag.Diagnostic{edit(1, 5, 9, "input")}},
		"a mark at the beginning":        {"\ufeffab\n", "\ufeffxb\n", 1, []diag.Diagnostic{edit(1, 1, 2, "x")}},
		"a carriage return":              {"ab\r\ncd\r\n", "ab\r\nxd\r\n", 1, []diag.Diagnostic{edit(2, 1, 2, "x")}},
		"the end of the file":            {"ab", "abx", 1, []diag.Diagnostic{edit(1, 3, 3, "x")}},
		"the end of the line":            {"ab\ncd", "abx\ncd", 1, []diag.Diagnostic{edit(1, 3, 3, "x")}},
		"beyond the line":                {"ab\ncd", "ab\ncd", 0, []diag.Diagnostic{edit(1, 3, 5, "x")}},
		"beyond the file":                {"ab\n", "ab\n", 0, []diag.Diagnostic{edit(7, 1, 2, "x")}},
		"no place":                       {"ab\n", "ab\n", 0, []diag.Diagnostic{edit(0, 0, 0, "x")}},
		"back to front":                  {"ab\n", "ab\n", 0, []diag.Diagnostic{edit(1, 2, 1, "x")}},
		"over the end of a line":         {"ab\ncd", "abd", 1, []diag.Diagnostic{across}},
		"of another file":                {"ab\n", "ab\n", 0, []diag.Diagnostic{other}},
		"of an empty file":               {"", "x", 1, []diag.Diagnostic{edit(1, 1, 1, "x")}},
		"bytes that are not UTF-8 first": {"\xe9b", "\xe9x", 1, []diag.Diagnostic{edit(1, 2, 3, "x")}},
	} {
		got, applied := diag.Apply("a b.yaml", []byte(tt.text), tt.edits)
		if string(got) != tt.want || len(applied) != tt.applied {
			t.Errorf("%s: %q with %d applied, want %q with %d", name, got, len(applied), tt.want, tt.applied)
		}
	}
}
