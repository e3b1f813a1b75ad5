package store

import "time"

// Query selects documents of a collection. The store applies Conditions as far
// as it can and may return more than match (a superset); the caller evaluates
// the whole condition again, so pushing one down only saves work.
type Query struct {
	Collection string
	Conditions []Condition
	// OrderBy sorts by these dotted paths (or _id, _created_at, _updated_at,
	// _version), ties and an empty list by _id, which is insertion order for
	// generated ids. Null and missing sort first, then numbers, where false counts
	// as 0 and true as 1, then texts by their bytes, lists and objects among them
	// by their JSON without white space. Decimals of more than 17 digits may count
	// as equal.
	OrderBy []Order
	// Want is how many documents the caller expects to take, 0 for all: a hint, which
	// changes nothing of what there is to take.
	Want int
}

// Order is one sort key.
type Order struct {
	Path       string
	Descending bool
}

// Condition is one comparison a store may use: Path Op Value. Value is nil,
// bool, int64, float64 or string; times of _created_at and _updated_at are
// RFC 3339 text. Comparisons between different kinds of values do not match,
// except integers with decimals.
type Condition struct {
	Path  string
	Op    string // "==", "<", "<=", ">", ">=", "in" (Value is []any)
	Value any
}

// WaitQuery selects deliveries of one partition that wait.
type WaitQuery struct {
	Subscription string
	Partition    int
	Before       time.Time // due then or earlier; zero: whenever
	AfterDue     time.Time // with AfterID: those that follow that one
	AfterID      string
	Limit        int // 0 means 1000
}

// ParkedQuery selects events of one group that a partition has set aside, ascending.
type ParkedQuery struct {
	Subscription string
	Partition    int
	Group        string
	After        int64 // numbers above it
	Limit        int   // 0 means 1000
}

// PageLimit is how many a query without a limit gives.
const PageLimit = 1000

// Precision is how exact a count must be.
type Precision int

const (
	Exact    Precision = iota // every document that has not expired
	Estimate                  // about so many, where counting all would take long
)

// EventQuery selects events of the log for people and replays.
type EventQuery struct {
	Types []string  // patterns, see package pattern; empty means all
	After int64     // numbers above it
	Since time.Time // appended then or later
	ID    string
	Key   string
	Limit int // 0 means 100
	Desc  bool
}

// ExecutionQuery selects executions for people.
type ExecutionQuery struct {
	Pipeline string
	Status   string
	Since    time.Time
	Limit    int // 0 means 100; newest first
}
