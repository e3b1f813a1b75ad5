package store

import (
	"cmp"
	"fmt"
	"slices"
)

// Progress is how far a subscription is: a floor, every number up to which is done, and
// ranges above it that are, ascending, not touching.
type Progress struct {
	Floor int64
	Done  []Range
}

// Add joins a range to what is done. The ranges are replaced, never changed in place.
func (p *Progress) Add(from, to int64) {
	from = max(from, p.Floor+1)
	if to < from {
		return
	}
	i, _ := slices.BinarySearchFunc(p.Done, from, func(e Range, f int64) int { return cmp.Compare(e.To+1, f) })
	j := i
	for j < len(p.Done) && p.Done[j].From <= to+1 {
		from, to = min(from, p.Done[j].From), max(to, p.Done[j].To)
		j++
	}
	done := make([]Range, 0, len(p.Done)-(j-i)+1)
	done = append(append(append(done, p.Done[:i]...), Range{from, to}), p.Done[j:]...)
	if done[0].From == p.Floor+1 {
		p.Floor, done = done[0].To, done[1:]
	}
	p.Done = done
}

// CheckPlaces says why the acknowledgements and folds of a batch cannot be: one is made
// already, or a lease is lost, which leased tells with an error.
func CheckPlaces[S interface{ Has(n int64) bool }](b *Batch, leased func(subscription string, partition int, epoch int64) (S, error)) error {
	for i, a := range b.Acks {
		sub, err := leased(a.Subscription, a.Partition, a.Epoch)
		if err != nil {
			return err
		}
		again := slices.ContainsFunc(b.Acks[:i], func(e Ack) bool { return e.Subscription == a.Subscription && e.Seq == a.Seq })
		if again || sub.Has(a.Seq) {
			return fmt.Errorf("event %d is done with for %s: %w", a.Seq, a.Subscription, ErrTaken)
		}
	}
	for _, f := range b.Folds {
		if _, err := leased(f.Subscription, f.Partition, f.Epoch); err != nil {
			return err
		}
	}
	return nil
}

// Has reports whether a number is done.
func (p *Progress) Has(n int64) bool {
	if n <= p.Floor {
		return true
	}
	_, in := slices.BinarySearchFunc(p.Done, n, func(e Range, n int64) int {
		switch {
		case e.To < n:
			return -1
		case e.From > n:
			return 1
		}
		return 0
	})
	return in
}
