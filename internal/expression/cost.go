package expression

import (
	"errors"

	"pipelined/internal/value"
)

// What one evaluation may use. Time is counted in terms evaluated, which bounds
// loops in loops, and in what functions are given; memory in what is made on the
// way. A term costs some 30 to 100 ns, so an expression ends within a second or so.
const (
	maxCost   = 10_000_000
	maxMemory = 64 << 20
)

// Bytes that elements and members take at least.
const (
	elementSize = 16
	memberSize  = 64
)

var (
	errCost   = errors.New("the expression takes too long: it looks at too many elements")
	errMemory = errors.New("the expression makes too much on the way to its result")
)

// spend counts steps of the evaluation.
func (f *Frame) spend(n int) error {
	if f.cost += n; f.cost > maxCost {
		return errCost
	}
	return nil
}

// grow counts what the evaluation makes, in bytes.
func (f *Frame) grow(n int) error {
	if f.memory += n; f.memory > maxMemory {
		return errMemory
	}
	return nil
}

// weight is what it costs to look at a value.
func weight(v any) int {
	switch t := v.(type) {
	case string:
		return len(t) / 64
	case value.Raw:
		return len(t) / 64
	case []any:
		return len(t)
	case map[string]any:
		return len(t)
	}
	return 0
}

// size is what a value that a function made takes.
func size(v any) int {
	switch t := v.(type) {
	case string:
		return len(t)
	case []any:
		return len(t) * elementSize
	case map[string]any:
		return len(t) * memberSize
	}
	return 0
}
