package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"pipelined"
	"pipelined/engine"
	"pipelined/engine/program"
	"pipelined/internal/clock"
	"pipelined/internal/console"
	"pipelined/internal/store"
)

// runtimeFile stands beside the store of a running project and says where its
// admin listener is.
type runtimeFile struct {
	Admin string `json:"admin"`
	PID   int    `json:"pid"`
}

func runtimePath(storePath string) string { return filepath.Join(filepath.Dir(storePath), "run.json") }

func writeRuntimeFile(storePath, admin string) error {
	text, err := json.Marshal(runtimeFile{admin, os.Getpid()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(runtimePath(storePath), text, 0o600); err != nil {
		return fmt.Errorf("note where the admin listener is: %w", err)
	}
	return nil
}

func removeRuntimeFile(storePath string) {
	_ = os.Remove(runtimePath(storePath)) // one left behind only costs a refused connection
}

// Project is what the commands that look at a project talk to: the admin API of
// a running one, or the store of a stopped one.
type Project interface {
	Executions(context.Context, console.ExecutionQuery) ([]store.Execution, error)
	Execution(ctx context.Context, id string) (*store.Execution, error)
	Objects(context.Context, console.ObjectQuery) (*console.Objects, error)
	PublishEvent(context.Context, console.Event) (id string, err error)
	Replay(context.Context, console.Replay) (*console.Replayed, error)
	Errors(context.Context, console.ErrorQuery) (*console.Failures, error)
	ChangeErrors(context.Context, console.ErrorChange) (*console.Changes, error)
	Status(context.Context) (*console.Status, error)
}

// Connect opens the project in dir: it asks the running process if there is one.
// Call close when done.
func Connect(ctx context.Context, dir string, sets program.Sets) (p Project, running bool, close func() error, err error) {
	l, err := Load(dir, sets)
	if err != nil {
		return nil, false, nil, err
	}
	if r := reachable(ctx, l); r != nil {
		return r, true, func() error { return nil }, nil
	}
	if l.Program == nil {
		l.Show(os.Stderr, false)
		return nil, false, nil, ErrFindings
	}
	if _, err := os.Stat(l.StorePath()); errors.Is(err, os.ErrNotExist) {
		return nil, false, nil, &UsageError{"this project has no data yet: there is no " + l.StorePath(), "start it with: pipelined run " + dir}
	}
	s, err := OpenStore(l, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, false, nil, err
	}
	if err := s.Configure(ctx, l.Program.Collections(), l.Program.EventTypes()); err != nil {
		return nil, false, nil, errors.Join(err, s.Close())
	}
	return &console.Service{Store: s, Clock: clock.Real(), NewID: engine.NewID, Program: l.Program}, false, s.Close, nil
}

// reachable returns a client of the running project, or nil if there is none.
func reachable(ctx context.Context, l *Loaded) *client {
	text, err := os.ReadFile(runtimePath(l.StorePath()))
	var f runtimeFile
	if err != nil || json.Unmarshal(text, &f) != nil {
		return nil
	}
	c := &client{base: "http://" + f.Admin, token: l.Project.File.Admin.Token, http: &http.Client{Timeout: 30 * time.Second}}
	pctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if c.get(pctx, "/healthz", nil, nil) != nil {
		return nil
	}
	return c
}

// client talks to the admin API.
type client struct {
	base  string
	token pipelined.Secret
	http  *http.Client
}

func (c *client) Executions(ctx context.Context, q console.ExecutionQuery) ([]store.Execution, error) {
	v := url.Values{"pipeline": {q.Pipeline}, "status": {q.Status}, "limit": {strconv.Itoa(q.Limit)}}
	if q.Since > 0 {
		v.Set("since", q.Since.String())
	}
	var out struct{ Executions []store.Execution }
	err := c.get(ctx, "/api/executions", v, &out)
	return out.Executions, err
}

func (c *client) Execution(ctx context.Context, id string) (*store.Execution, error) {
	var out store.Execution
	return &out, c.get(ctx, "/api/executions/"+url.PathEscape(id), nil, &out)
}

func (c *client) Objects(ctx context.Context, q console.ObjectQuery) (*console.Objects, error) {
	v := url.Values{"where": {q.Where}, "limit": {strconv.Itoa(q.Limit)}, "offset": {strconv.Itoa(q.Offset)}}
	for i, o := range q.OrderBy {
		if i == 0 {
			v.Set("order_by", o)
		} else {
			v.Set("order_by", v.Get("order_by")+","+o)
		}
	}
	var out console.Objects
	return &out, c.get(ctx, "/api/objects/"+url.PathEscape(q.Collection), v, &out)
}

func (c *client) PublishEvent(ctx context.Context, ev console.Event) (string, error) {
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

func (c *client) Replay(ctx context.Context, q console.Replay) (*console.Replayed, error) {
	var out console.Replayed
	return &out, c.post(ctx, "/api/replay", q, &out)
}

func (c *client) Errors(ctx context.Context, q console.ErrorQuery) (*console.Failures, error) {
	v := url.Values{"collection": {q.Collection}, "pipeline": {q.Pipeline}, "status": {q.Status}, "where": {q.Where},
		"limit": {strconv.Itoa(q.Limit)}, "id": q.IDs}
	if q.Since > 0 {
		v.Set("since", q.Since.String())
	}
	var out console.Failures
	return &out, c.get(ctx, "/api/errors", v, &out)
}

func (c *client) ChangeErrors(ctx context.Context, in console.ErrorChange) (*console.Changes, error) {
	var out console.Changes
	return &out, c.post(ctx, "/api/errors", in, &out)
}

func (c *client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, bytes.NewReader(body), out)
}

func (c *client) Status(ctx context.Context) (*console.Status, error) {
	var out console.Status
	return &out, c.get(ctx, "/api/status", nil, &out)
}

func (c *client) get(ctx context.Context, path string, v url.Values, out any) error {
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	return c.do(ctx, http.MethodGet, path, nil, out)
}

func (c *client) do(ctx context.Context, method, path string, body io.Reader, out any) error {
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
			return &UsageError{What: p.Detail}
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
