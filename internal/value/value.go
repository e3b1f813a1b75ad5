// Package value is JSON as the runtime sees it: documents that stay the bytes
// they arrived as, read lazily by path with GJSON, and written back exactly.
//
// A value is a Go `any` of one of these types and no other:
//
//	nil, bool, int, float64, string     scalars
//	Raw                                 valid JSON text not yet looked into (any kind, also a
//	                                    number whose exact text must survive)
//	[]any, map[string]any               composed by an expression; elements are values
//	time.Time, time.Duration            written as RFC 3339 text and as Go duration text
//	[]byte                              binary; written as standard base64 text
//	Stream                              a sequence consumed once; cannot be written
//
// Invariant I9: what nobody computes on leaves byte for byte as it came.
package value

import "context"

// Raw is one valid JSON document as text. It is immutable. Only Parse and code
// that assembles JSON from valid parts may make one.
type Raw string

// Stream is a sequence of values consumed once, such as rows of a query. It is
// not safe for concurrent use. Whoever consumes it closes it; Close may be
// called twice.
type Stream interface {
	// Next returns the next value; ok is false at the end.
	Next(ctx context.Context) (v any, ok bool, err error)
	Close() error
}
