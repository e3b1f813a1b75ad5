// Package pattern is the language of event types and of the patterns that take them, for
// everyone who subscribes, looks into the log, or replays it.
//
// A type is segments joined by dots, each a lower case word, such as order.received;
// those beginning with "pipelined." are the runtime's. A pattern is a type whose segments
// may be *. The store's
// queries narrow down with whatever they have and decide with Match.
package pattern

import (
	"fmt"
	"slices"
	"strings"

	"pipelined/internal/unit"
)

// Own is what the types of the runtime's own events begin with.
const Own = "pipelined."

// Match reports whether an event type fits a pattern: a * stands for exactly one segment,
// and at the end for one or more. So order.* takes order.created and order.line.added
// but not order, *.created takes order.created but not order.line.created, and * alone
// takes everything that is not the runtime's own: that is taken by its name only.
func Match(pattern, typ string) bool {
	if strings.HasPrefix(pattern, "*") && strings.HasPrefix(typ, Own) {
		return false
	}
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

// MatchAny reports whether an event type fits one of several patterns.
func MatchAny(patterns []string, typ string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Match(p, typ) })
}

// Check says what is wrong with a pattern, and what to write instead; "" if it is fine.
func Check(pattern string) string {
	if pattern == "" {
		return "write an event type such as order.received"
	}
	first := true
	for segment := range strings.SplitSeq(pattern, ".") {
		switch {
		case segment == "":
			return "write one dot between two segments, and none at the ends"
		case segment == "*":
		case strings.Contains(segment, "*"):
			return "a * stands for a whole segment: write order.* or *.received"
		case !unit.IsWord(segment):
			return "write lower case letters, digits and _, with dots between, such as order.received"
		case first && !unit.IsName(segment):
			return "begin with a letter, as in order.received"
		}
		first = false
	}
	return ""
}

// CheckType says why authors cannot publish events of a type; "" if they can.
func CheckType(typ string) string {
	switch {
	case Check(typ) != "" || strings.Contains(typ, "*"):
		return fmt.Sprintf("%q is not an event type: those are lower case words joined by dots", typ)
	case strings.HasPrefix(typ, Own):
		return "event types beginning with " + Own + " belong to the runtime"
	}
	return ""
}
