package pipelined

import "time"

// Backoff is how long to wait before try n (from 1 for the first retry).
type Backoff struct {
	Exponential  bool
	Initial, Max time.Duration
	FullJitter   bool
}

// NewBackoff is a Backoff as authors write it: kind is constant or exponential, jitter none
// or full.
func NewBackoff(kind string, initial, max time.Duration, jitter string) Backoff {
	return Backoff{Exponential: kind == "exponential", Initial: initial, Max: max, FullJitter: jitter == "full"}
}

// Wait returns the wait before retry n, from 1; random is in [0, 1).
func (b Backoff) Wait(n int, random float64) time.Duration {
	d := b.Initial
	if b.Exponential {
		for i := 1; i < n && d < b.Max; i++ {
			d *= 2
		}
	}
	if b.Max > 0 && d > b.Max {
		d = b.Max
	}
	if b.FullJitter {
		d = time.Duration(random * float64(d))
	}
	return d
}

// WaitAtLeast is Wait, or what a server asked for if that is longer: up to Max, where
// there is one.
func (b Backoff) WaitAtLeast(n int, random float64, asked time.Duration) time.Duration {
	wait := b.Wait(n, random)
	if asked <= wait {
		return wait
	}
	if b.Max > 0 {
		return min(asked, b.Max)
	}
	return asked
}
