package field

// Shape is what Of learned from a struct.
type Shape struct{}

// Of builds the shape of a struct type.
func Of[T any]() *Shape { return &Shape{} }
