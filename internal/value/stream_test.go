package value_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"pipelined/internal/value"
)

// counting is a stream of numbers.
type counting struct{ left, closed int }

func (c *counting) Next(context.Context) (any, bool, error) {
	if c.left == 0 {
		return nil, false, nil
	}
	c.left--
	return c.left, true, nil
}

func (c *counting) Close() error { c.closed++; return nil }

var errUsed = errors.New("it was read before")

// drained is how many values a reader gets, and the error it ends with.
func drained(s value.Stream, err error) (n int, end error) {
	if err != nil {
		return 0, err
	}
	for {
		_, ok, err := s.Next(context.Background())
		if err != nil || !ok {
			return n, err
		}
		n++
	}
}

// TestOnceHasOneReader, by Read or without it, at its end or in its middle; the next one is
// told.
func TestOnceHasOneReader(t *testing.T) {
	t.Parallel()
	through := func(s value.Stream) (int, error) { r, _, err := value.Read(s); return drained(r, err) }
	past := func(s value.Stream) (int, error) { return drained(s, nil) }
	half := func(s value.Stream) (int, error) {
		_, _, err := s.Next(t.Context())
		return 3, errors.Join(err, s.Close())
	}
	for name, first := range map[string]func(value.Stream) (int, error){"read": through, "past Read": past, "half": half} {
		for other, second := range map[string]func(value.Stream) (int, error){"read": through, "past Read": past} {
			from := &counting{left: 3}
			s := value.Once(from, func() error { return errUsed })
			if n, err := first(s); n != 3 || err != nil {
				t.Errorf("%s: %d values, %v", name, n, err)
			}
			if n, err := second(s); n != 0 || !errors.Is(err, errUsed) {
				t.Errorf("%s, then %s: %d values, %v", name, other, n, err)
			}
			if err := s.Close(); err != nil || from.closed == 0 {
				t.Errorf("%s: it is not closed: %v", name, err)
			}
		}
	}
	for _, v := range []any{nil, 1, value.Raw("[1]"), []any{1}} {
		if _, is, err := value.Read(v); is || err != nil {
			t.Errorf("%v is a stream: %v %v", v, is, err)
		}
	}
	if n, err := through(&counting{left: 2}); n != 2 || err != nil {
		t.Errorf("any other stream gives %d values, %v", n, err)
	}
}

// TestReadersAtTheSameTime: exactly one of them gets it.
func TestReadersAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := value.Once(&counting{left: 3}, func() error { return errUsed })
	var got, refused atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, _, err := value.Read(s); err == nil {
				got.Add(1)
			} else if errors.Is(err, errUsed) {
				refused.Add(1)
			}
		})
	}
	if all.Wait(); got.Load() != 1 || refused.Load() != 15 {
		t.Errorf("%d readers got it, %d were refused", got.Load(), refused.Load())
	}
}
