package event

import "strings"

// Match reports whether an event type fits a pattern. A pattern is a type whose
// segments, between dots, may be *: a * stands for exactly one segment, and a *
// at the end for one or more. So order.* takes order.created and
// order.line.added but not order, *.created takes order.created but not
// order.line.created, and * alone takes everything.
func Match(pattern, typ string) bool {
	for {
		want, restOfPattern, morePattern := strings.Cut(pattern, ".")
		have, restOfType, moreType := strings.Cut(typ, ".")
		if have == "" || want != "*" && want != have {
			return false
		}
		if !morePattern {
			return !moreType || want == "*"
		}
		if !moreType {
			return false
		}
		pattern, typ = restOfPattern, restOfType
	}
}

// ValidPattern reports whether a text can be subscribed to: segments of letters,
// digits, _ and -, or *, with dots between.
func ValidPattern(pattern string) bool { return whyNot(pattern) == "" }

// whyNot says what is wrong with a pattern, and what to write instead; "" if it
// is fine.
func whyNot(pattern string) string {
	if pattern == "" {
		return "write an event type such as order.received"
	}
	for segment := range strings.SplitSeq(pattern, ".") {
		switch {
		case segment == "":
			return "write one dot between two words, and none at the ends"
		case segment == "*":
		case strings.Contains(segment, "*"):
			return "a * stands for a whole segment: write order.* or *.received"
		case strings.ContainsFunc(segment, foreign):
			return "write letters, digits, _ and -, with dots between, such as order.received"
		}
	}
	return ""
}

func foreign(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '_' && r != '-'
}
