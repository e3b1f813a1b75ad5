package store

import (
	"time"

	"pipelined"
)

// Collection is how one collection of documents is kept. Of it the store needs to know
// what it has to build; the rest goes with every Write.
type Collection struct {
	Name    string
	Index   []string      // dotted paths into the document
	Unique  []string      // dotted paths whose values may occur once: 1 and 1.0 are one value, 1, "1" and true are three; null and missing may repeat
	Retain  time.Duration // since the last write; 0 keeps for ever
	History bool          // keep earlier versions, as long as Retain says
}

// Expires is when a document written at a moment goes; zero for never.
func (c *Collection) Expires(at time.Time) time.Time {
	if c.Retain <= 0 {
		return time.Time{}
	}
	return at.Add(c.Retain)
}

// EventType is how events of one type are kept.
type EventType struct {
	Type   string
	Retain time.Duration // 0: as Retention.Events says
	Dedupe time.Duration // window of publish.id; 0: as pipelined.Event.DedupeFor says
}

// Retention is how long Trim keeps what goes by its age.
type Retention struct {
	Events     time.Duration            // since they were appended, of types that say nothing; 0 is 7 days
	Types      map[string]time.Duration // of events of one type
	Executions time.Duration            // since they started; 0 is 30 days
	Versions   map[string]time.Duration // of the earlier versions of documents since they were replaced, by collection; others stay
}

// Retain makes the retention of what a project declares.
func Retain(collections []Collection, types []EventType) Retention {
	r := Retention{Types: map[string]time.Duration{}, Versions: map[string]time.Duration{}}
	for _, c := range collections {
		if c.Retain > 0 {
			r.Versions[c.Name] = c.Retain
		}
	}
	for _, t := range types {
		if t.Retain > 0 {
			r.Types[t.Type] = t.Retain
		}
	}
	return r
}

// Default retention.
const (
	keepEvents     = 7 * 24 * time.Hour
	keepExecutions = 30 * 24 * time.Hour
	keepClaims     = 30 * 24 * time.Hour
	dedupeFor      = 24 * time.Hour
)

// Event is how long events of a type are kept.
func (r *Retention) Event(typ string) time.Duration {
	if d := r.Types[typ]; d > 0 {
		return d
	}
	if r.Events > 0 {
		return r.Events
	}
	return keepEvents
}

// Shortest is the shortest time that events of any type are kept.
func (r *Retention) Shortest() time.Duration {
	shortest := r.Event("")
	for _, d := range r.Types {
		if d > 0 {
			shortest = min(shortest, d)
		}
	}
	return shortest
}

// Execution is how long executions are kept.
func (r *Retention) Execution() time.Duration {
	if r.Executions > 0 {
		return r.Executions
	}
	return keepExecutions
}

// Claim is how long it is remembered that claims are done; of the newest tick of each
// pipeline it is for ever.
func (r *Retention) Claim() time.Duration { return keepClaims }

// Deduped is how long an event's DedupeID is remembered.
func Deduped(ev *pipelined.Event) time.Duration {
	if ev.DedupeFor > 0 {
		return ev.DedupeFor
	}
	return dedupeFor
}
