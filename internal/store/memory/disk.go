// Package memory keeps a project's state in memory, for tests: it opens in no time, can
// be open several times at once, as in several processes, and can be left in the middle of
// everything and opened again as it was committed.
//
// A Disk is what there is. An open Store has a writer of its own, which applies batches
// one after the other under the disk's lock; what it does is durable at once, as far as
// anything here is. A batch that is refused is undone before anybody sees it.
package memory

import (
	"sync"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
)

// Disk is what is committed. The zero Disk is empty.
type Disk struct {
	mu      sync.RWMutex
	state   *state
	members map[*Store]bool // that have it open
}

// state is everything that is committed, and who holds what of it.
type state struct {
	seq        int64
	epoch      int64 // of claims and leases: the last one given
	row        int64 // of documents
	delay      int64 // of delayed events
	events     []store.StoredEvent
	dedupe     map[[2]string]time.Time // type and id, until when
	delayed    map[int64]store.DelayedEvent
	subs       map[string]*subscription
	deferred   map[string]store.Deferred
	parked     map[store.Parked]bool
	documents  map[string]*collection
	claims     map[[2]string]*claim // kind and key
	executions map[string]store.Execution
	meta       map[string]string
}

type claim struct {
	store.Claimed
	done   time.Time // zero while it is not
	holder *Store    // nil: nobody living
}

type subscription struct {
	store.Progress
	epoch  int64
	holder *Store
	lost   chan struct{}
}

// end takes the lease from whoever has it.
func (s *subscription) end() {
	if s.holder != nil {
		close(s.lost)
		s.holder = nil
	}
}

func newState() *state {
	return &state{dedupe: map[[2]string]time.Time{}, delayed: map[int64]store.DelayedEvent{}, subs: map[string]*subscription{},
		deferred: map[string]store.Deferred{}, parked: map[store.Parked]bool{}, documents: map[string]*collection{},
		claims: map[[2]string]*claim{}, executions: map[string]store.Execution{}, meta: map[string]string{}}
}

// Open opens the store; a nil clock is the machine's.
func (d *Disk) Open(c pipelined.Clock) *Store {
	if c == nil {
		c = clock.Real()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == nil {
		d.state, d.members = newState(), map[*Store]bool{}
	}
	s := &Store{disk: d, clock: c, queue: make(chan *request, queueLimit), gone: make(chan struct{}), woken: make(chan struct{})}
	d.members[s] = true
	go s.run()
	return s
}

// Abandon leaves the disk as a process that dies: what was not committed is gone, and
// nobody holds what it held. Its stores are closed for whoever still has them.
func (d *Disk) Abandon() {
	d.mu.Lock()
	open := d.members
	d.members = map[*Store]bool{}
	for s := range open {
		s.leave()
	}
	d.mu.Unlock()
	for s := range open {
		s.stop()
	}
}

// leave gives back what a store holds, and closes it. The disk is locked.
func (s *Store) leave() {
	s.left = true
	for _, sub := range s.disk.state.subs {
		if sub.holder == s {
			sub.end()
		}
	}
	for _, c := range s.disk.state.claims {
		if c.holder == s {
			c.holder = nil
		}
	}
	delete(s.disk.members, s)
}
