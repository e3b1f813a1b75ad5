package engine

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"pipelined/engine/broker"
	"pipelined/internal/store"
)

// counters is what the engine counts, for metrics and for people. A drop is never
// a success.
type counters struct {
	mu        sync.RWMutex
	pipelines map[string]*pipelineCounts
	events    map[string]*atomic.Int64
}

// pipelineCounts counts what became of a pipeline's executions.
type pipelineCounts struct {
	OK, Failed, Retrying, Rejected                                atomic.Int64
	Handled, Filtered, Expired, Reruns, MissedTicks, SkippedTicks atomic.Int64
}

// PipelineStats is what became of a pipeline's executions since the start.
type PipelineStats struct {
	Pipeline                       string
	OK, Failed, Retrying, Rejected int64
	Handled                        int64 // of Failed, those that something handled
	Filtered                       int64 // events its where kept out
	Expired                        int64 // events older than max_age
	Reruns                         int64 // executions run again after a conflict
	MissedTicks, SkippedTicks      int64 // scheduled runs that did not take place
}

// Stats returns the counts of every pipeline that did anything, by name.
func (e *Engine) Stats() []PipelineStats {
	c := &e.counters
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []PipelineStats
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		p := c.pipelines[name]
		out = append(out, PipelineStats{name, p.OK.Load(), p.Failed.Load(), p.Retrying.Load(), p.Rejected.Load(),
			p.Handled.Load(), p.Filtered.Load(), p.Expired.Load(), p.Reruns.Load(), p.MissedTicks.Load(), p.SkippedTicks.Load()})
	}
	return out
}

// Published returns how many events of each type entered the log since the start.
func (e *Engine) Published() map[string]int64 {
	c := &e.counters
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make(map[string]int64, len(c.events))
	for typ, n := range c.events {
		out[typ] = n.Load()
	}
	return out
}

// Subscriptions tells how every subscription stands.
func (e *Engine) Subscriptions() []broker.Status { return e.broker.Status() }

// Recent returns the newest executions, whatever the history policy keeps.
func (e *Engine) Recent() []store.Execution { return e.recent.list() }

func (c *counters) init() {
	c.pipelines, c.events = map[string]*pipelineCounts{}, map[string]*atomic.Int64{}
}

func (c *counters) of(pipeline string) *pipelineCounts {
	c.mu.RLock()
	p := c.pipelines[pipeline]
	c.mu.RUnlock()
	if p != nil {
		return p
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p = c.pipelines[pipeline]; p == nil {
		p = &pipelineCounts{}
		c.pipelines[pipeline] = p
	}
	return p
}

func (c *counters) event(typ string) *atomic.Int64 {
	c.mu.RLock()
	n := c.events[typ]
	c.mu.RUnlock()
	if n != nil {
		return n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n = c.events[typ]; n == nil {
		n = &atomic.Int64{}
		c.events[typ] = n
	}
	return n
}

func (c *counters) ended(s *start, o *outcome) {
	if o.aborted {
		return
	}
	p := c.of(s.pipeline.Name)
	switch o.status {
	case StatusOK:
		p.OK.Add(1)
	case StatusRetrying:
		p.Retrying.Add(1)
	case StatusRejected:
		p.Rejected.Add(1)
	default:
		p.Failed.Add(1)
		if o.handled != "" {
			p.Handled.Add(1)
		}
	}
}

func (c *counters) published(b *store.Batch, r store.Result) {
	for i, ev := range b.Events {
		if i < len(r.Seqs) && r.Seqs[i] != 0 {
			c.event(ev.Type).Add(1)
		}
	}
}

func (c *counters) filtered(pipeline string) { c.of(pipeline).Filtered.Add(1) }
func (c *counters) expired(pipeline string)  { c.of(pipeline).Expired.Add(1) }
func (c *counters) rerun(s *start)           { c.of(s.pipeline.Name).Reruns.Add(1) }

func (c *counters) ticks(pipeline, what string, n int) {
	switch what {
	case "missed":
		c.of(pipeline).MissedTicks.Add(int64(n))
	case "overlap":
		c.of(pipeline).SkippedTicks.Add(int64(n))
	}
}

// recent keeps the newest executions in memory, whatever the history policy, so
// that a person at a running project sees what just happened.
type recent struct {
	mu   sync.Mutex
	ring [recentSize]store.Execution
	n    int
}

const recentSize = 512

func (r *recent) add(x store.Execution) {
	r.mu.Lock()
	r.ring[r.n%recentSize] = x
	r.n++
	r.mu.Unlock()
}

// list returns the newest first.
func (r *recent) list() []store.Execution {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.n, recentSize)
	out := make([]store.Execution, 0, n)
	for i := r.n - 1; i >= r.n-n; i-- {
		out = append(out, r.ring[i%recentSize])
	}
	return slices.Clip(out)
}
