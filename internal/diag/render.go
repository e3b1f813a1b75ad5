package diag

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/mattn/go-runewidth"
)

var severityNames = map[Severity]string{Error: "error", Warning: "warning", Info: "info"}

// String is the severity's name.
func (s Severity) String() string { return severityNames[s] }

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Text prints findings for people: place, code and summary, the line with carets
// below the span, what follows, the fix, related places, and a closing count.
func Text(w io.Writer, list []Diagnostic, sources map[string][]byte, color bool) error {
	p := painter{color}
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "%s  %s  %s\n", p.bold(place(d.Range)), p.severity(d), d.Summary)
		excerpt(&b, d.Range, sources, p)
		if d.Consequence != "" {
			fmt.Fprintf(&b, "   %s\n", d.Consequence)
		}
		if d.Fix != "" {
			fmt.Fprintf(&b, "   fix: %s\n", d.Fix)
		}
		for _, r := range d.Related {
			fmt.Fprintf(&b, "   see %s: %s\n", place(r.Range), r.Message)
		}
		b.WriteByte('\n')
	}
	b.WriteString(count(list) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func place(r Range) string {
	if r.Start.Line == 0 {
		return r.File
	}
	return fmt.Sprintf("%s:%d:%d", r.File, r.Start.Line, r.Start.Column)
}

// excerpt prints the line of a range with carets; a range over several lines is
// marked to the end of its first.
func excerpt(b *strings.Builder, r Range, sources map[string][]byte, p painter) {
	lines := strings.Split(string(sources[r.File]), "\n")
	if r.Start.Line < 1 || r.Start.Line > len(lines) || len(sources[r.File]) == 0 {
		return
	}
	text := []rune(strings.TrimRight(lines[r.Start.Line-1], "\r"))
	from := min(max(r.Start.Column-1, 0), len(text))
	to := len(text)
	if r.End.Line == r.Start.Line {
		to = min(max(r.End.Column-1, from+1), max(len(text), from+1))
	}
	var pad strings.Builder
	for _, r := range text[:from] {
		if r == '\t' {
			pad.WriteRune(r)
			continue
		}
		pad.WriteString(strings.Repeat(" ", runewidth.RuneWidth(r)))
	}
	carets := 1
	if from < to && to <= len(text) {
		carets = max(runewidth.StringWidth(string(text[from:to])), 1)
	}
	fmt.Fprintf(b, "%5d | %s\n      | %s%s\n", r.Start.Line, string(text), pad.String(), p.caret(strings.Repeat("^", carets)))
}

func count(list []Diagnostic) string {
	n := map[Severity]int{}
	files := map[string]bool{}
	for _, d := range list {
		n[d.Severity]++
		files[d.Range.File] = true
	}
	var parts []string
	for _, s := range []Severity{Error, Warning, Info} {
		if n[s] > 0 {
			parts = append(parts, plural(n[s], s.String()))
		}
	}
	if len(parts) == 0 {
		return "nothing to report"
	}
	return strings.Join(parts, ", ") + " in " + plural(len(files), "file")
}

func plural(n int, word string) string {
	if n == 1 || word == "info" {
		return fmt.Sprintf("%d %s", n, word)
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// painter adds colours, or does not.
type painter struct{ on bool }

func (p painter) paint(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) bold(s string) string  { return p.paint("1", s) }
func (p painter) caret(s string) string { return p.paint("36", s) }

func (p painter) severity(d Diagnostic) string {
	codes := map[Severity]string{Error: "31", Warning: "33", Info: "34"}
	return p.paint(codes[d.Severity], d.Severity.String()+" "+d.Code.ID)
}

type jsonPosition struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

type jsonRange struct {
	File  string       `json:"file"`
	Start jsonPosition `json:"start"`
	End   jsonPosition `json:"end"`
}

func rangeJSON(r Range) jsonRange {
	return jsonRange{r.File, jsonPosition(r.Start), jsonPosition(r.End)}
}

// JSON prints findings for programs; the names of the fields are stable.
func JSON(w io.Writer, list []Diagnostic) error {
	type related struct {
		Range   jsonRange `json:"range"`
		Message string    `json:"message"`
	}
	type edit struct {
		Range   jsonRange `json:"range"`
		NewText string    `json:"new_text"`
	}
	type diagnostic struct {
		Code        string    `json:"code"`
		Title       string    `json:"title"`
		Severity    Severity  `json:"severity"`
		Range       jsonRange `json:"range"`
		Summary     string    `json:"summary"`
		Consequence string    `json:"consequence,omitempty"`
		Fix         string    `json:"fix,omitempty"`
		Edit        *edit     `json:"edit,omitempty"`
		Related     []related `json:"related,omitempty"`
	}
	out := struct {
		Diagnostics []diagnostic `json:"diagnostics"`
		Errors      int          `json:"errors"`
		Warnings    int          `json:"warnings"`
	}{Diagnostics: []diagnostic{}}
	for _, d := range list {
		j := diagnostic{Code: d.Code.ID, Title: d.Code.Title, Severity: d.Severity, Range: rangeJSON(d.Range),
			Summary: d.Summary, Consequence: d.Consequence, Fix: d.Fix}
		if d.Edit != nil {
			j.Edit = &edit{rangeJSON(d.Edit.Range), d.Edit.NewText}
		}
		for _, r := range d.Related {
			j.Related = append(j.Related, related{rangeJSON(r.Range), r.Message})
		}
		out.Diagnostics = append(out.Diagnostics, j)
		switch d.Severity {
		case Error:
			out.Errors++
		case Warning:
			out.Warnings++
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

// SARIF prints findings in the Static Analysis Results Interchange Format 2.1.0.
func SARIF(w io.Writer, list []Diagnostic) error {
	levels := map[Severity]string{Error: "error", Warning: "warning", Info: "note"}
	type m = map[string]any
	rules, seen := []m{}, map[string]bool{}
	results := []m{}
	for _, d := range list {
		if !seen[d.Code.ID] {
			seen[d.Code.ID] = true
			rules = append(rules, m{"id": d.Code.ID, "shortDescription": m{"text": d.Code.Title}})
		}
		text := d.Summary
		if d.Fix != "" {
			text += ". Fix: " + d.Fix
		}
		results = append(results, m{"ruleId": d.Code.ID, "level": levels[d.Severity], "message": m{"text": text},
			"locations": []m{{"physicalLocation": m{
				"artifactLocation": m{"uri": (&url.URL{Path: d.Range.File}).String()},
				"region":           region(d.Range)}}}})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(m{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []m{{"tool": m{"driver": m{"name": "pipelined", "rules": rules}}, "results": results, "columnKind": "unicodeCodePoints"}}})
}

// region is where a finding is; one about a whole file is at its beginning.
func region(r Range) map[string]any {
	out := map[string]any{"startLine": max(r.Start.Line, 1), "startColumn": max(r.Start.Column, 1)}
	if r.End.Line > r.Start.Line || r.End.Line == r.Start.Line && r.End.Column > r.Start.Column {
		out["endLine"], out["endColumn"] = r.End.Line, r.End.Column
	}
	return out
}
