package diag

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"
)

// Apply applies the edits of the findings that lie in a file to its text. Where two
// overlap, the first by place is applied and the other left for another round. It
// returns the new text and the findings whose edits were applied, by place.
func Apply(file string, text []byte, list []Diagnostic) ([]byte, []Diagnostic) {
	type change struct {
		from, to int // bytes
		d        Diagnostic
	}
	starts := lineStarts(text)
	var changes []change
	for _, d := range list {
		if d.Edit == nil || d.Edit.Range.File != file {
			continue
		}
		from, ok1 := offset(text, starts, d.Edit.Range.Start)
		to, ok2 := offset(text, starts, d.Edit.Range.End)
		if ok1 && ok2 && from <= to {
			changes = append(changes, change{from, to, d})
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var out bytes.Buffer
	var applied []Diagnostic
	done := 0
	for _, c := range changes {
		if c.from < done || len(applied) > 0 && c.from == done && c.to == done {
			continue
		}
		out.Write(text[done:c.from])
		out.WriteString(c.d.Edit.NewText)
		done = c.to
		applied = append(applied, c.d)
	}
	out.Write(text[done:])
	return out.Bytes(), applied
}

// lineStarts are the offsets at which lines begin.
func lineStarts(text []byte) []int {
	out := []int{0}
	for i, c := range text {
		if c == '\n' {
			out = append(out, i+1)
		}
	}
	return out
}

// offset is where in a text a position lies, in bytes; ok is false if it does not. A mark
// at the beginning of the file (BOM) is no character.
func offset(text []byte, starts []int, p Position) (at int, ok bool) {
	if p.Line < 1 || p.Line > len(starts) || p.Column < 1 {
		return 0, false
	}
	at = starts[p.Line-1]
	if p.Line == 1 && bytes.HasPrefix(text, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	for range p.Column - 1 {
		if at >= len(text) || text[at] == '\n' {
			return 0, false
		}
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at, true
}
