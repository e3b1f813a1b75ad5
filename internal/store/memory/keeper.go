package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pipelined/internal/store"
)

// Claim acquires claims, each unless it is done or another store holds it.
func (s *Store) Claim(ctx context.Context, claims []store.Claim) (out []store.Claimed, err error) {
	err = s.do(ctx, func(st *state) error {
		for _, want := range claims {
			k := [2]string{want.Kind, want.Key}
			is := st.claims[k]
			if is == nil {
				is = &claim{Claimed: store.Claimed{Claim: store.Claim{Kind: want.Kind, Key: want.Key}}}
			}
			if !is.done.IsZero() || is.holder != nil && is.holder != s {
				out = append(out, store.Claimed{Claim: store.Claim{Kind: want.Kind, Key: want.Key}, Err: fmt.Errorf("%s is done, or another has it: %w", want, store.ErrTaken)})
				continue
			}
			st.epoch++
			next := *is
			next.Epoch, next.holder = st.epoch, s
			next.Attempts++
			st.claims[k] = &next
			out = append(out, next.Claimed)
		}
		return nil
	})
	return out, err
}

// Claims lists the claims that are held, by key.
func (s *Store) Claims(_ context.Context, kind, prefix string) (out []store.Claimed, err error) {
	err = s.read(func(st *state) {
		for _, c := range st.claims {
			if c.Kind == kind && strings.HasPrefix(c.Key, prefix) && c.done.IsZero() {
				out = append(out, c.Claimed)
			}
		}
	})
	slices.SortFunc(out, func(a, b store.Claimed) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

// Cursor is how far a partition of a source was read.
func (s *Store) Cursor(_ context.Context, source, partition string) (out store.Cursor, err error) {
	err = s.read(func(st *state) {
		c := store.Cursor{Source: source, Partition: partition}
		if is := st.claims[[2]string{store.CursorClaim, c.Claim().Key}]; is != nil {
			c.Epoch, c.Value = is.Epoch, is.Value
			out = c
		}
	})
	return out, err
}

// LastTick is the newest tick of a pipeline that is done.
func (s *Store) LastTick(_ context.Context, pipeline string) (last time.Time, err error) {
	key := ""
	err = s.read(func(st *state) { key = st.lastTick(pipeline) })
	if key == "" || err != nil {
		return time.Time{}, err
	}
	t, err := store.ParseTick(key)
	return t.Scheduled, err
}

// lastTick is the key of the newest tick of a pipeline that is done.
func (s *state) lastTick(pipeline string) (key string) {
	for _, c := range s.claims {
		if c.Kind == store.TickClaim && strings.HasPrefix(c.Key, pipeline+"/") && !c.done.IsZero() {
			key = max(key, c.Key)
		}
	}
	return key
}

// Meta returns a small text.
func (s *Store) Meta(_ context.Context, key string) (text string, err error) {
	err = s.read(func(st *state) { text = st.meta[key] })
	return text, err
}

// Metas lists the texts whose keys begin with prefix, by key.
func (s *Store) Metas(_ context.Context, prefix string) (out []store.Meta, err error) {
	err = s.read(func(st *state) {
		for _, k := range slices.Sorted(maps.Keys(st.meta)) {
			if strings.HasPrefix(k, prefix) {
				out = append(out, store.Meta{Key: k, Value: st.meta[k]})
			}
		}
	})
	return out, err
}

// FindExecutions reads the history, newest first.
func (s *Store) FindExecutions(_ context.Context, q store.ExecutionQuery) (out []store.Execution, err error) {
	err = s.read(func(st *state) {
		for _, x := range st.executions {
			if (q.Pipeline == "" || x.Pipeline == q.Pipeline) && (q.Status == "" || x.Status == q.Status) && (q.Since.IsZero() || !x.StartedAt.Before(q.Since)) {
				out = append(out, x)
			}
		}
	})
	slices.SortFunc(out, func(a, b store.Execution) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), strings.Compare(b.ID, a.ID))
	})
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	return out[:min(len(out), limit)], err
}

// GetExecution returns one execution, or nil.
func (s *Store) GetExecution(_ context.Context, id string) (out *store.Execution, err error) {
	err = s.read(func(st *state) {
		if x, there := st.executions[id]; there {
			out = &x
		}
	})
	return out, err
}
