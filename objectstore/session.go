package objectstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// Session is one execution's view. A branch of the execution has a Child. It is
// not safe for concurrent use, but children of one parent may be used at the
// same time while the parent is not.
type Session struct {
	store  store.Store
	newID  func() string
	now    func() time.Time
	parent *Session
	unique func(collection string) []string // nil: no values are

	entries map[key]*entry
	order   []key        // of first writing
	undo    []undone     // what Rollback restores
	read    map[key]seen // what was there at the first look
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
	patch   value.Raw // not empty: the only change is this merge patch, with no version asked for
	anew    bool      // the stored document goes and this is another one
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

// NewSession returns an empty view on s.
func NewSession(s store.Store, newID func() string, now func() time.Time) *Session {
	return &Session{store: s, newID: newID, now: now}
}

// Declare says which fields of a collection hold a value once, so that a value that
// is taken is met by the step that writes it, and returns s.
func (s *Session) Declare(unique func(collection string) []string) *Session {
	s.unique = unique
	return s
}

// Child returns a view on top of this one.
func (s *Session) Child() *Session {
	return &Session{store: s.store, newID: s.newID, now: s.now, parent: s, unique: s.unique}
}

// Join takes over what a child read and wrote. Where two children wrote the same
// document, the one joined later has the last word.
func (s *Session) Join(child *Session) {
	for k, v := range child.read {
		s.see(k, v)
	}
	for _, k := range child.order {
		if e := child.entries[k]; e != nil {
			s.set(k, s.joined(k, e))
		}
	}
}

// joined is a child's entry on top of what the parent has: a demand on the stored
// document that the parent made stays.
func (s *Session) joined(k key, e *entry) *entry {
	before := s.entries[k]
	if before == nil {
		return e
	}
	out := *e
	if before.base != (demand{}) {
		out.base = before.base
	}
	out.anew = e.anew || before.anew && e.exists
	if e.patch == "" {
		out.writes = max(e.writes, before.writes)
		return &out
	}
	if !before.exists { // a sibling deleted what was to be patched
		return before
	}
	merged, err := value.MergePatch(before.body, e.patch)
	if err != nil { // both were checked when they were written
		panic(fmt.Sprintf("join %s/%s: %v", k.collection, k.id, err))
	}
	out.body, out.patch, out.created = merged, "", before.created
	out.version, out.writes = before.next()
	if out.base == (demand{}) && before.patch != "" {
		out.base = s.mustSee(k)
	}
	return &out
}

// mustSee is the demand on a document whose text the session computed with.
func (s *Session) mustSee(k key) demand {
	v, ok := s.seen(k)
	if !ok {
		panic("a document was patched that was never read: " + k.collection + "/" + k.id)
	}
	return v.demand()
}

// Mark remembers where the session is.
func (s *Session) Mark() Mark { return Mark{len(s.undo), len(s.order)} }

// Rollback drops what was written after m.
func (s *Session) Rollback(m Mark) {
	for i := len(s.undo) - 1; i >= m.undo; i-- {
		u := s.undo[i]
		if u.before == nil {
			delete(s.entries, u.k)
		} else {
			s.entries[u.k] = u.before
		}
	}
	s.undo, s.order = s.undo[:m.undo], s.order[:m.order]
}

// Reset forgets everything, what was read too.
func (s *Session) Reset() { s.entries, s.order, s.undo, s.read = nil, nil, nil, nil }

func (s *Session) set(k key, e *entry) {
	if s.entries == nil {
		s.entries = map[key]*entry{}
	}
	before := s.entries[k]
	if before == nil {
		s.order = append(s.order, k)
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

// Writes is what the session wants committed: one write a document, or two where
// one goes and another of its id takes its place.
func (s *Session) Writes() []store.Write {
	out := make([]store.Write, 0, len(s.order))
	for _, k := range s.order {
		e := s.entries[k]
		if e == nil || !e.exists && e.base.missing() { // inserted and deleted again
			continue
		}
		w := store.Write{Collection: k.collection, ID: k.id, IfVersion: e.base.version, IfCreatedAt: e.base.created}
		if !e.exists || e.anew {
			w.Kind = store.Delete
			out = append(out, w)
			if !e.exists {
				continue
			}
			w = store.Write{Kind: store.Insert, Collection: k.collection, ID: k.id}
		}
		w.Document, w.Advance = string(e.body), e.writes
		if e.patch != "" {
			w.Kind, w.Document = store.Merge, string(e.patch)
		}
		out = append(out, w)
	}
	return out
}

// Get returns a document with its _ fields; ok is false if there is none.
func (s *Session) Get(ctx context.Context, collection, id string) (doc value.Raw, ok bool, err error) {
	if err := checkCollection(collection); err != nil {
		return "", false, err
	}
	k := key{collection, id}
	if e := s.own(k); e != nil {
		if !e.exists {
			return "", false, nil
		}
		if e, err = s.versioned(ctx, k, e); err != nil {
			return "", false, err
		}
		return s.shown(k, e), true, nil
	}
	stored, err := s.stored(ctx, k)
	if err != nil || stored == nil {
		return "", false, err
	}
	return shown(stored), true, nil
}

// Version makes the version of a coming Put known: the session reads the document
// and will demand that it has not changed.
func (s *Session) Version(ctx context.Context, collection, id string) error {
	k := key{collection, id}
	if id == "" || s.own(k) != nil {
		return nil
	}
	_, err := s.stored(ctx, k)
	return err
}

// versioned is an entry whose version is known: one that was written without a look
// at what is there is looked up now, and asks from then on that it has not changed.
func (s *Session) versioned(ctx context.Context, k key, e *entry) (*entry, error) {
	if e.version > 0 || !e.exists {
		return e, nil
	}
	d, err := s.stored(ctx, k)
	if err != nil {
		return nil, err
	}
	next := *e
	next.version, next.base = versionOf(d)+e.writes, seenOf(d).demand()
	if d != nil {
		next.created = d.CreatedAt
	}
	s.set(k, &next)
	return &next, nil
}

// stored reads a document and remembers which version was seen.
func (s *Session) stored(ctx context.Context, k key) (*store.Document, error) {
	d, err := s.store.Get(ctx, k.collection, k.id)
	if err != nil {
		return nil, unavailable(err)
	}
	if first, looked := s.seen(k); looked && !first.same(seenOf(d)) {
		return nil, &StaleError{k.collection, k.id}
	}
	s.see(k, seenOf(d))
	return d, nil
}

func (s seen) same(o seen) bool { return s.version == o.version && s.created.Equal(o.created) }

func (s *Session) see(k key, v seen) {
	if _, known := s.seen(k); known {
		return // the first look counts: what was computed may rest on it
	}
	if s.read == nil {
		s.read = map[key]seen{}
	}
	s.read[k] = v
}

func (s *Session) seen(k key) (seen, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.read[k]; ok {
			return v, true
		}
	}
	return seen{}, false
}

func versionOf(d *store.Document) int64 {
	if d == nil {
		return 0
	}
	return d.Version
}

func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return pipelined.NewProblem(pipelined.TypeUnavailable, "The store cannot be read now", 503, err.Error()).Transient()
}
