package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"pipelined/internal/store"
)

// declared is what the revisions of a store that are prepared declare.
type declared map[string][]store.Collection

// unique are the fields of each collection that hold a value once: what any store that is
// open declares counts for all.
func (d *Disk) unique() map[string][]string {
	out := map[string][]string{}
	for m := range d.members {
		for _, list := range m.declared {
			for _, c := range list {
				for _, path := range c.Unique {
					if !slices.Contains(out[c.Name], path) {
						out[c.Name] = append(out[c.Name], path)
					}
				}
			}
		}
	}
	return out
}

// Prepare notes the unique values of collections that declare such fields.
func (s *Store) Prepare(ctx context.Context, revision string, collections []store.Collection) error {
	return s.do(ctx, func(st *state) error {
		for _, c := range collections {
			for _, path := range c.Unique {
				if err := st.collection(c.Name).build(path, c.Name, s.clock.Now()); err != nil {
					return err
				}
			}
		}
		if s.declared == nil {
			s.declared = declared{}
		}
		s.declared[revision] = collections
		return nil
	})
}

// build notes who holds which value of a path.
func (c *collection) build(path, name string, now time.Time) error {
	keys := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(c.documents)) {
		d := c.documents[id]
		k := uniqueKey(d.Body, path)
		if k == "" || !d.alive(now) {
			continue
		}
		if other, taken := keys[k]; taken {
			return fmt.Errorf("documents %s and %s of %s have the same %s, which is declared unique: %w", other, id, name, path,
				&store.ConflictError{Collection: name, ID: id, Field: path, Reason: "unique"})
		}
		keys[k] = id
	}
	c.keys[path] = keys
	return nil
}

// Retire forgets what only that revision declares.
func (s *Store) Retire(ctx context.Context, revision string) error {
	return s.do(ctx, func(st *state) error {
		delete(s.declared, revision)
		unique := s.disk.unique()
		for name, c := range st.documents {
			maps.DeleteFunc(c.keys, func(path string, _ map[string]string) bool { return !slices.Contains(unique[name], path) })
		}
		return nil
	})
}

// CollectionNames lists collections that hold documents or are declared.
func (s *Store) CollectionNames(context.Context) ([]string, error) {
	names := map[string]bool{}
	err := s.read(func(st *state) {
		for name, c := range st.documents {
			if len(c.documents) > 0 {
				names[name] = true
			}
		}
		for _, list := range s.declared {
			for _, c := range list {
				names[c.Name] = true
			}
		}
	})
	return slices.Sorted(maps.Keys(names)), err
}
