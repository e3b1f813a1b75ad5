package db

import (
	"regexp"
	"strings"

	"pipelined/connectors"
)

// writes finds, outside of what is uncoded, the words a statement changes data with.
// A function that writes is not seen: name such a call with db.exec.
var writes = regexp.MustCompile(`(?i)\b(insert|update|delete|merge|replace|truncate|create|alter|drop|call|do|grant|revoke|copy|lock)\b`)

// uncoded is what is no code: texts, names in quotes, comments.
var uncoded = regexp.MustCompile("(?s)'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\\*.*?\\*/")

// forUpdate takes locks and changes nothing.
var forUpdate = regexp.MustCompile(`(?i)\bfor\s+(no\s+key\s+)?update\b`)

// effectOf says what a statement does, as far as its words tell.
func effectOf(s statement) connectors.Effect {
	text := forUpdate.ReplaceAllString(uncoded.ReplaceAllString(s.text(), " "), " ")
	if !writes.MatchString(text) {
		return connectors.Effect{Outside: true, Reads: true, Idempotent: true}
	}
	lower := strings.ToLower(text)
	again := strings.Contains(lower, "on conflict") || strings.Contains(lower, "on duplicate key") || strings.Contains(lower, "insert ignore") ||
		strings.HasPrefix(strings.TrimSpace(lower), "delete") || strings.HasPrefix(strings.TrimSpace(lower), "replace")
	return connectors.Effect{Outside: true, Reads: true, Writes: true, Idempotent: again}
}

// text is the statement as whichever dialect can take it has it.
func (s statement) text() string {
	for _, p := range []prepared{s.postgres, s.mysql, s.sqlite} {
		if p.broken == nil && p.text != "" {
			return p.text
		}
	}
	return ""
}

func queryEffect(_ any, p queryParams) connectors.Effect {
	e := effectOf(p.SQL)
	e.Stream = p.Stream
	return e
}

func execEffect(_ any, p execParams) connectors.Effect   { return effectOf(p.SQL) }
func batchEffect(_ any, p batchParams) connectors.Effect { return effectOf(p.SQL) }
