package objectstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"pipelined"
	"pipelined/internal/value"
)

// Status is where an error record is on its way:
//
//	         failed                 due                    succeeded
//	(none) ────────► pending ──────────────► reprocessing ──────────► resolved
//	                   ▲  │                        │
//	                   │  └─ limit or permanent ─► exhausted
//	                   └───────── failed ──────────┘
//
// A person may discard a record in any state; a failure after that makes it pending
// again, since a redelivery that was under way must not be lost.
type Status string

const (
	Pending      Status = "pending"
	Reprocessing Status = "reprocessing"
	Exhausted    Status = "exhausted"
	Resolved     Status = "resolved"
	Discarded    Status = "discarded"
)

// maxHistory bounds a record; older entries go.
const maxHistory = 50

// ErrorRecord is what failed, with its input and error, an ordinary document. Its id is
// the event's; that of a dead letter that no event started is the execution's.
type ErrorRecord struct {
	ID            string          `json:"id"`
	Pipeline      string          `json:"pipeline"`
	Step          string          `json:"step"`
	Status        Status          `json:"status"`
	Attempts      int             `json:"attempts"`
	Permanent     bool            `json:"permanent,omitempty"`
	FirstFailedAt time.Time       `json:"first_failed_at"`
	LastFailedAt  time.Time       `json:"last_failed_at"`
	NextAttemptAt time.Time       `json:"next_attempt_at"`
	Error         json.RawMessage `json:"error"`
	Event         RecordedEvent   `json:"event"`
	Input         json.RawMessage `json:"input"`
	// Of dead letters.
	Trigger   string          `json:"trigger,omitempty"`   // what started the execution that failed
	Execution string          `json:"execution,omitempty"` // its id, the last time
	Request   json.RawMessage `json:"request,omitempty"`   // of a request, beside its input
	Scheduled time.Time       `json:"scheduled,omitzero"`  // of a tick
	Previous  time.Time       `json:"previous,omitzero"`
	Left      json.RawMessage `json:"left,omitempty"`  // of a compensation or an after_commit: what it takes to try again
	Count     int             `json:"count,omitempty"` // of a flood: failures that this one record stands for

	History []HistoryEntry `json:"history"`
}

// HistoryEntry is one thing that happened to a record.
type HistoryEntry struct {
	At      time.Time `json:"at"`
	What    string    `json:"what"` // "failed", "republished", "exhausted", "resolved" …
	Attempt int       `json:"attempt,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// RecordedEvent is what it takes to publish the event again. Its data is the
// record's input where the two are the same.
type RecordedEvent struct {
	ID      string            `json:"id"`
	Type    string            `json:"type"`
	Source  string            `json:"source"`
	Time    time.Time         `json:"time"`
	Key     string            `json:"key,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Data    json.RawMessage   `json:"data"`
}

// Pipelined returns the event itself, not yet published again.
func (e RecordedEvent) Pipelined() *pipelined.Event {
	return &pipelined.Event{ID: e.ID, Type: e.Type, Source: e.Source, Time: e.Time, Key: e.Key,
		Headers: e.Headers, Data: string(e.Data)}
}

// EventDocument is an event as records show it.
func EventDocument(ev pipelined.Event) RecordedEvent {
	return RecordedEvent{ID: ev.ID, Type: ev.Type, Source: ev.Source, Time: ev.Time, Key: ev.Key,
		Headers: ev.Headers, Data: json.RawMessage(ev.Data)}
}

// NewErrorRecord records the first failure of an event.
func NewErrorRecord(ev pipelined.Event, pipeline string, input value.Raw, p *pipelined.Problem, attempts int, now time.Time) *ErrorRecord {
	r := &ErrorRecord{ID: ev.ID, Pipeline: pipeline, FirstFailedAt: now}
	r.Fail(ev, input, p, attempts, now)
	return r
}

// Fail folds a failure in. Attempts only grow (I4).
func (r *ErrorRecord) Fail(ev pipelined.Event, input value.Raw, p *pipelined.Problem, attempts int, now time.Time) {
	r.Status, r.Step, r.LastFailedAt, r.NextAttemptAt = Pending, p.Step, now, now
	r.Attempts = max(r.Attempts, attempts)
	r.Input = json.RawMessage(input)
	if ev.Type != "" {
		r.Event = EventDocument(ev)
	}
	if text, err := json.Marshal(p); err == nil {
		r.Error = text
	}
	r.note(now, "failed", attempts, p.Error())
}

// Reprocess notes that the event is published again.
func (r *ErrorRecord) Reprocess(now time.Time) {
	r.Status = Reprocessing
	r.note(now, "republished", r.Attempts+1, "")
}

// Exhaust notes that the record is given up.
func (r *ErrorRecord) Exhaust(now time.Time, reason string) {
	r.Status = Exhausted
	r.note(now, "exhausted", r.Attempts, reason)
}

// Resolve notes that an attempt succeeded; detail says more, if there is more to say.
func (r *ErrorRecord) Resolve(now time.Time, detail string) {
	r.Status = Resolved
	r.note(now, "resolved", r.Attempts+1, detail)
}

// Handle notes that an error handler took care of the failure.
func (r *ErrorRecord) Handle(now time.Time, pipeline string) {
	r.Status = Resolved
	r.note(now, "handled", r.Attempts, "by "+pipeline)
}

// Redrive notes that a person has the event published again, whatever was before.
func (r *ErrorRecord) Redrive(now time.Time) {
	r.Status, r.Permanent = Reprocessing, false
	r.note(now, "redriven", r.Attempts+1, "")
}

// Edit replaces the input, and the event's data with it. The history says that it
// happened and not what it was.
func (r *ErrorRecord) Edit(now time.Time, input, data json.RawMessage, what string) {
	r.Input, r.Event.Data = input, data
	r.note(now, "edited", r.Attempts, what)
}

// Again is the event to publish once more; its time stays that of the first. only says
// that it is for the pipeline of the record alone.
func (r *ErrorRecord) Again(only bool) *pipelined.Event {
	ev := r.Event.Pipelined()
	ev.Attempt = r.Attempts + 1
	if only {
		ev.Headers = maps.Clone(ev.Headers)
		if ev.Headers == nil {
			ev.Headers = map[string]string{}
		}
		ev.Headers[pipelined.ToHeader] = r.Pipeline
	}
	return ev
}

// Discard notes that a person gave the record up, and why.
func (r *ErrorRecord) Discard(now time.Time, reason string) {
	r.Status = Discarded
	r.note(now, "discarded", r.Attempts, reason)
}

// Schedule sets when the event is due again after its last failure: at once if the
// error is permanent or was the last of limit attempts (0: no limit is known), since all
// that is left is to give it up. random is in [0, 1).
func (r *ErrorRecord) Schedule(b pipelined.Backoff, limit int, random float64) {
	r.NextAttemptAt = r.LastFailedAt
	if !r.Permanent && (limit == 0 || r.Attempts < limit) {
		r.NextAttemptAt = r.LastFailedAt.Add(b.Wait(max(r.Attempts, 1), random))
	}
}

func (r *ErrorRecord) note(at time.Time, what string, attempt int, detail string) {
	r.History = append(r.History, HistoryEntry{At: at, What: what, Attempt: attempt, Detail: detail})
	if n := len(r.History) - maxHistory; n > 0 {
		r.History = r.History[n:]
	}
}

// Document returns the record as it is stored: input and event byte for byte as
// they came (I9), times with a fixed number of digits, so that next_attempt_at
// can be compared and indexed as text.
func (r *ErrorRecord) Document() (value.Raw, error) {
	history, err := json.Marshal(r.History)
	if err != nil {
		return "", fmt.Errorf("write an error record: %w", err)
	}
	m := map[string]any{
		"id": r.ID, "pipeline": r.Pipeline, "step": r.Step, "status": string(r.Status), "attempts": r.Attempts,
		"first_failed_at": stamp(r.FirstFailedAt), "last_failed_at": stamp(r.LastFailedAt), "next_attempt_at": stamp(r.NextAttemptAt),
		"error": value.Raw(r.Error), "input": value.Raw(r.Input), "history": value.Raw(history),
	}
	if r.Event.Type != "" {
		m["event"] = map[string]any{
			"id": r.Event.ID, "type": r.Event.Type, "source": r.Event.Source, "time": value.FormatTime(r.Event.Time),
			"key": r.Event.Key, "headers": r.Event.Headers, "data": value.Raw(r.Event.Data)}
	}
	if r.Permanent {
		m["permanent"] = true
	}
	if len(r.Left) > 0 {
		m["left"] = value.Raw(r.Left)
	}
	r.cause(m)
	return value.JSON(m)
}

// cause adds what a dead letter says of what started it.
func (r *ErrorRecord) cause(m map[string]any) {
	if r.Trigger != "" {
		m["trigger"], m["execution"] = r.Trigger, r.Execution
	}
	if len(r.Request) > 0 {
		m["request"] = value.Raw(r.Request)
	}
	if !r.Scheduled.IsZero() {
		m["scheduled"] = stamp(r.Scheduled)
	}
	if !r.Previous.IsZero() {
		m["previous"] = stamp(r.Previous)
	}
	if r.Count > 0 {
		m["count"] = r.Count
	}
}

func stamp(t time.Time) string { return t.UTC().Format(TimeFormat) }

// ParseErrorRecord reads a record from a document as Find and Get give it, with
// the document's version.
func ParseErrorRecord(doc any) (*ErrorRecord, int64, error) {
	raw, err := value.JSON(doc)
	if err != nil {
		return nil, 0, err
	}
	r := &ErrorRecord{}
	if err := json.Unmarshal([]byte(raw), r); err != nil {
		return nil, 0, fmt.Errorf("it cannot be read: %w", err)
	}
	if r.ID == "" || r.Pipeline == "" || r.Status == "" || r.Event.Type == "" && r.Trigger == "" {
		return nil, 0, errors.New("it has no id, pipeline or status, or nothing to start again")
	}
	version, _ := value.Int(value.Get(raw, versionPath))
	return r, version, nil
}

var versionPath = value.NewPath("_version")

// isProblem reports whether an error is one of a condition, not of the store.
func isProblem(err error) bool {
	var p *pipelined.Problem
	return errors.As(err, &p)
}
