package objectstore

import (
	"context"
	"fmt"
	"net/http"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// PutResult is what a write returns.
type PutResult struct {
	ID      string
	Version int64 // 0 where nobody asked for it
}

// Put writes a document, replacing what is there. ifVersion, if not 0, is the
// version it must have; -1 means that it must not exist. An empty id makes a new
// one. The result's Version is known where the session read the document, or had
// to.
func (s *Session) Put(ctx context.Context, collection, id string, doc value.Raw, ifVersion int64) (PutResult, error) {
	doc, err := check(collection, doc)
	if err != nil {
		return PutResult{}, err
	}
	s.lock()
	defer s.unlock()
	if id == "" {
		id = s.newID()
		if err := s.free(ctx, key{collection, id}, doc); err != nil {
			return PutResult{}, err
		}
		s.set(key{collection, id}, &entry{exists: true, body: doc, version: 1, writes: 1, created: s.now(), base: demand{version: -1}})
		return PutResult{id, 1}, nil
	}
	k := key{collection, id}
	if err := s.writable(k, ifVersion > 0); err != nil {
		return PutResult{}, err
	}
	var next *entry
	before := s.own(k)
	if before != nil && ifVersion > 0 {
		if before, err = s.versioned(ctx, k, before); err != nil {
			return PutResult{}, err
		}
	}
	if before != nil {
		next, err = s.putOver(k, before, doc, ifVersion)
	} else {
		next, err = s.putFirst(ctx, k, doc, ifVersion)
	}
	if err == nil {
		err = s.free(ctx, k, doc)
	}
	if err != nil {
		return PutResult{}, err
	}
	s.set(k, next)
	return PutResult{id, next.version}, nil
}

// putOver puts a document over what the session itself made of it.
func (s *Session) putOver(k key, before *entry, doc value.Raw, ifVersion int64) (*entry, error) {
	if err := require(k, before.exists, before.version, ifVersion); err != nil {
		return nil, err
	}
	next := *before
	next.body = doc
	next.version, next.writes = before.next()
	if !before.exists {
		next.exists, next.version, next.writes, next.created = true, 1, 1, s.now()
		next.anew = !before.base.missing()
	}
	return &next, nil
}

// putFirst puts a document that the session has not written yet. If it has not read
// it either, and no version is asked for, it does not read it now.
func (s *Session) putFirst(ctx context.Context, k key, doc value.Raw, ifVersion int64) (*entry, error) {
	next := &entry{exists: true, body: doc, writes: 1, created: s.now()}
	known, looked := s.seen(k)
	if ifVersion != 0 {
		stored, err := s.stored(ctx, k)
		if err != nil {
			return nil, err
		}
		if err := require(k, stored != nil, versionOf(stored), ifVersion); err != nil {
			return nil, err
		}
		known, looked = seenOf(stored), true
	}
	if looked {
		next.base, next.version = known.demand(), known.version+1
		if known.version > 0 {
			next.created = known.created
		}
	}
	return next, nil
}

// Insert creates a document; one of that id is a conflict.
func (s *Session) Insert(ctx context.Context, collection, id string, doc value.Raw) (PutResult, error) {
	if id == "" {
		return s.Put(ctx, collection, "", doc, 0)
	}
	return s.Put(ctx, collection, id, doc, -1)
}

// UpdateQuery says what to merge into which documents: the one with ID, or all
// that Where holds for.
type UpdateQuery struct {
	Collection string
	ID         string
	Where      Where
	Merge      value.Raw
	IfVersion  int64 // with ID; 0 means any
}

// Update merges fields into documents and returns how many there were.
func (s *Session) Update(ctx context.Context, q UpdateQuery) (int, error) {
	patch, err := check(q.Collection, q.Merge)
	if err != nil {
		return 0, err
	}
	s.lock()
	defer s.unlock()
	if q.Where.Program == nil {
		return s.updateOne(ctx, key{q.Collection, q.ID}, patch, q.IfVersion)
	}
	n := 0
	err = s.each(ctx, q.Collection, q.Where, func(k key, d *store.Document, e *entry) error {
		n++
		return s.patch(ctx, k, d, e, patch, false)
	})
	return n, err
}

func (s *Session) updateOne(ctx context.Context, k key, patch value.Raw, ifVersion int64) (int, error) {
	stored, e, exists, err := s.one(ctx, k, ifVersion)
	if err != nil || !exists {
		return 0, err
	}
	return 1, s.patch(ctx, k, stored, e, patch, ifVersion > 0)
}

// one finds the document that is to be changed, what the session made of it or else what
// is stored, and holds it to the version asked for.
func (s *Session) one(ctx context.Context, k key, ifVersion int64) (stored *store.Document, e *entry, exists bool, err error) {
	e = s.own(k)
	switch {
	case e == nil:
		stored, err = s.stored(ctx, k)
	case ifVersion > 0:
		e, err = s.versioned(ctx, k, e)
	}
	if err != nil {
		return nil, nil, false, err
	}
	exists, version := stored != nil, versionOf(stored)
	if e != nil {
		exists, version = e.exists, e.version
	}
	return stored, e, exists, require(k, exists, version, ifVersion)
}

// patch is merge, unless a sibling is in the way. stated says that the author states
// the version it is for.
func (s *Session) patch(ctx context.Context, k key, stored *store.Document, e *entry, patch value.Raw, stated bool) error {
	rest, err := s.mergeable(ctx, k, patch, stated)
	if err != nil {
		return err
	}
	if err := s.merge(ctx, k, stored, e, patch); err != nil {
		return err
	}
	if rest.by != nil {
		s.looks[k] = rest
	}
	return nil
}

// merge applies a patch, here and nowhere else: the store is given the document that
// comes of it, for the version it was made from. Of two executions that change one
// document the later runs again.
func (s *Session) merge(ctx context.Context, k key, stored *store.Document, e *entry, patch value.Raw) error {
	if e != nil {
		body, err := value.MergePatch(e.body, patch)
		if err == nil {
			err = s.free(ctx, k, body)
		}
		if err != nil {
			return err
		}
		next := *e
		next.body = body
		next.version, next.writes = e.next()
		s.set(k, &next)
		return nil
	}
	body, err := value.MergePatch(value.Raw(stored.Body), patch)
	if err == nil {
		err = s.free(ctx, k, body)
	}
	if err != nil {
		return err
	}
	s.set(k, &entry{exists: true, body: body, version: stored.Version + 1, writes: 1, created: stored.CreatedAt, base: seenOf(stored).demand()})
	return nil
}

// require checks what a step asked for against what is there.
func require(k key, exists bool, version, ifVersion int64) error {
	var why string
	switch {
	case ifVersion == 0:
		return nil
	case ifVersion == -1 && exists:
		why = "it exists already"
	case ifVersion > 0 && !exists:
		why = "it does not exist"
	case ifVersion > 0 && version != ifVersion:
		why = fmt.Sprintf("it is at version %d, not %d", version, ifVersion)
	default:
		return nil
	}
	return pipelined.Problemf(TypeConflict, "The document is not as expected", http.StatusConflict,
		"%s/%s: %s", k.collection, k.id, why)
}
