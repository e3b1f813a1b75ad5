package store

import "strings"

// MatchType reports whether an event type fits a pattern of EventQuery.Types. A
// pattern is a type whose segments, between dots, may be *: one * stands for
// exactly one segment, at the end for one or more.
func MatchType(pattern, typ string) bool {
	for {
		want, restOfPattern, morePattern := strings.Cut(pattern, ".")
		have, restOfType, moreType := strings.Cut(typ, ".")
		switch {
		case have == "" || want != "*" && want != have:
			return false
		case !morePattern:
			return !moreType || want == "*"
		case !moreType:
			return false
		}
		pattern, typ = restOfPattern, restOfType
	}
}
