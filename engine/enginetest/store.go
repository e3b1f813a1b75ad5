package enginetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pipelined/internal/store"
)

// Store is the embedded store, which fails where the test says.
type Store struct {
	store.Store

	mu     sync.Mutex
	before func(*store.Batch) error
	broken map[string]error
	sick   error
}

// Before has f called with each batch before it is handed on. Where it returns an error
// the batch is refused with it, and nothing of it happens. nil takes that back. f may be
// called by several at a time.
func (s *Store) Before(f func(*store.Batch) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Refuse has the next batches refused with these errors, one each; nil lets one pass.
func (s *Store) Refuse(errs ...error) {
	var mu sync.Mutex
	s.Before(func(*store.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	})
}

// Break has a method fail with err; nil mends it.
func (s *Store) Break(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = map[string]error{}
	}
	s.broken[method] = err
}

// Sicken has Health say why nothing can be committed; nil is well again. Commits go on
// working.
func (s *Store) Sicken(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sick = err
}

func (s *Store) refusal(b *store.Batch) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(b)
}

func (s *Store) fails(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken[method]; err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Submit refuses a batch, or submits it.
func (s *Store) Submit(b *store.Batch, done func(store.Result, error)) {
	if err := s.refusal(b); err != nil {
		go done(store.Result{}, err) // as the store would: not on the caller's goroutine
		return
	}
	s.Store.Submit(b, done)
}

// Commit refuses a batch, or commits it.
func (s *Store) Commit(ctx context.Context, b *store.Batch) (store.Result, error) {
	if err := s.refusal(b); err != nil {
		return store.Result{}, err
	}
	return s.Store.Commit(ctx, b)
}

// Health is as the test says.
func (s *Store) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sick != nil {
		return s.sick
	}
	return s.Store.Health()
}

// Get, and the methods below, fail where they are broken.
func (s *Store) Get(ctx context.Context, collection, id string) (*store.Document, error) {
	return try(s, "Get", func() (*store.Document, error) { return s.Store.Get(ctx, collection, id) })
}

// Meta reads a text.
func (s *Store) Meta(ctx context.Context, key string) (string, error) {
	return try(s, "Meta", func() (string, error) { return s.Store.Meta(ctx, key) })
}

// Claim acquires claims.
func (s *Store) Claim(ctx context.Context, claims []store.Claim) ([]store.Claimed, error) {
	return try(s, "Claim", func() ([]store.Claimed, error) { return s.Store.Claim(ctx, claims) })
}

// Claims lists claims.
func (s *Store) Claims(ctx context.Context, kind, prefix string) ([]store.Claimed, error) {
	return try(s, "Claims", func() ([]store.Claimed, error) { return s.Store.Claims(ctx, kind, prefix) })
}

// LastTick reads the newest tick.
func (s *Store) LastTick(ctx context.Context, pipeline string) (time.Time, error) {
	return try(s, "LastTick", func() (time.Time, error) { return s.Store.LastTick(ctx, pipeline) })
}

// LastSeq reads the end of the log.
func (s *Store) LastSeq(ctx context.Context) (int64, error) {
	return try(s, "LastSeq", func() (int64, error) { return s.Store.LastSeq(ctx) })
}

// Read reads the log.
func (s *Store) Read(ctx context.Context, after int64, limit int) (events []store.StoredEvent, through int64, err error) {
	events, err = try(s, "Read", func() (list []store.StoredEvent, err error) {
		list, through, err = s.Store.Read(ctx, after, limit)
		return list, err
	})
	return events, through, err
}

// Subscribe subscribes.
func (s *Store) Subscribe(ctx context.Context, name string, from int64) error {
	_, err := try(s, "Subscribe", func() (struct{}, error) { return struct{}{}, s.Store.Subscribe(ctx, name, from) })
	return err
}

// Acquire leases places in the log.
func (s *Store) Acquire(ctx context.Context, name string) ([]store.Lease, error) {
	return try(s, "Acquire", func() ([]store.Lease, error) { return s.Store.Acquire(ctx, name) })
}

// Subscriptions lists subscriptions.
func (s *Store) Subscriptions(ctx context.Context) ([]store.Subscription, error) {
	return try(s, "Subscriptions", func() ([]store.Subscription, error) { return s.Store.Subscriptions(ctx) })
}

// Deferred lists what waits.
func (s *Store) Deferred(ctx context.Context, q store.WaitQuery) ([]store.Deferred, error) {
	return try(s, "Deferred", func() ([]store.Deferred, error) { return s.Store.Deferred(ctx, q) })
}

// ParkedGroups lists what is set aside.
func (s *Store) ParkedGroups(ctx context.Context, subscription string, partition int) (map[string]int, error) {
	return try(s, "ParkedGroups", func() (map[string]int, error) { return s.Store.ParkedGroups(ctx, subscription, partition) })
}

// Parked reads what is set aside.
func (s *Store) Parked(ctx context.Context, q store.ParkedQuery) ([]store.StoredEvent, error) {
	return try(s, "Parked", func() ([]store.StoredEvent, error) { return s.Store.Parked(ctx, q) })
}

// ReleaseDelayed releases delayed events.
func (s *Store) ReleaseDelayed(ctx context.Context, now time.Time, limit int) ([]store.StoredEvent, error) {
	return try(s, "ReleaseDelayed", func() ([]store.StoredEvent, error) { return s.Store.ReleaseDelayed(ctx, now, limit) })
}

// NextDelayed tells when the next one is due.
func (s *Store) NextDelayed(ctx context.Context) (time.Time, error) {
	return try(s, "NextDelayed", func() (time.Time, error) { return s.Store.NextDelayed(ctx) })
}

// try calls a method that may be broken.
func try[T any](s *Store, method string, call func() (T, error)) (out T, err error) {
	if err := s.fails(method); err != nil {
		return out, err
	}
	return call()
}
