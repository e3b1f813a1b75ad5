package db

import (
	"encoding/json"
	"strconv"
)

// Prepare is a statement as one driver gets it, and where its arguments come from.
func Prepare(sql, d string) (text string, args []string, err error) {
	p, err := prepare(sql, dialect(d))
	for _, at := range p.places {
		if at.name == "" {
			at.name = strconv.Itoa(at.index)
		}
		args = append(args, at.name)
	}
	return p.text, args, err
}

// Array is a PostgreSQL array as JSON.
func Array(text string) string { return string(appendArray(nil, text, number)) }

// IsJSON reports whether a text is one JSON document.
func IsJSON(text string) bool { return json.Valid([]byte(text)) }
