package attempt

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"pipelined"
	"pipelined/internal/store"
)

// Counters is what is counted, for metrics and for people. A drop is never a success.
type Counters struct {
	mu        sync.RWMutex
	pipelines map[string]*counts
	events    map[string]*atomic.Int64
	dropped   map[string]*atomic.Int64 // events whose publish.id was there
}

// counts counts what became of a pipeline's executions.
type counts struct {
	OK, Failed, Retrying, Rejected                                       atomic.Int64
	Handled, Filtered, Expired, Reruns, Taken, MissedTicks, SkippedTicks atomic.Int64
}

// Stats is what became of a pipeline's executions since the start.
type Stats struct {
	Pipeline                       string
	OK, Failed, Retrying, Rejected int64
	Handled                        int64 // of Failed, those that something handled
	Filtered                       int64 // events its where kept out
	Expired                        int64 // events dropped by max_age and skip_stale
	Reruns                         int64 // executions run again after a conflict
	Taken                          int64 // outcomes dropped because somebody else had claimed the cause
	MissedTicks, SkippedTicks      int64 // scheduled runs that did not take place
}

// Stats returns the counts of every pipeline that did anything, by name.
func (c *Counters) Stats() []Stats {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []Stats
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		p := c.pipelines[name]
		out = append(out, Stats{name, p.OK.Load(), p.Failed.Load(), p.Retrying.Load(), p.Rejected.Load(),
			p.Handled.Load(), p.Filtered.Load(), p.Expired.Load(), p.Reruns.Load(), p.Taken.Load(), p.MissedTicks.Load(), p.SkippedTicks.Load()})
	}
	return out
}

// Published returns how many events of each type entered the log since the start.
func (c *Counters) Published() map[string]int64 {
	return c.all(c.events)
}

// Duplicates returns how many events of each type were dropped since the start because
// their publish.id had been there.
func (c *Counters) Duplicates() map[string]int64 { return c.all(c.dropped) }

func (c *Counters) all(m map[string]*atomic.Int64) map[string]int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make(map[string]int64, len(m))
	for typ, n := range m {
		out[typ] = n.Load()
	}
	return out
}

// CountEvents counts what a durable batch brought into the log, and the duplicates that it
// did not; those are also a line for who debugs.
func (r *Runner) CountEvents(b *store.Batch, res store.Result) {
	c := &r.Counters
	for i, ev := range b.Events {
		switch {
		case i >= len(res.Seqs):
		case res.Seqs[i] == 0:
			r.duplicate(ev)
		default:
			counter(c, c.events, ev.Type).Add(1)
		}
	}
	for i, d := range b.Delayed {
		if i < len(res.Delayed) && !res.Delayed[i] {
			r.duplicate(d.Event)
		}
	}
}

func (r *Runner) duplicate(ev *pipelined.Event) {
	c := &r.Counters
	counter(c, c.dropped, ev.Type).Add(1)
	r.Logger.Debug("an event was dropped: its publish.id was there", "event", ev.Type, "id", ev.DedupeID, "source", ev.Source)
}

// Filtered counts an event that a pipeline's where kept out.
func (c *Counters) Filtered(pipeline string) { c.of(pipeline).Filtered.Add(1) }

// Expired counts an event that was dropped because of its age.
func (c *Counters) Expired(pipeline string) { c.of(pipeline).Expired.Add(1) }

// Missed counts ticks that passed while nothing ran.
func (c *Counters) Missed(pipeline string, n int) { c.of(pipeline).MissedTicks.Add(int64(n)) }

// Took counts a tick, or an outcome, that somebody else has claimed.
func (c *Counters) Took(pipeline string) { c.of(pipeline).Taken.Add(1) }

// Skipped counts a tick that came while the one before still ran.
func (c *Counters) Skipped(pipeline string) { c.of(pipeline).SkippedTicks.Add(1) }

func (c *Counters) init() {
	c.pipelines, c.events, c.dropped = map[string]*counts{}, map[string]*atomic.Int64{}, map[string]*atomic.Int64{}
}

func (c *Counters) of(pipeline string) *counts { return counter(c, c.pipelines, pipeline) }

// counter finds or makes the entry of a name.
func counter[T any](c *Counters, m map[string]*T, name string) *T {
	c.mu.RLock()
	p := m[name]
	c.mu.RUnlock()
	if p != nil {
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p = m[name]; p == nil {
		p = new(T)
		m[name] = p
	}
	return p
}

func (c *Counters) ended(a *Attempt, o *Outcome) {
	if a.Left != nil {
		return // it is part of an execution that is counted
	}
	p := c.of(a.Pipeline.Name)
	switch o.Status {
	case StatusOK:
		p.OK.Add(1)
	case StatusRetrying:
		p.Retrying.Add(1)
	case StatusRejected:
		p.Rejected.Add(1)
	default:
		p.Failed.Add(1)
		if o.Handled != "" {
			p.Handled.Add(1)
		}
	}
}

// Recent keeps the newest executions in memory, whatever the history policy, so that a
// person at a running project sees what just happened.
type Recent struct {
	mu   sync.Mutex
	ring [recentSize]store.Execution
	n    int
}

const recentSize = 512

func (r *Recent) add(x store.Execution) {
	r.mu.Lock()
	r.ring[r.n%recentSize] = x
	r.n++
	r.mu.Unlock()
}

// List returns the newest first.
func (r *Recent) List() []store.Execution {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.n, recentSize)
	out := make([]store.Execution, 0, n)
	for i := r.n - 1; i >= r.n-n; i-- {
		out = append(out, r.ring[i%recentSize])
	}
	return slices.Clip(out)
}
