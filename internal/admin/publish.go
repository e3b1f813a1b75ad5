package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"pipelined"
	"pipelined/internal/pattern"
	"pipelined/internal/store"
	"pipelined/internal/value"
)

// Event is an event to publish.
type Event struct {
	Type    string            `json:"type"`
	Key     string            `json:"key,omitempty"`
	ID      string            `json:"id,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Data    json.RawMessage   `json:"data"`
}

// PublishEvent puts an event into the log and returns its id.
func (s *Service) PublishEvent(ctx context.Context, in Event) (string, error) {
	raw, err := value.Parse([]byte(in.Data))
	if err != nil {
		return "", fmt.Errorf("data is not JSON: %w", err)
	}
	if why := pattern.CheckType(in.Type); why != "" {
		return "", &badRequest{"type", why}
	}
	ev := &pipelined.Event{Type: in.Type, Key: in.Key, ID: in.ID, DedupeID: in.ID, Headers: in.Headers, Data: string(raw)}
	if err := s.Program.CompleteEvent(ev); err != nil {
		return "", err
	}
	if s.Publish != nil {
		return s.Publish(ctx, ev)
	}
	if ev.ID == "" {
		ev.ID = s.NewID()
	}
	ev.Time, ev.Source, ev.Attempt = s.Clock.Now(), "/"+s.Program.Name, 1
	if _, err := s.Store.Commit(ctx, &store.Batch{Events: []*pipelined.Event{ev}}); err != nil {
		return "", fmt.Errorf("publish %s: %w", ev.Type, err)
	}
	return ev.ID, nil
}
