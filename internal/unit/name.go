package unit

import "strings"

// IsName reports whether a text is a name: of a pipeline, a step, a variable, a
// connection, a collection, a parameter of a path. Lower case letters, digits and _,
// beginning with a letter; a hyphen would be a minus in an expression.
func IsName(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && IsWord(s)
}

// IsWord reports whether a text is made of what names are made of, and may begin with a
// digit or _: a segment of an event type.
func IsWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// SuggestName is a name that resembles a text.
func SuggestName(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if r < 0x80 && IsWord(string(r)) {
			b.WriteRune(r)
		} else if t := b.String(); t != "" && t[len(t)-1] != '_' {
			b.WriteByte('_')
		}
	}
	name := strings.TrimRight(strings.TrimLeft(b.String(), "_0123456789"), "_")
	if name == "" {
		return "my_name"
	}
	return name
}
