package diag_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pipelined/internal/diag"
)

var code = diag.Code{ID: "E999", Title: "a test"}

func at(line, from, to int) diag.Range {
	return diag.Range{File: "a b.yaml", Start: diag.Position{Line: line, Column: from}, End: diag.Position{Line: line, Column: to}}
}

func render(t *testing.T, source string, list ...diag.Diagnostic) string {
	t.Helper()
	var b strings.Builder
	if err := diag.Text(&b, list, map[string][]byte{"a b.yaml": []byte(source)}, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCaretsStandBelowWhatIsMeant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string
		r      diag.Range
		want   string
	}{
		"plain":           {"when: x > 1", at(1, 7, 8), "      |       ^\n"},
		"a tab":           {"\twhen: x", at(1, 8, 9), "      | \t      ^\n"},
		"wide characters": {"名前: x", at(1, 5, 6), "      |       ^\n"},
		"wide and meant":  {"a: 名前", at(1, 4, 6), "      |    ^^^^\n"},
		"combining":       {"e\u0301: x", at(1, 5, 6), "      |    ^\n"},
		"the end":         {"x:", at(1, 3, 3), "      |   ^\n"},
		"beyond the end":  {"x", at(1, 9, 12), "      |  ^\n"},
		"over many lines": {"abc\ndef", diag.Range{File: "a b.yaml", Start: diag.Position{Line: 1, Column: 2}, End: diag.Position{Line: 2, Column: 2}}, "      |  ^^\n"},
		"a carriage":      {"abc\r\n", at(1, 1, 4), "    1 | abc\n      | ^^^\n"},
		"beyond the file": {"abc", at(7, 1, 2), "a b.yaml:7:1  error E999  wrong\n\n"},
		"no place at all": {"abc", diag.Range{File: "a b.yaml"}, "a b.yaml  error E999  wrong\n\n"},
		"of another file": {"", at(1, 1, 2), "a b.yaml:1:1  error E999  wrong\n\n"},
	} {
		got := render(t, c.source, diag.Diagnostic{Code: code, Severity: diag.Error, Range: c.r, Summary: "wrong"})
		if !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestTextSaysEverything(t *testing.T) {
	t.Parallel()
	got := render(t, "a: 1\nb: 2\n",
		diag.Diagnostic{Code: code, Severity: diag.Warning, Range: at(1, 4, 5), Summary: "one", Consequence: "It matters.", Fix: "mend it",
			Related: []diag.Related{{Range: at(2, 1, 2), Message: "the other"}}},
		diag.Diagnostic{Code: code, Severity: diag.Info, Range: at(2, 4, 5), Summary: "two"},
		diag.Diagnostic{Code: code, Severity: diag.Error, Range: at(2, 4, 5), Summary: "three"},
		diag.Diagnostic{Code: code, Severity: diag.Error, Range: at(2, 4, 5), Summary: "four"})
	want := `a b.yaml:1:4  warning E999  one
    1 | a: 1
      |    ^
   It matters.
   fix: mend it
   see a b.yaml:2:1: the other
`
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "2 errors, 1 warning, 1 info in 1 file\n") {
		t.Errorf("%s", got)
	}
	if got := render(t, ""); got != "nothing to report\n" {
		t.Errorf("%q", got)
	}
}

// TestSARIF holds what is printed to the parts of SARIF 2.1.0 that readers depend
// on: lines and columns from 1, an end after the start or none, and the unit.
func TestSARIF(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	list := []diag.Diagnostic{
		{Code: code, Severity: diag.Error, Range: at(3, 4, 9), Summary: "one", Fix: "mend it"},
		{Code: code, Severity: diag.Warning, Range: diag.Range{File: "a b.yaml"}, Summary: "of the file"},
		{Code: code, Severity: diag.Info, Range: diag.Range{File: "a b.yaml", Start: diag.Position{Line: 5, Column: 2}}, Summary: "without an end"},
	}
	if err := diag.SARIF(&b, list); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version string
		Runs    []struct {
			ColumnKind string
			Tool       struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID, Level string
				Message       struct{ Text string }
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           map[string]int
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	run := got.Runs[0]
	if got.Version != "2.1.0" || run.ColumnKind != "unicodeCodePoints" || run.Tool.Driver.Name != "pipelined" || len(run.Tool.Driver.Rules) != 1 || len(run.Results) != 3 {
		t.Fatalf("%s", b.String())
	}
	for i, level := range []string{"error", "warning", "note"} {
		r := run.Results[i]
		place := r.Locations[0].PhysicalLocation
		g := place.Region
		_, ends := g["endLine"]
		if r.Level != level || r.RuleID != "E999" || place.ArtifactLocation.URI != "a%20b.yaml" || g["startLine"] < 1 || g["startColumn"] < 1 || ends != (i == 0) ||
			ends && (g["endLine"] < g["startLine"] || g["endColumn"] <= g["startColumn"]) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	edit := &diag.Edit{Range: at(1, 1, 2), NewText: "b"}
	if err := diag.JSON(&b, []diag.Diagnostic{{Code: code, Severity: diag.Error, Range: at(1, 1, 2), Summary: "a < b", Edit: edit}}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Errors, Warnings int
		Diagnostics      []struct {
			Code, Severity, Summary string
			Range                   struct{ Start, End struct{ Line, Column int } }
			Edit                    struct {
				NewText string `json:"new_text"`
			}
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || got.Errors != 1 || len(got.Diagnostics) != 1 {
		t.Fatalf("%s, %v", b.String(), err)
	}
	if d := got.Diagnostics[0]; d.Code != "E999" || d.Severity != "error" || d.Summary != "a < b" || d.Range.End.Column != 2 || d.Edit.NewText != "b" {
		t.Errorf("%+v", d)
	}
	b.Reset()
	if err := diag.JSON(&b, nil); err != nil || !strings.Contains(b.String(), `"diagnostics": []`) {
		t.Errorf("%s, %v", b.String(), err)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	known := []string{"steps", "trigger", "on_error", "timeout", "id"}
	for name, want := range map[string]string{"stesp": "steps", "step": "steps", "Trigger": "trigger", "on-error": "on_error", "onerror": "on_error",
		"tiemout": "timeout", "ids": "id", "zzz": "", "": "", "description": "", "steps": ""} {
		if got := diag.Suggest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestSuggestAmongMany(t *testing.T) {
	t.Parallel()
	tests := []struct {
		what, word string
		known      []string
		want       string
	}{
		{"of two as near, the first by name", "cat", []string{"car", "bat", "cart"}, "bat"},
		{"one letter at the end of a long beginning", "order.received_12", []string{"order.received_19", "order.priced_12", "order.received_1"}, "order.received_1"},
		{"two letters that changed places", "order.recieved", []string{"order.removed", "order.received"}, "order.received"},
		{"letters that are more than a byte", "grüsse", []string{"grüße", "grosse"}, "grosse"},
		{"case alone", "ORDERS", []string{"order", "orders"}, "orders"},
		{"too far away", "order.received", []string{"order.completed"}, ""},
	}
	for _, tt := range tests {
		if got := diag.Suggest(tt.word, tt.known); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.want)
		}
	}
}

func TestErrorsSince(t *testing.T) {
	t.Parallel()
	var l diag.List
	l.Add(diag.Diagnostic{Code: code, Severity: diag.Error, Range: at(9, 1, 2), Summary: "late"})
	before := l.Len()
	l.Add(diag.Diagnostic{Code: code, Severity: diag.Warning, Range: at(1, 1, 2), Summary: "early"})
	if l.ErrorsSince(before) {
		t.Error("a warning counts as an error")
	}
	l.Add(diag.Diagnostic{Code: code, Severity: diag.Error, Range: at(5, 1, 2), Summary: "middle"})
	if !l.ErrorsSince(before) || l.Len() != 3 {
		t.Error("an error does not count")
	}
	var order []string
	for _, d := range l.All() {
		order = append(order, d.Summary)
	}
	if got := strings.Join(order, " "); got != "early middle late" {
		t.Errorf("in the order %s", got)
	}
}
