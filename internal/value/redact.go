package value

import (
	"strings"

	"github.com/tidwall/gjson"
)

// Redaction is what must not be shown: members by name at any depth
// (`card_number`), below any member (`*.password`), or at one place
// (`customer.iban`).
type Redaction struct {
	names map[string]bool
	paths [][]string
}

// NewRedaction compiles patterns. Nil and empty mean that nothing is hidden.
func NewRedaction(patterns []string) *Redaction {
	r := &Redaction{names: map[string]bool{}}
	for _, p := range patterns {
		segments := strings.Split(p, ".")
		if len(segments) == 1 {
			r.names[p] = true
		} else {
			r.paths = append(r.paths, segments)
		}
	}
	return r
}

const hidden = `"***"`

// Redact returns doc with what r hides replaced by "***"; the rest stays byte for
// byte.
func Redact(doc Raw, r *Redaction) Raw {
	if r == nil || (len(r.names) == 0 && len(r.paths) == 0) {
		return doc
	}
	var out strings.Builder
	r.write(&out, gjson.Parse(string(doc)), nil)
	return Raw(out.String())
}

func (r *Redaction) write(out *strings.Builder, v gjson.Result, at []string) {
	if v.Type != gjson.JSON {
		out.WriteString(v.Raw)
		return
	}
	list := v.IsArray()
	open, end := byte('{'), byte('}')
	if list {
		open, end = '[', ']'
	}
	out.WriteByte(open)
	first := true
	v.ForEach(func(k, e gjson.Result) bool {
		if !first {
			out.WriteByte(',')
		}
		first = false
		if list {
			r.write(out, e, at) // the elements of a list are at the list's own place
			return true
		}
		out.WriteString(k.Raw)
		out.WriteByte(':')
		below := append(at[:len(at):len(at)], k.Str)
		if r.hides(below) {
			out.WriteString(hidden)
		} else {
			r.write(out, e, below)
		}
		return true
	})
	out.WriteByte(end)
}

func (r *Redaction) hides(at []string) bool {
	if r.names[at[len(at)-1]] {
		return true
	}
	for _, p := range r.paths {
		if matches(p, at) {
			return true
		}
	}
	return false
}

// matches compares a pattern with a place; a leading * stands for any depth of at
// least one, another * for one segment.
func matches(pattern, at []string) bool {
	if pattern[0] == "*" {
		if len(at) < len(pattern) {
			return false
		}
		at = at[len(at)-len(pattern):]
	}
	if len(pattern) != len(at) {
		return false
	}
	for i, p := range pattern {
		if p != "*" && p != at[i] {
			return false
		}
	}
	return true
}
