package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"pipelined/engine"
	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/clock"
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
	// Whole or not there: who reads half of it takes the project for one that is stopped.
	path := runtimePath(storePath)
	err = os.WriteFile(path+".new", text, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
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
	Executions(context.Context, admin.ExecutionQuery) ([]store.Execution, error)
	Execution(ctx context.Context, id string) (*store.Execution, error)
	Objects(context.Context, admin.ObjectQuery) (*admin.Objects, error)
	Versions(ctx context.Context, collection, id string) (*admin.Versions, error)
	PublishEvent(context.Context, admin.Event) (id string, err error)
	Replay(context.Context, admin.Replay) (*admin.Replayed, error)
	Errors(context.Context, admin.ErrorQuery) (*admin.Failures, error)
	ChangeErrors(context.Context, admin.ErrorChange) (*admin.Changes, error)
	Status(context.Context) (*admin.Status, error)
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
	if err := s.Prepare(ctx, l.Program.Revision, l.Program.Collections()); err != nil {
		return nil, false, nil, errors.Join(err, s.Close())
	}
	return &admin.Service{Store: s, Clock: clock.Real(), NewID: engine.NewID, Program: l.Program}, false, s.Close, nil
}

// reachable returns a client of the running project, or nil if there is none.
func reachable(ctx context.Context, l *Loaded) *admin.Client {
	text, err := os.ReadFile(runtimePath(l.StorePath()))
	var f runtimeFile
	if err != nil || json.Unmarshal(text, &f) != nil {
		return nil
	}
	c := admin.NewClient("http://"+f.Admin, l.Project.File.Admin.Token)
	pctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if c.Alive(pctx) != nil {
		return nil
	}
	return c
}
