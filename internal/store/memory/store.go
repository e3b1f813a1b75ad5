package memory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// queueLimit is how many batches may wait for the writer.
const queueLimit = 8192

// Store is one open of a Disk.
type Store struct {
	disk  *Disk
	clock pipelined.Clock
	queue chan *request
	gone  chan struct{} // closed when the writer has ended

	sending sync.RWMutex // guards closing queue against senders
	closed  bool

	declared declared
	// Of the disk, under its lock.
	left   bool
	others int64         // the last number that another store gave
	woken  chan struct{} // closed when it gives one
}

var _ store.Store = (*Store)(nil)

// request is a batch, or a change of the store's own, on its way.
type request struct {
	batch *store.Batch
	apply func(*state) error
	done  func(store.Result, error)
	fate  atomic.Int32
}

// The fate of a request. Who waits may give up one that nobody has begun with.
const (
	waits int32 = iota
	begun
	givenUp
)

func (s *Store) run() {
	defer close(s.gone)
	for r := range s.queue {
		if !r.fate.CompareAndSwap(waits, begun) {
			continue // nobody waits for it
		}
		result, err := s.apply(r)
		r.done(result, err)
	}
}

func (s *Store) apply(r *request) (store.Result, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.left {
		return store.Result{}, store.ErrClosed
	}
	before := s.disk.state.seq
	defer func() {
		if s.disk.state.seq > before {
			s.wakeOthers()
		}
	}()
	if r.apply != nil {
		return store.Result{}, r.apply(s.disk.state)
	}
	now := r.batch.At
	if now.IsZero() {
		now = s.clock.Now()
	}
	t := &transaction{state: s.disk.state, now: micro(now), unique: s.disk.unique()}
	result, err := t.commit(r.batch)
	if err != nil {
		t.rollback()
		return store.Result{}, err
	}
	return result, nil
}

// wakeOthers tells the other stores of new events.
func (s *Store) wakeOthers() {
	for m := range s.disk.members {
		if m != s {
			m.others = s.disk.state.seq
			close(m.woken)
			m.woken = make(chan struct{})
		}
	}
}

// Watch returns a channel that is closed when another store has appended events.
func (s *Store) Watch(after int64) <-chan struct{} {
	s.disk.mu.RLock()
	defer s.disk.mu.RUnlock()
	if s.others > after {
		now := make(chan struct{})
		close(now)
		return now
	}
	return s.woken
}

// Submit queues b.
func (s *Store) Submit(b *store.Batch, done func(store.Result, error)) {
	s.send(context.Background(), &request{batch: b, done: done})
}

func (s *Store) send(ctx context.Context, r *request) {
	s.sending.RLock()
	defer s.sending.RUnlock()
	if s.closed {
		r.done(store.Result{}, store.ErrClosed)
		return
	}
	select {
	case s.queue <- r:
	case <-ctx.Done():
	}
}

// Commit submits b and waits.
func (s *Store) Commit(ctx context.Context, b *store.Batch) (store.Result, error) {
	return s.await(ctx, &request{batch: b})
}

// do makes a change of the store's own in its turn.
func (s *Store) do(ctx context.Context, apply func(*state) error) error {
	_, err := s.await(ctx, &request{apply: apply})
	return err
}

func (s *Store) await(ctx context.Context, r *request) (store.Result, error) {
	type answer struct {
		r   store.Result
		err error
	}
	ch := make(chan answer, 1)
	r.done = func(r store.Result, err error) { ch <- answer{r, err} }
	s.send(ctx, r)
	select {
	case a := <-ch:
		return a.r, a.err
	case <-ctx.Done():
	}
	if r.fate.CompareAndSwap(waits, givenUp) {
		return store.Result{}, fmt.Errorf("%w: %w", store.ErrUnavailable, context.Cause(ctx))
	}
	select { // the answer may be there as well
	case a := <-ch:
		return a.r, a.err
	default:
		return store.Result{}, fmt.Errorf("%w: %w", store.ErrInDoubt, context.Cause(ctx))
	}
}

// read looks at what is committed.
func (s *Store) read(look func(*state)) error {
	s.disk.mu.RLock()
	defer s.disk.mu.RUnlock()
	if s.left {
		return store.ErrClosed
	}
	look(s.disk.state)
	return nil
}

// Health is nil until the store is closed or abandoned.
func (s *Store) Health() error {
	if err := s.read(func(*state) {}); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return nil
}

// Close commits what was submitted and leaves the disk.
func (s *Store) Close() error {
	s.stop()
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if !s.left {
		s.leave()
	}
	return nil
}

// stop ends the writer when it is through with what is queued.
func (s *Store) stop() {
	s.sending.Lock()
	if !s.closed {
		s.closed = true
		close(s.queue)
	}
	s.sending.Unlock()
	<-s.gone
}

// micro is a time as stores keep it.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Truncate(time.Microsecond).UTC()
}
