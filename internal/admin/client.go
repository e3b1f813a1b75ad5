package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// Client asks the admin API of a running project. Its methods answer as those of
// Service do.
type Client struct {
	base  string
	token pipelined.Secret
	http  *http.Client
}

// clientLimit bounds one call.
const clientLimit = 30 * time.Second

// NewClient returns a client of the admin listener at base, such as
// http://127.0.0.1:8081.
func NewClient(base string, token pipelined.Secret) *Client {
	return &Client{base: base, token: token, http: &http.Client{Timeout: clientLimit}}
}

// Alive reports, within ctx, why nothing answers; nil if a project does.
func (c *Client) Alive(ctx context.Context) error { return c.get(ctx, "/healthz", nil, nil) }

// Executions lists executions, newest first.
func (c *Client) Executions(ctx context.Context, q ExecutionQuery) ([]store.Execution, error) {
	v := url.Values{"pipeline": {q.Pipeline}, "status": {q.Status}, "limit": {strconv.Itoa(q.Limit)}}
	if q.Since > 0 {
		v.Set("since", q.Since.String())
	}
	var out struct{ Executions []store.Execution }
	err := c.get(ctx, "/api/executions", v, &out)
	return out.Executions, err
}

// Execution returns one execution.
func (c *Client) Execution(ctx context.Context, id string) (*store.Execution, error) {
	var out store.Execution
	return &out, c.get(ctx, "/api/executions/"+url.PathEscape(id), nil, &out)
}

// Objects finds documents.
func (c *Client) Objects(ctx context.Context, q ObjectQuery) (*Objects, error) {
	v := url.Values{"where": {q.Where}, "limit": {strconv.Itoa(q.Limit)}, "offset": {strconv.Itoa(q.Offset)}}
	for i, o := range q.OrderBy {
		if i == 0 {
			v.Set("order_by", o)
		} else {
			v.Set("order_by", v.Get("order_by")+","+o)
		}
	}
	var out Objects
	return &out, c.get(ctx, "/api/objects/"+url.PathEscape(q.Collection), v, &out)
}

// Versions are a document as it is and as it was.
func (c *Client) Versions(ctx context.Context, collection, id string) (*Versions, error) {
	var out Versions
	return &out, c.get(ctx, "/api/objects/"+url.PathEscape(collection)+"/versions", url.Values{"id": {id}}, &out)
}

// PublishEvent puts an event into the log and returns its id.
func (c *Client) PublishEvent(ctx context.Context, ev Event) (string, error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return "", fmt.Errorf("data is not JSON: %w", err)
	}
	var out struct {
		EventID string `json:"event_id"`
	}
	err = c.do(ctx, http.MethodPost, "/api/events", bytes.NewReader(body), &out)
	return out.EventID, err
}

// Replay publishes events of the log again.
func (c *Client) Replay(ctx context.Context, q Replay) (*Replayed, error) {
	var out Replayed
	return &out, c.post(ctx, "/api/replay", q, &out)
}

// Errors lists what failed.
func (c *Client) Errors(ctx context.Context, q ErrorQuery) (*Failures, error) {
	v := url.Values{"collection": {q.Collection}, "pipeline": {q.Pipeline}, "status": {q.Status}, "where": {q.Where},
		"limit": {strconv.Itoa(q.Limit)}, "id": q.IDs}
	if q.Since > 0 {
		v.Set("since", q.Since.String())
	}
	var out Failures
	return &out, c.get(ctx, "/api/errors", v, &out)
}

// ChangeErrors redrives, edits or discards what failed.
func (c *Client) ChangeErrors(ctx context.Context, in ErrorChange) (*Changes, error) {
	var out Changes
	return &out, c.post(ctx, "/api/errors", in, &out)
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, bytes.NewReader(body), out)
}

// Status tells how the project stands.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var out Status
	return &out, c.get(ctx, "/api/status", nil, &out)
}

func (c *Client) get(ctx context.Context, path string, v url.Values, out any) error {
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	return c.do(ctx, http.MethodGet, path, nil, out)
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running project: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		var p pipelined.Problem
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil || p.Title == "" {
			return fmt.Errorf("the running project answered %s", resp.Status)
		}
		if p.Status == http.StatusNotFound || p.Status == http.StatusBadRequest {
			return &refused{p.Detail}
		}
		return &p
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the running project's answer: %w", err)
	}
	return nil
}

// refused is what the running project said of the request, in its own words.
type refused struct{ detail string }

func (r *refused) Error() string { return r.detail }
