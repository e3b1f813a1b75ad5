package value

// Kind is what is known of a value before it is there: from a schema, or from what
// an expression does with it.
type Kind int

const (
	Any Kind = iota // not known; everything is allowed
	Null
	Bool
	Integer
	Number // an integer or a decimal
	String
	Array
	Object
)

// kindNames are the kinds as messages call them.
var kindNames = [...]string{Any: "anything", Null: "null", Bool: "true or false", Integer: "a number", Number: "a number",
	String: "a text", Array: "a list", Object: "an object"}

// String is the kind as messages call it.
func (k Kind) String() string { return kindNames[k] }
