package objectstore

import (
	"encoding/json"
	"fmt"
	"time"

	"pipelined/internal/value"
)

// letter is a dead letter as older stores have it.
type letter struct {
	ID       string          `json:"id"`
	Pipeline string          `json:"pipeline"`
	Trigger  string          `json:"trigger"`
	Attempt  int             `json:"attempt"`
	Attempts *int            `json:"attempts"` // only error records have it
	Step     string          `json:"step"`
	Status   string          `json:"status"`
	Input    json.RawMessage `json:"input"`
	Error    json.RawMessage `json:"error"`
	Event    RecordedEvent   `json:"event"`
	FailedAt time.Time       `json:"failed_at"`
	History  []HistoryEntry  `json:"history"`
}

// ConvertLetter makes an error record of a dead letter that is none; nil if it is one
// already. Its id is the document's.
func ConvertLetter(id string, body value.Raw) (*ErrorRecord, error) {
	var l letter
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		return nil, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	if l.Attempts != nil || l.Pipeline == "" {
		return nil, nil
	}
	r := &ErrorRecord{ID: id, Pipeline: l.Pipeline, Step: l.Step, Status: Status(l.Status), Attempts: max(l.Attempt, 1),
		FirstFailedAt: l.FailedAt, LastFailedAt: l.FailedAt, NextAttemptAt: l.FailedAt,
		Error: l.Error, Event: l.Event, Input: l.Input, Trigger: l.Trigger, Execution: l.ID, History: l.History}
	if l.Status == "redriven" { // its event was published again; a failure of that was another letter
		r.Status = Resolved
	}
	if len(r.History) == 0 {
		r.note(l.FailedAt, "failed", r.Attempts, "")
	}
	return r, nil
}
