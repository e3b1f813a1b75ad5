package unit

// The same grammars for JSON Schema, by which editors check: what they take, the readers
// take, but for what is too long or too large.
const (
	DurationPattern = `^(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d))+$`
	SizePattern     = `^[0-9]+ *(B|KB|MB|GB)?$`
	NamePattern     = `^[a-z][a-z0-9_]*$`
)
