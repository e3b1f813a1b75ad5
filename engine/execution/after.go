package execution

import (
	"errors"
	"fmt"

	"pipelined"
)

// Deferred is a pipeline's after_commit, to be run with the values that its flow ended
// with.
type Deferred struct {
	Later  *Later
	Called bool // of a pipeline that was called
	Place  Place
	Values Values
}

// size is about how much it takes to keep it, in bytes.
func (d *Deferred) size() (n int) {
	for name, text := range d.Values {
		n += len(name) + len(text)
	}
	return n
}

// largest is the value that takes the most.
func (d *Deferred) largest() (name string, n int) {
	for k, text := range d.Values {
		if len(text) > n || len(text) == n && k < name {
			name, n = k, len(text)
		}
	}
	return name, n
}

// MaxAfter is how much all an execution keeps for after its commit may take, in bytes.
const MaxAfter = 1 << 20

// Defer has the after_commit of the pipeline whose flow ended well run when the effects are
// durable; nothing if it has none.
func (x *Execution) Defer(c *Callee) error {
	if c.After == nil {
		return nil
	}
	values, err := x.Keep(c.After)
	var u *UnkeptError
	if errors.As(err, &u) {
		return pipelined.Problemf("after_commit/value", "A value cannot be kept for after_commit", 500,
			"after_commit of %s reads %s: %v", c.Name, u.Name, u.Err)
	}
	if err != nil {
		return err
	}
	d := &Deferred{Later: c.After, Called: x.callee != nil, Place: x.Place(), Values: values}
	total := d.size()
	for e := x.Effects; e != nil; e = e.parent {
		for _, before := range e.after {
			total += before.size()
		}
	}
	if total > MaxAfter {
		name, n := d.largest()
		return pipelined.Problemf("after_commit/too-large", "Too much would have to be kept for after_commit", 500,
			"what after_commit of %s reads takes %d bytes, and at most %d can be kept; the largest is %s with %d: read less of it, or put it into the object store and read it from there",
			c.Name, total, MaxAfter, name, n)
	}
	x.Effects.after = append(x.Effects.after, d)
	return nil
}

// TakeDeferred takes what is to run after the commit of the effects, in the order it ended.
func (e *Effects) TakeDeferred() []*Deferred {
	out := e.after
	e.after = nil
	return out
}

// String names what it is.
func (d *Deferred) String() string { return fmt.Sprintf("after_commit of %s", d.Later.Pipeline) }
