package objectstore

import (
	"context"
	"errors"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// Get returns a document with its _ fields; ok is false if there is none.
func (s *Session) Get(ctx context.Context, collection, id string) (doc value.Raw, ok bool, err error) {
	if err := checkCollection(collection); err != nil {
		return "", false, err
	}
	s.lock()
	defer s.unlock()
	k := key{collection, id}
	if e := s.own(k); e != nil {
		if e, err = s.versioned(ctx, k, e); err != nil {
			return "", false, err
		}
		s.tell(k, e)
		if !e.exists {
			return "", false, nil
		}
		return s.shown(k, e), true, nil
	}
	stored, err := s.stored(ctx, k)
	if err != nil {
		return "", false, err
	}
	s.tell(k, nil)
	if stored == nil {
		return "", false, nil
	}
	return Shown(stored), true, nil
}

// Version makes the version of a coming Put known: the session reads the document
// and will demand that it has not changed.
func (s *Session) Version(ctx context.Context, collection, id string) error {
	s.lock()
	defer s.unlock()
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
	for at := s; at != nil; at = at.parent {
		if at.entries[k] == e { // no change, but more is known of it
			at.entries[k] = &next
			break
		}
	}
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
	s.see(k, seenOf(d), false)
	return d, nil
}

func (s seen) same(o seen) bool { return s.version == o.version && s.created.Equal(o.created) }

func (s *Session) see(k key, v seen, told bool) {
	if _, known := s.seen(k); known {
		return // the first look counts: what was computed may rest on it
	}
	if s.read == nil {
		s.read = map[key]sight{}
	}
	s.read[k] = sight{v, told}
}

func (s *Session) seen(k key) (seen, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.read[k]; ok {
			return v.seen, true
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
