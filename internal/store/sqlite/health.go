package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"pipelined/internal/store"
)

// health is whether commits work. It is bad from a commit that failed until one
// that did not; a damaged file stays bad.
type health struct {
	bad     atomic.Bool // err is not nil; asked for every delivery
	mu      sync.Mutex
	err     error
	since   time.Time
	damaged bool
	closed  chan struct{}
}

// probeEvery is how often a store that cannot commit tries again by itself.
const probeEvery = 500 * time.Millisecond

// Health is nil while commits work; else it says why they do not.
func (s *Store) Health() error {
	if !s.health.bad.Load() {
		return nil
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	return s.health.err
}

// sick notes that a commit failed. The first of a row is told, and starts a probe.
func (s *Store) sick(err error) {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.err == nil
	damaged := isCorrupt(err)
	if h.damaged {
		return
	}
	h.err, h.damaged = fmt.Errorf("%w: %s: %w", store.ErrUnavailable, reason(err, s.path), err), damaged
	h.bad.Store(true)
	if !first && !damaged {
		return
	}
	h.since = time.Now()
	s.cfg.Logger.Error("the store cannot commit; nothing new is taken", "path", s.path, "reason", reason(err, s.path), "err", err)
	if !damaged {
		go s.probe()
	}
}

// well notes that a commit worked.
func (s *Store) well() {
	h := &s.health
	if !h.bad.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || h.damaged {
		return
	}
	s.cfg.Logger.Info("the store commits again", "path", s.path, "after", time.Since(h.since).Round(time.Millisecond).String())
	h.err = nil
	h.bad.Store(false)
}

// lost is not nil once the file is known to be damaged: writing on would make it
// worse.
func (s *Store) lost() error {
	if !s.health.bad.Load() {
		return nil
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if s.health.damaged {
		return s.health.err
	}
	return nil
}

// probe commits a little until that works, or the store is closed.
func (s *Store) probe() {
	t := time.NewTicker(probeEvery)
	defer t.Stop()
	for {
		select {
		case <-s.health.closed:
			return
		case <-t.C:
		}
		if s.Health() == nil {
			return
		}
		err := s.do(context.Background(), func(ctx context.Context, w *writer) error {
			return w.meta(ctx, store.Meta{Key: probeKey, Value: time.Now().UTC().Format(time.RFC3339)})
		})
		if err == nil || errors.Is(err, store.ErrClosed) {
			return
		}
	}
}

const probeKey = "sys/probe"

// reason says in words why a commit failed, and what to do.
func reason(err error, path string) string {
	switch code(err) {
	case codeFull:
		return "there is no room on the disk for " + path + "; make some, and the store goes on by itself"
	case codeReadOnly, codePerm, codeCantOpen:
		return path + " cannot be written; mend its permissions or those of its folder, and the store goes on by itself"
	case codeCorrupt, codeNotADB:
		return path + " is damaged; stop, and put a backup in its place"
	case codeIOErr:
		return "the disk fails under " + path + "; the store goes on by itself when it works again"
	case codeBusy, codeLocked:
		return "another program holds " + path
	}
	if errors.Is(err, os.ErrPermission) {
		return path + " cannot be written"
	}
	return path + " cannot be committed to"
}
