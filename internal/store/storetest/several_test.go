package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
	"pipelined/internal/store/storetest"
)

// TestSeveral runs the suite, with its tests of two opens, on the simplest store that
// can be open several times: members that share one store of one process and know who
// of them holds what.
func TestSeveral(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the store in memory passes the same tests of two opens; -short leaves it at that")
	}
	storetest.Run(t, storetest.Features{Several: true}, func(t *testing.T) storetest.Opener {
		g := &group{path: filepath.Join(t.TempDir(), "data.db")}
		return func(_ *testing.T, c pipelined.Clock) (store.Store, error) { return g.join(c) }
	})
}

// group is the members that have the store open.
type group struct {
	path    string
	mu      sync.Mutex
	store   *sqlite.Store
	members int
	leases  map[string]*member
	claims  map[string]*member
}

// member is one open of the store.
type member struct {
	store.Store
	group *group
	once  sync.Once
}

func (g *group) join(c pipelined.Clock) (store.Store, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.members == 0 {
		s, err := sqlite.Open(g.path, sqlite.Config{Clock: c})
		if err != nil {
			return nil, err
		}
		g.store, g.leases, g.claims = s, map[string]*member{}, map[string]*member{}
	}
	g.members++
	return &member{Store: g.store, group: g}, nil
}

// mine takes a place for a member unless another living one has it.
func (m *member) mine(places map[string]*member, name string) bool {
	if holder := places[name]; holder != nil && holder != m {
		return false
	}
	places[name] = m
	return true
}

func (m *member) Acquire(ctx context.Context, name string) ([]store.Lease, error) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if !m.mine(m.group.leases, name) {
		return nil, nil
	}
	return m.Store.Acquire(ctx, name)
}

func (m *member) Release(ctx context.Context, leases []store.Lease) error {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	for _, l := range leases {
		if m.group.leases[l.Subscription] == m {
			delete(m.group.leases, l.Subscription)
		}
	}
	return m.Store.Release(ctx, leases)
}

func (m *member) Claim(ctx context.Context, claims []store.Claim) ([]store.Claimed, error) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	var out []store.Claimed
	for _, c := range claims {
		if !m.mine(m.group.claims, c.String()) {
			out = append(out, store.Claimed{Claim: store.Claim{Kind: c.Kind, Key: c.Key}, Err: fmt.Errorf("another has %s: %w", c, store.ErrTaken)})
			continue
		}
		got, err := m.Store.Claim(ctx, []store.Claim{c})
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

// Watch polls, as one may that hears of nothing.
func (m *member) Watch(after int64) <-chan struct{} {
	woken := make(chan struct{})
	go func() {
		for {
			if last, err := m.LastSeq(context.Background()); err != nil || last > after {
				close(woken)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return woken
}

// Close gives back what the member holds; the last one closes the store.
func (m *member) Close() (err error) {
	m.once.Do(func() { err = m.leave() })
	return err
}

func (m *member) leave() error {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, holder := range g.leases {
		if holder != m {
			continue
		}
		delete(g.leases, name)
		held, err := g.store.Acquire(context.Background(), name)
		if err == nil {
			err = g.store.Release(context.Background(), held)
		}
		if err != nil && !errors.Is(err, store.ErrTaken) { // one that was unsubscribed meanwhile is nobody's
			return err
		}
	}
	for name, holder := range g.claims {
		if holder == m {
			delete(g.claims, name)
		}
	}
	if g.members--; g.members > 0 {
		return nil
	}
	return g.store.Close()
}
