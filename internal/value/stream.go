package value

import (
	"context"
	"sync/atomic"
)

// Once returns a stream that has one reader, from the first value to the last. Whoever
// comes second, at the same time or after it, gets the error that used returns: the
// sequence is gone, and finding no values would look as if there were none.
func Once(s Stream, used func() error) Stream { return &once{from: s, used: used} }

type once struct {
	from  Stream
	used  func() error
	taken atomic.Bool
	here  atomic.Bool // its reader reads from the once itself
	over  atomic.Bool
}

// Read takes a stream in order to read it; is is false where v is none. Everything that
// consumes streams begins with it.
func Read(v any) (s Stream, is bool, err error) {
	s, is = v.(Stream)
	o, single := s.(*once)
	if !single {
		return s, is, nil
	}
	if !o.taken.CompareAndSwap(false, true) {
		return nil, true, o.used()
	}
	return o.from, true, nil
}

// Next is for those that did not ask Read.
func (o *once) Next(ctx context.Context) (any, bool, error) {
	if o.taken.CompareAndSwap(false, true) {
		o.here.Store(true)
	} else if !o.here.Load() || o.over.Load() {
		return nil, false, o.used()
	}
	v, ok, err := o.from.Next(ctx)
	if !ok {
		o.over.Store(true)
	}
	return v, ok, err
}

func (o *once) Close() error {
	o.over.Store(true)
	return o.from.Close()
}
