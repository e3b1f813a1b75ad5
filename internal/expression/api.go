package expression

// Program is a compiled expression.
type Program struct{}

// Condition is a bare expression that must give true or false.
type Condition struct{ *Program }

// Bare is a bare expression of any type.
type Bare struct{ *Program }
