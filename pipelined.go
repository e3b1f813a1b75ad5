// Package pipelined holds the words every other package speaks: an Event, the
// Problem a failure is told as, the Reply an HTTP caller gets, the Clock that
// owns time and the Secret that never prints itself.
//
// It imports nothing of ours, starts nothing and keeps no state. What these
// types mean for authors is written in docs/language.md; how they travel is
// written in docs/architecture.md.
package pipelined

import (
	"context"
	"errors"
	"time"
)

// ErrStopping is the cause of a context that ended because the runtime drains.
// An execution cut off with this cause goes back without using up an attempt.
var ErrStopping = errors.New("the runtime is stopping")

// Event is a fact published by a pipeline, kept in the append-only log and
// delivered to every subscription that matches. It maps one to one on a
// CloudEvents 1.0 event. An Event is immutable once published.
type Event struct {
	ID      string            // unique; time-ordered UUIDv7 unless the author gave one
	Type    string            // dotted, "order.received"
	Source  string            // "/project/pipeline" of the publisher
	Time    time.Time         // when it was published, UTC
	Key     string            // orders and partitions; empty means none
	Headers map[string]string // carried along unchanged; nil means none
	Data    string            // one valid JSON document, byte for byte as published

	// DedupeID is set when the author gave publish.id: a second publish of the
	// same type and id within the type's window is dropped.
	DedupeID string
	// DedupeFor is that window; zero means 24 hours.
	DedupeFor time.Duration
	// Attempt counts deliveries of this event across reprocessing, from 1.
	// Zero means 1. A reprocessor republishes the same ID with Attempt + 1.
	Attempt int
}

// maxAhead is how far ahead of the moment it is published the time of an event may lie.
const maxAhead = 24 * time.Hour

// CheckTime makes sure that the event's time, which is its author's word, is no more than
// 24 hours ahead of now: with one far ahead, max_age would never apply, and skip_stale
// would drop everything that follows.
func (e *Event) CheckTime(now time.Time) error {
	if e.Time.Sub(now) <= maxAhead {
		return nil
	}
	return Problemf("publish/time", "The time of the event is too far ahead", 400,
		"event %s of type %s says %s, more than %s ahead of %s; give it the time when it happened", e.ID, e.Type, e.Time.UTC().Format(time.RFC3339), maxAhead, now.UTC().Format(time.RFC3339))
}

// Reply is what an HTTP caller, or a pipeline that called another, gets.
type Reply struct {
	Status      int               // 0 means 200
	Headers     map[string]string // canonical or not; nil means none
	ContentType string            // empty means application/json
	Body        string            // bytes as they go on the wire; for a call, one JSON document
}

// Clock is the only source of time. The real one is clock.Real; tests own
// theirs. Implementations are safe for concurrent use.
type Clock interface {
	Now() time.Time
	// NewTimer returns a timer whose channel receives once, when at least d
	// has passed. d <= 0 fires at once.
	NewTimer(d time.Duration) Timer
}

// Timer is the part of time.Timer the runtime uses.
type Timer interface {
	C() <-chan time.Time
	// Stop reports whether it kept the timer from firing.
	Stop() bool
}

// Sleep waits for d on the clock or until ctx ends, and returns the context's
// cause in that case.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ToHeader is the header of an event that is for one pipeline only: a failed one
// that is sent again must not be processed once more by those who had no trouble
// with it. Headers that begin with pipelined- belong to the runtime.
const ToHeader = "pipelined-to"

// Headers of an event that a trigger brought from outside: the part of the source it was
// in, and why it could not be decoded, as JSON.
const (
	PartitionHeader = "pipelined-partition"
	ProblemHeader   = "pipelined-problem"
)
