package json

// ParseParams and FormatParams are parameters as the decoder makes them.
func ParseParams(text string) any            { return &parseParams{Text: text} }
func FormatParams(value any, indent int) any { return &formatParams{Value: value, Indent: indent} }
