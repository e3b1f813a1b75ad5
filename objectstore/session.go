package objectstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// TimeFormat is how times are written in documents: RFC 3339 with a fixed number
// of digits, so that comparing the texts compares the times.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Problem types of the object store.
const (
	TypeConflict   = "object_store/conflict"   // the document exists, or is at another version
	TypeDocument   = "object_store/document"   // not a document that can be stored
	TypeCollection = "object_store/collection" // not the name of a collection
)

// Session is one execution's view. A branch of the execution has a Child. It is
// not safe for concurrent use, but children of one parent may be used at the
// same time while the parent is not.
type Session struct {
	store  store.Store
	newID  func() string
	now    func() time.Time
	parent *Session

	entries map[key]*entry
	order   []key         // of first writing
	undo    []undone      // what Rollback restores
	read    map[key]int64 // versions seen; 0 where there was no document
}

type key struct{ collection, id string }

// entry is what the session made of one document.
type entry struct {
	exists  bool
	body    value.Raw
	version int64 // it will have; 0 if not known
	created time.Time
	// base is the version the stored document must have at commit: 0 any, -1 none.
	base  int64
	patch value.Raw // not empty: the only change is this merge patch, with no version asked for
}

type undone struct {
	k      key
	before *entry
}

// Mark is a point to roll back to.
type Mark struct{ undo, order int }

// PutResult is what a write returns.
type PutResult struct {
	ID      string
	Version int64 // 0 where nobody asked for it
}

// NewSession returns an empty view on s.
func NewSession(s store.Store, newID func() string, now func() time.Time) *Session {
	return &Session{store: s, newID: newID, now: now}
}

// Child returns a view on top of this one.
func (s *Session) Child() *Session {
	return &Session{store: s.store, newID: s.newID, now: s.now, parent: s}
}

// Join takes over what a child wrote.
func (s *Session) Join(child *Session) {
	for _, k := range child.order {
		if e := child.entries[k]; e != nil {
			s.set(k, s.joined(k, e))
		}
	}
}

// joined is a child's entry on top of what the parent has: the parent's own
// demand on the stored document stays.
func (s *Session) joined(k key, e *entry) *entry {
	before := s.entries[k]
	if before == nil {
		return e
	}
	out := *e
	out.base = before.base
	if e.patch != "" {
		out.patch = ""
		if merged, err := value.MergePatch(before.body, e.patch); err == nil && before.exists {
			out.body = merged
		}
	}
	return &out
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

// Writes is what the session wants committed, one write a document.
func (s *Session) Writes() []store.Write {
	out := make([]store.Write, 0, len(s.order))
	for _, k := range s.order {
		e := s.entries[k]
		if e == nil {
			continue
		}
		w := store.Write{Collection: k.collection, ID: k.id, IfVersion: e.base}
		switch {
		case !e.exists && e.base == -1:
			continue // inserted and deleted again
		case !e.exists:
			w.Kind = store.Delete
		case e.patch != "":
			w.Kind, w.Document = store.Merge, string(e.patch)
		default:
			w.Kind, w.Document = store.Put, string(e.body)
		}
		out = append(out, w)
	}
	return out
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
	if id == "" {
		id = s.newID()
		s.set(key{collection, id}, &entry{exists: true, body: doc, version: 1, created: s.now(), base: -1})
		return PutResult{id, 1}, nil
	}
	k := key{collection, id}
	before := s.own(k)
	next := &entry{exists: true, body: doc, created: s.now()}
	switch {
	case before != nil:
		if err := demand(k, before.exists, before.version, ifVersion); err != nil {
			return PutResult{}, err
		}
		next.base, next.version = before.base, before.version+1
		if before.exists {
			next.created = before.created
		}
		if before.version == 0 && before.exists {
			next.version = 0
		}
	case ifVersion != 0:
		stored, err := s.stored(ctx, k)
		if err != nil {
			return PutResult{}, err
		}
		if err := demand(k, stored != nil, versionOf(stored), ifVersion); err != nil {
			return PutResult{}, err
		}
		next.base, next.version = ifVersion, versionOf(stored)+1
		if stored != nil {
			next.created = stored.CreatedAt
		}
	default:
		if seen, ok := s.seen(k); ok {
			next.base, next.version = baseOf(seen), seen+1
		}
	}
	s.set(k, next)
	return PutResult{id, next.version}, nil
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

// Insert creates a document; one of that id is a conflict.
func (s *Session) Insert(ctx context.Context, collection, id string, doc value.Raw) (PutResult, error) {
	if id == "" {
		return s.Put(ctx, collection, "", doc, 0)
	}
	return s.Put(ctx, collection, id, doc, -1)
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
		return s.shown(k, e), true, nil
	}
	stored, err := s.stored(ctx, k)
	if err != nil || stored == nil {
		return "", false, err
	}
	return shown(stored), true, nil
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
	if q.Where.Program == nil {
		return s.updateOne(ctx, key{q.Collection, q.ID}, patch, q.IfVersion)
	}
	n := 0
	err = s.each(ctx, q.Collection, q.Where, func(k key, d *store.Document, e *entry) error {
		n++
		return s.merge(k, d, e, patch, true)
	})
	return n, err
}

func (s *Session) updateOne(ctx context.Context, k key, patch value.Raw, ifVersion int64) (int, error) {
	e := s.own(k)
	var stored *store.Document
	if e == nil {
		var err error
		if stored, err = s.stored(ctx, k); err != nil {
			return 0, err
		}
	}
	exists, version := stored != nil, versionOf(stored)
	if e != nil {
		exists, version = e.exists, e.version
	}
	if ifVersion != 0 {
		if err := demand(k, exists, version, ifVersion); err != nil {
			return 0, err
		}
	}
	if !exists {
		return 0, nil
	}
	return 1, s.merge(k, stored, e, patch, ifVersion != 0)
}

// merge applies a patch. A document touched by nothing but one patch, with no
// version asked for, is patched at the commit, so that two executions changing
// different fields do not get in each other's way.
func (s *Session) merge(k key, stored *store.Document, e *entry, patch value.Raw, versioned bool) error {
	if e != nil {
		body, err := value.MergePatch(e.body, patch)
		if err != nil {
			return err
		}
		next := *e
		next.body, next.patch = body, ""
		if e.patch != "" && next.base == 0 {
			if seen, ok := s.seen(k); ok {
				next.base = baseOf(seen)
			}
		}
		if next.version > 0 {
			next.version++
		}
		s.set(k, &next)
		return nil
	}
	body, err := value.MergePatch(value.Raw(stored.Body), patch)
	if err != nil {
		return err
	}
	next := &entry{exists: true, body: body, version: stored.Version + 1, created: stored.CreatedAt}
	if versioned {
		next.base = stored.Version
	} else {
		next.patch = patch
	}
	s.set(k, next)
	return nil
}

// DeleteQuery says which documents go.
type DeleteQuery struct {
	Collection string
	ID         string
	Where      Where
	IfVersion  int64
}

// Delete removes documents and returns how many there were.
func (s *Session) Delete(ctx context.Context, q DeleteQuery) (int, error) {
	if err := checkCollection(q.Collection); err != nil {
		return 0, err
	}
	n := 0
	remove := func(k key, base int64) {
		n++
		s.set(k, &entry{base: base})
	}
	if q.Where.Program != nil {
		err := s.each(ctx, q.Collection, q.Where, func(k key, d *store.Document, e *entry) error {
			if e != nil {
				remove(k, e.base)
			} else {
				remove(k, d.Version)
			}
			return nil
		})
		return n, err
	}
	k := key{q.Collection, q.ID}
	if e := s.own(k); e != nil {
		if err := demand(k, e.exists, e.version, q.IfVersion); err != nil {
			return 0, err
		}
		if e.exists {
			remove(k, e.base)
		}
		return n, nil
	}
	stored, err := s.stored(ctx, k)
	if err != nil {
		return 0, err
	}
	if err := demand(k, stored != nil, versionOf(stored), q.IfVersion); err != nil {
		return 0, err
	}
	if stored != nil {
		remove(k, stored.Version)
	}
	return n, nil
}

// stored reads a document and remembers which version was seen.
func (s *Session) stored(ctx context.Context, k key) (*store.Document, error) {
	d, err := s.store.Get(ctx, k.collection, k.id)
	if err != nil {
		return nil, unavailable(err)
	}
	if seen, looked := s.seen(k); looked && seen != versionOf(d) {
		return nil, pipelined.Problemf(pipelined.TypeConflict, "Another execution changed the same document", http.StatusConflict,
			"%s/%s changed after it was read", k.collection, k.id).Transient()
	}
	s.see(k, versionOf(d))
	return d, nil
}

func (s *Session) see(k key, version int64) {
	if _, known := s.seen(k); known {
		return // the first look counts: what was computed may rest on it
	}
	if s.read == nil {
		s.read = map[key]int64{}
	}
	s.read[k] = version
}

func (s *Session) seen(k key) (int64, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.read[k]; ok {
			return v, true
		}
	}
	return 0, false
}

// baseOf is what to demand of a document seen at a version.
func baseOf(seen int64) int64 {
	if seen == 0 {
		return -1
	}
	return seen
}

func versionOf(d *store.Document) int64 {
	if d == nil {
		return 0
	}
	return d.Version
}

// demand checks what a step asked for against what is there.
func demand(k key, exists bool, version, ifVersion int64) error {
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

func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return pipelined.NewProblem(pipelined.TypeUnavailable, "The store cannot be read now", 503, err.Error()).Transient()
}

var collectionName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func checkCollection(name string) error {
	if collectionName.MatchString(name) {
		return nil
	}
	return pipelined.Problemf(TypeCollection, "Not the name of a collection", 400,
		"%q: a collection is named with lower case letters, digits and _", name)
}

// check makes sure that doc can be stored, and takes its _ fields away.
func check(collection string, doc value.Raw) (value.Raw, error) {
	if err := checkCollection(collection); err != nil {
		return "", err
	}
	if doc == "" || doc[0] != '{' {
		return "", pipelined.Problemf(TypeDocument, "Not a document", 400,
			"a document of %s must be an object, this is %s", collection, value.Describe(doc))
	}
	return strip(collection, value.Raw(strings.TrimRight(string(doc), " \t\r\n")))
}

// own fields of every document.
var ownFields = []string{"_id", "_version", "_created_at", "_updated_at"}

// strip takes the fields every document has out of one that was read before, and
// refuses others that begin with _.
func strip(collection string, doc value.Raw) (value.Raw, error) {
	if !strings.Contains(string(doc), `"_`) {
		return doc, nil
	}
	var out strings.Builder
	out.WriteByte('{')
	var bad string
	stripped := false
	gjson.Parse(string(doc)).ForEach(func(k, v gjson.Result) bool {
		if strings.HasPrefix(k.Str, "_") {
			if !isOwn(k.Str) {
				bad = k.Str
				return false
			}
			stripped = true
			return true
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.WriteString(k.Raw)
		out.WriteByte(':')
		out.WriteString(v.Raw)
		return true
	})
	if bad != "" {
		return "", pipelined.Problemf(TypeDocument, "Not a document", 400,
			"%s: fields of a document of %s that begin with _ belong to the store", bad, collection)
	}
	if !stripped {
		return doc, nil
	}
	out.WriteByte('}')
	return value.Raw(out.String()), nil
}

func isOwn(name string) bool {
	for _, f := range ownFields {
		if f == name {
			return true
		}
	}
	return false
}

// shown is a stored document with its _ fields.
func shown(d *store.Document) value.Raw {
	return withFields(value.Raw(d.Body), d.ID, d.Version, d.CreatedAt, d.UpdatedAt)
}

// shown is an own document with its _ fields; a version nobody knows is 0.
func (s *Session) shown(k key, e *entry) value.Raw {
	return withFields(e.body, k.id, e.version, e.created, s.now())
}

func withFields(body value.Raw, id string, version int64, created, updated time.Time) value.Raw {
	b := make([]byte, 0, len(body)+len(id)+130)
	b = append(b, strings.TrimRight(string(body[:len(body)-1]), " \t\r\n")...)
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(append(b, `"_id":`...), value.Quote(id)...)
	b = fmt.Appendf(b, `,"_version":%d`, version)
	b = append(b, `,"_created_at":"`...)
	b = created.UTC().AppendFormat(b, TimeFormat)
	b = append(b, `","_updated_at":"`...)
	b = updated.UTC().AppendFormat(b, TimeFormat)
	return value.Raw(append(b, '"', '}'))
}
