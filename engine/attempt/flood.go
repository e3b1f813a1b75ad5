package attempt

import (
	"sync"
	"time"
)

const (
	// floodLimit is how many failures of one kind are kept, each by itself, in an hour.
	floodLimit = 100
	// floodTold is how often the count of those beyond it is told.
	floodTold = time.Minute
	// floodKinds bounds the memory for kinds of failures.
	floodKinds = 10_000
)

// floodKey is a kind of failure.
type floodKey struct{ pipeline, in, step, problem string }

// floods counts failures of waiting requests, which a caller can cause as often as it
// likes.
type floods struct {
	mu    sync.Mutex
	kinds map[floodKey]*flood
}

type flood struct {
	since  time.Time // the hour it counts
	kept   int
	beyond int // more than are kept
	letter string
	told   time.Time
}

// pass notes a failure. kept says that it is kept by itself; otherwise count, if not 0,
// is how many beyond the limit there were in the hour, to be written into letter now.
func (f *floods) pass(k floodKey, now time.Time, id string) (kept bool, letter string, count int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kinds == nil || len(f.kinds) > floodKinds {
		f.kinds = map[floodKey]*flood{}
	}
	w := f.kinds[k]
	if w == nil || now.Sub(w.since) >= time.Hour {
		w = &flood{since: now}
		f.kinds[k] = w
	}
	if w.kept < floodLimit {
		w.kept++
		return true, "", 0
	}
	if w.letter == "" {
		w.letter = id
	}
	w.beyond++
	if !w.told.IsZero() && now.Sub(w.told) < floodTold {
		return false, w.letter, 0
	}
	w.told = now
	return false, w.letter, w.beyond
}
