package objectstore

import (
	"fmt"
	"slices"
	"sync"
)

// Branch tells siblings apart, for people: by a name, or as a turn of a loop.
type Branch struct {
	Name string
	Turn int
}

func (b Branch) String() string {
	if b.Name != "" {
		return "branch " + b.Name
	}
	return fmt.Sprintf("turn %d", b.Turn)
}

// view is what all sessions of one execution share once it has branches.
type view struct {
	mu      sync.Mutex
	changes uint64             // made so far
	held    map[key][]*Session // branches that may still drop what they wrote
}

// Group is branches that run at the same time. The session they are of must not be
// used until it is closed.
type Group struct {
	parent *Session
	since  uint64

	mu       sync.Mutex
	branches []*Session
}

// Fork begins a group.
func (s *Session) Fork() *Group {
	if s.view == nil {
		s.view = &view{held: map[key][]*Session{}}
	}
	s.lock()
	defer s.unlock()
	return &Group{parent: s, since: s.view.changes}
}

// Branch returns the session of a branch in which parts are under way that drop
// what they wrote if they fail. It may be called by several goroutines.
func (g *Group) Branch(b Branch, parts int) *Session {
	p := g.parent
	s := &Session{store: p.store, newID: p.newID, now: p.now, kept: p.kept, parent: p, view: p.view, name: b, since: g.since, guards: parts}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.branches = append(g.branches, s)
	return s
}

// Close ends the group: what its branches read their parent has read. What one of
// them still holds is dropped.
func (g *Group) Close() {
	p := g.parent
	p.lock()
	defer p.unlock()
	for _, b := range g.branches {
		b.rollback(Mark{})
		for k, v := range b.read {
			p.see(k, v.seen, false)
		}
		for k, l := range b.looks {
			p.relearn(k, l)
		}
	}
}

// Begin begins a part that Keep or Rollback ends. Parts may lie in each other.
func (s *Session) Begin() { s.guards++ }

// Keep ends a part that succeeded. The outermost one shows its writes to the
// siblings.
func (s *Session) Keep() {
	s.guards--
	if s.parent == nil || s.guards > 0 {
		return
	}
	s.lock()
	defer s.unlock()
	at := s.home()
	for _, k := range s.order {
		e := s.entries[k]
		delete(s.entries, k)
		s.release(k)
		if v, ok := s.seen(k); ok {
			at.see(k, v, false)
		}
		at.put(k, e)
	}
	s.order, s.undo = s.order[:0], s.undo[:0]
}

func (s *Session) lock() {
	if s.view != nil {
		s.view.mu.Lock()
	}
}

func (s *Session) unlock() {
	if s.view != nil {
		s.view.mu.Unlock()
	}
}

// home is the session that takes a write of this one: itself while a part may drop
// it, else the first of its parents of which that is so, or the execution's own.
func (s *Session) home() *Session {
	for s.parent != nil && s.guards == 0 {
		s = s.parent
	}
	return s
}

// hold notes that a branch has a write that its siblings do not see.
func (s *Session) hold(k key) {
	if s.parent != nil {
		s.view.held[k] = append(s.view.held[k], s)
	}
}

func (s *Session) release(k key) {
	if s.parent == nil {
		return
	}
	list := slices.DeleteFunc(s.view.held[k], func(h *Session) bool { return h == s })
	if len(list) == 0 {
		delete(s.view.held, k)
		return
	}
	s.view.held[k] = list
}

// within reports whether s is o or one of its branches, at any depth.
func (s *Session) within(o *Session) bool {
	for ; s != nil; s = s.parent {
		if s == o {
			return true
		}
	}
	return false
}
