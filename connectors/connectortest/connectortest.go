// Package connectortest is the conformance suite every connector passes.
//
// Run takes a connector and cases written as an author writes them: parameters in
// YAML, an input, and the result or the problem that follows. Besides the cases it
// checks what holds for all connectors: there are a summary and examples, and
// every example lints; no secret of a connection is in an error (I7); a call whose
// context has ended returns; Close may be called twice; and a client takes calls
// from many goroutines, which says most under -race.
package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"pipelined"
	"pipelined/connectors"
	"pipelined/internal/value"
)

// Case is one call and what follows.
type Case struct {
	Name       string // the behaviour, as a sentence
	Operation  string // its key; the connector's first one if empty
	Connection string // YAML of the connection; empty for none
	Params     string // YAML of the parameters
	Input      any    // a value, `input` in the expressions of Params
	Dir        string // the project folder

	// Want is the result as JSON. A member of an object that it does not name may
	// be anything; everything else must be the same, numbers digit by digit.
	Want string
	// Problem is the type of the failure; Status, Retriable and Detail, a part of
	// its text, are compared where it is given. Status 0 means any.
	Problem   string
	Status    int
	Retriable bool
	Detail    string
	// Data is what error.data is, compared as Want; empty means anything.
	Data string

	// Once says that a second call would not be answered as the first; the suite
	// then does not call again from many goroutines.
	Once bool
	// Reached, if not nil, receives when the call is waiting for something. The
	// suite then cancels it and wants it back; Want and Problem do not count.
	Reached <-chan struct{}
}

const (
	// patience is how long a cancelled call may take.
	patience = 5 * time.Second
	callers  = 8
)

// Run checks the declaration and every case. It is a test of its own for each.
func Run(t *testing.T, c *connectors.Connector, cases []Case) {
	t.Helper()
	t.Run("declaration", func(t *testing.T) {
		t.Parallel()
		declaration(t, c)
	})
	for _, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, c, tt)
			if tt.Reached != nil {
				s.leavesWhenCancelled(t)
			} else {
				s.answers(t)
				s.returnsWhenOver(t)
				if !tt.Once && !t.Failed() {
					s.takesManyCallers(t)
				}
			}
			s.closesTwice(t)
		})
	}
}

// session is the client of one case.
type session struct {
	Case
	op      *connectors.Operation
	client  io.Closer
	secrets []string
	bind    func() (any, error)
}

func newSession(t *testing.T, c *connectors.Connector, tt Case) *session {
	t.Helper()
	s := &session{Case: tt, op: operation(t, c, tt.Operation)}
	binding := decodeParams(t, s.op, tt.Params)
	s.bind = func() (any, error) {
		p := s.op.NewParams()
		return p, binding.Bind(frame(tt.Input), p)
	}
	var err error
	if s.client, s.secrets, err = open(t, c, tt.Connection, tt.Dir); err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// call binds and calls, as a step does. A stream is read to its end, so that it can
// be compared.
func (s *session) call(ctx context.Context) (any, error) {
	params, err := s.bind()
	if err != nil {
		return nil, err
	}
	result, err := s.op.Call(withCall(ctx), s.client, params)
	if err != nil {
		return nil, err
	}
	return consumed(ctx, result)
}

func consumed(ctx context.Context, v any) (any, error) {
	switch t := v.(type) {
	case value.Stream:
		defer t.Close()
		list := []any{}
		for {
			e, ok, err := t.Next(ctx)
			if err != nil || !ok {
				return list, err
			}
			list = append(list, e)
		}
	case map[string]any:
		for k, e := range t {
			read, err := consumed(ctx, e)
			if err != nil {
				return nil, err
			}
			t[k] = read
		}
	}
	return v, nil
}

func (s *session) answers(t *testing.T) {
	t.Helper()
	result, err := s.call(t.Context())
	if msg := s.verdict(result, err); msg != "" {
		t.Error(msg)
	}
}

// verdict says how a result is not what the case wants; empty if it is.
func (s *session) verdict(result any, err error) string {
	if err != nil {
		if msg := s.leak(err); msg != "" {
			return msg
		}
		return s.problemVerdict(err)
	}
	if s.Problem != "" {
		return fmt.Sprintf("no problem, want %s; the result is %s", s.Problem, show(result))
	}
	raw, err := value.JSON(result)
	if err != nil {
		return fmt.Sprintf("the result is not a value: %v", err)
	}
	return difference("result", s.Want, string(raw))
}

func (s *session) problemVerdict(err error) string {
	var p *pipelined.Problem
	switch {
	case !errors.As(err, &p):
		return fmt.Sprintf("the error is no problem: %v", err)
	case s.Problem == "":
		return fmt.Sprintf("problem %s: %v (%s)", p.Type, p, p.Data)
	case p.Type != s.Problem || p.Retriable != s.Retriable || s.Status != 0 && p.Status != s.Status:
		return fmt.Sprintf("problem %s, status %d, retriable %v; want %s, %d, %v: %v", p.Type, p.Status, p.Retriable, s.Problem, s.Status, s.Retriable, p)
	case p.Status < 400 || p.Status > 599:
		return fmt.Sprintf("status %d is no error's", p.Status)
	case !strings.Contains(p.Error(), s.Detail):
		return fmt.Sprintf("the problem says %q, want %q in it", p.Error(), s.Detail)
	case s.Data != "":
		return difference("data", s.Data, string(p.Data))
	}
	return ""
}

// leak says which secret of the connection an error tells.
func (s *session) leak(err error) string {
	doc, merr := json.Marshal(pipelined.AsProblem(err))
	if merr != nil {
		return fmt.Sprintf("the problem has no JSON form: %v", merr)
	}
	for _, secret := range s.secrets {
		if strings.Contains(err.Error(), secret) || strings.Contains(string(doc), secret) {
			return fmt.Sprintf("a secret of the connection is in the error: %v, %s", err, doc)
		}
	}
	return ""
}

// returnsWhenOver calls with a context that has ended before.
func (s *session) returnsWhenOver(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.back(t, func() {
		if _, err := s.call(ctx); err != nil {
			if msg := s.leak(err); msg != "" {
				t.Error(msg)
			}
		}
	})
}

// leavesWhenCancelled cancels a call that is waiting; it returns the cause.
func (s *session) leavesWhenCancelled(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		_, err := s.call(ctx)
		done <- err
	}()
	select {
	case <-s.Reached:
	case err := <-done:
		t.Fatalf("the call was over before it waited: %v", err)
	}
	cancel(pipelined.ErrStopping)
	s.back(t, func() {
		if err := <-done; !errors.Is(err, pipelined.ErrStopping) {
			t.Errorf("cancelled: %v, want the context's cause", err)
		}
	})
}

// back fails if f does not return in time.
func (s *session) back(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("a cancelled call did not return within %v", patience)
	}
}

func (s *session) takesManyCallers(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			result, err := s.call(t.Context())
			if msg := s.verdict(result, err); msg != "" {
				t.Errorf("one of %d callers: %s", callers, msg)
			}
		})
	}
	wg.Wait()
}

func (s *session) closesTwice(t *testing.T) {
	t.Helper()
	for range 2 {
		if err := s.client.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}
