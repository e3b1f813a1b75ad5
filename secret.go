package pipelined

import "log/slog"

// Secret is a text that must never leave through a log, an error, history, an
// event or the API (invariant I7): every way of printing it gives "***". Only
// Reveal gives the text, and only the code that sends it should call that.
type Secret struct{ text string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text itself.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.text == "" }

const redacted = "***"

// String, GoString, MarshalText and LogValue all hide the text.
func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
