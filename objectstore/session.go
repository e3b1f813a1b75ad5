package objectstore

import (
	"time"

	"pipelined/internal/store"
	"pipelined/internal/value"
)

// Session is one execution's view, or that of one of its branches (see Group). It
// is not safe for concurrent use, but the branches of one group may be used at the
// same time while their parent is not.
type Session struct {
	store  store.Documents
	newID  func() string
	now    func() time.Time
	parent *Session
	kept   Collections

	entries map[key]*entry // of a branch: what it may still drop
	order   []key          // of first writing
	undo    []undone       // what Rollback restores
	read    map[key]sight  // what was stored at the first look

	view   *view        // nil while there are no branches
	name   Branch       // among its siblings
	since  uint64       // the last change before its group began
	guards int          // parts under way that drop what they wrote if they fail
	looks  map[key]look // what the author was last shown
}

type key struct{ collection, id string }

// seen is what the session saw of a stored document. A document that is deleted
// and made again has the same versions, so when it was made counts too.
type seen struct {
	version int64 // 0: there was none
	created time.Time
}

func seenOf(d *store.Document) seen {
	if d == nil {
		return seen{}
	}
	return seen{d.Version, d.CreatedAt}
}

// sight is seen, and whether the author was shown it.
type sight struct {
	seen
	told bool
}

// demand is what the stored document must be at the commit: nothing if version is
// 0, missing if it is -1.
type demand seen

// demand asks that what was seen has not changed.
func (s seen) demand() demand {
	if s.version == 0 {
		return demand{version: -1}
	}
	return demand(s)
}

func (d demand) missing() bool { return d.version == -1 }

// entry is what the session made of one document. However often the session writes
// it, one write is committed, which counts for as many versions.
type entry struct {
	exists  bool
	body    value.Raw
	version int64 // it will have; 0 if not known
	writes  int64 // versions it is ahead
	created time.Time
	base    demand
	anew    bool // the stored document goes and this is another one

	change uint64   // its number among the changes since there were branches
	by     *Session // who made it; nil before there were branches
}

// next is the version, if it is known, and the writes of one more write.
func (e *entry) next() (version, writes int64) {
	if e.version > 0 {
		version = e.version + 1
	}
	return version, e.writes + 1
}

type undone struct {
	k      key
	before *entry
}

// Mark is a point to roll back to.
type Mark struct{ undo, order int }

// Collections tells how a collection is kept: how long its documents stay, whether their
// earlier versions do, and which fields hold a value once, so that a value that is taken
// is met by the step that writes it. One that nobody declares is the zero Collection, as
// all are for a nil Collections.
type Collections func(name string) store.Collection

// of is how a collection is kept.
func (c Collections) of(name string) store.Collection {
	if c == nil {
		return store.Collection{}
	}
	return c(name)
}

// NewSession returns an empty view on s, of the revision that declares kept.
func NewSession(s store.Documents, kept Collections, newID func() string, now func() time.Time) *Session {
	return &Session{store: s, kept: kept, newID: newID, now: now}
}

// Mark remembers where the session is.
func (s *Session) Mark() Mark { return Mark{len(s.undo), len(s.order)} }

// Rollback drops what was written after m, and ends the part that began there, if one
// did. What a branch wrote outside of any part is its siblings', and not dropped.
func (s *Session) Rollback(m Mark, part bool) {
	s.lock()
	defer s.unlock()
	s.rollback(m)
	if part {
		s.guards--
	}
}

func (s *Session) rollback(m Mark) {
	for i := len(s.undo) - 1; i >= m.undo; i-- {
		u := s.undo[i]
		if u.before == nil {
			delete(s.entries, u.k)
			s.release(u.k)
		} else {
			s.entries[u.k] = u.before
		}
	}
	s.undo, s.order = s.undo[:m.undo], s.order[:m.order]
}

// Reset forgets everything, what was read too.
func (s *Session) Reset() { s.entries, s.order, s.undo, s.read, s.looks = nil, nil, nil, nil, nil }

// set makes e the state of a document: for everybody with the same parent, or, while
// a part of the branch may still drop it, for the branch alone.
func (s *Session) set(k key, e *entry) {
	if s.view == nil {
		s.put(k, e)
		return
	}
	s.view.changes++
	e.change, e.by = s.view.changes, s
	at := s.home()
	if v, ok := s.seen(k); ok {
		at.see(k, v, false)
	}
	at.put(k, e)
	s.relook(k, e)
}

func (s *Session) put(k key, e *entry) {
	if s.entries == nil {
		s.entries = map[key]*entry{}
	}
	before := s.entries[k]
	if before == nil {
		s.order = append(s.order, k)
		s.hold(k)
	}
	s.undo = append(s.undo, undone{k, before})
	s.entries[k] = e
}

// own finds the session's own state of a document, here or in its parents.
func (s *Session) own(k key) *entry {
	for ; s != nil; s = s.parent {
		if e := s.entries[k]; e != nil {
			return e
		}
	}
	return nil
}

// Writes is what the session wants committed at a moment: one write a document, or two
// where one goes and another of its id takes its place. Each says how it is kept.
func (s *Session) Writes(at time.Time) []store.Write {
	out := make([]store.Write, 0, len(s.order))
	for _, k := range s.order {
		e := s.entries[k]
		if e == nil || !e.exists && e.base.missing() { // inserted and deleted again
			continue
		}
		kept := s.kept.of(k.collection)
		w := store.Write{Collection: k.collection, ID: k.id, IfVersion: e.base.version, IfCreatedAt: e.base.created, History: kept.History}
		if !e.exists || e.anew {
			w.Kind = store.Delete
			out = append(out, w)
			if !e.exists {
				continue
			}
			w = store.Write{Kind: store.Insert, Collection: k.collection, ID: k.id}
		}
		w.Expires = kept.Expires(at)
		w.Document, w.Advance = string(e.body), e.writes
		out = append(out, w)
	}
	return out
}
