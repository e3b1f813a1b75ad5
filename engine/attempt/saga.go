package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

// SagaPrefix begins the keys of the store's texts that are the journal of sagas:
//
//	saga/<saga>/             why the saga is being undone; missing while it goes forward
//	saga/<saga>/<deed>       a Left: what undoes the deed
//
// They are written beside what an execution commits, and removed by its last commit.
const SagaPrefix = "saga/"

// once begins the names of sagas that nothing takes up again when the process dies.
const once = "once:"

// Sagas knows which sagas the journal has something of. It is safe for concurrent use.
type Sagas struct {
	n    atomic.Int64 // of open: where nothing is, nobody has to look
	mu   sync.Mutex
	open map[string]bool
}

func (s *Sagas) add(saga string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]bool{}
	}
	s.open[saga] = true
	s.n.Store(int64(len(s.open)))
}

// none reports whether there is nothing to look for, without the price of a name.
func (s *Sagas) none() bool { return s.n.Load() == 0 }

func (s *Sagas) has(saga string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[saga]
}

// Remove notes that the journal has nothing of a saga any more.
func (s *Sagas) Remove(saga string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, saga)
	s.n.Store(int64(len(s.open)))
}

// saga is what the journal has of a run's saga.
type saga struct {
	rows    map[string]*Left   // from earlier runs, by the key of the deed
	because *pipelined.Problem // why it is being undone; nil while it goes forward
	mu      sync.Mutex
	begun   map[string]bool // keys of deeds that this run journaled
}

func (s *saga) begin(deed string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun == nil {
		s.begun = map[string]bool{}
	}
	s.begun[deed] = true
}

// sagaName names what an attempt does, across restarts if it comes again after one.
func (a *Attempt) sagaName() string {
	if a.Key == "" {
		return once + a.loop.first
	}
	return strings.ReplaceAll(a.Key, "/", ":")
}

func sagaKey(saga, deed string) string { return SagaPrefix + saga + "/" + deed }

// recall reads what earlier runs of the attempt, or of what comes again, have journaled.
func (t *run) recall(ctx context.Context) error {
	if t.Sagas.none() || !t.Sagas.has(t.sagaName()) {
		return nil
	}
	rows, err := t.Store.Metas(ctx, sagaKey(t.sagaName(), ""))
	if err != nil {
		return fmt.Errorf("read the journal of %s: %w: %w", t.sagaName(), store.ErrUnavailable, err)
	}
	t.saga.rows = map[string]*Left{}
	for _, row := range rows {
		deed := strings.TrimPrefix(row.Key, sagaKey(t.sagaName(), ""))
		if deed == "" {
			t.saga.because = &pipelined.Problem{}
			if err := json.Unmarshal([]byte(row.Value), t.saga.because); err != nil {
				return fmt.Errorf("read the journal of %s: %w", t.sagaName(), err)
			}
			continue
		}
		l, err := ReadLeft(row.Key, row.Value)
		if err != nil {
			return err
		}
		t.saga.rows[deed] = l
		t.x.Run.After(l.Order)
	}
	return nil
}

// Begin journals deeds that are about to leave the process.
func (t *run) Begin(ctx context.Context, _ *execution.Execution, deeds []*execution.Deed) error {
	b := &store.Batch{}
	for _, d := range deeds {
		l, err := t.left(d)
		if err != nil {
			return err
		}
		if before := t.saga.rows[d.Key]; before != nil && before.Done { // what came of it then stands until it is done again
			l.Done = true
			own := "steps." + d.Later.Name
			if v, ok := before.Values[own]; ok {
				l.Values[own] = v
			}
		}
		if err := t.journal(b, d.Key, l); err != nil {
			return err
		}
	}
	t.Sagas.add(t.sagaName())
	for _, d := range deeds {
		t.saga.begin(d.Key)
	}
	if _, err := t.Commit(ctx, b); err != nil {
		return CommitProblem(err)
	}
	t.Host.Point(fault.SagaBegun)
	return nil
}

// Done journals what came of a deed.
func (t *run) Done(ctx context.Context, _ *execution.Execution, d *execution.Deed) error {
	t.Host.Point(fault.SagaCalled)
	l, err := t.left(d)
	if err != nil {
		return err
	}
	b := &store.Batch{}
	if err := t.journal(b, d.Key, l); err != nil {
		return err
	}
	if _, err := t.Commit(ctx, b); err != nil {
		return CommitProblem(err)
	}
	t.Host.Point(fault.SagaNoted)
	return nil
}

func (t *run) journal(b *store.Batch, deed string, l *Left) error {
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("journal a step: %w", err)
	}
	b.Meta = append(b.Meta, store.Meta{Key: sagaKey(t.sagaName(), deed), Value: string(text)})
	return nil
}

// left is what it takes to undo a deed later.
func (t *run) left(d *execution.Deed) (*Left, error) {
	values, err := d.At().Keep(d.Later)
	var u *execution.UnkeptError
	if errors.As(err, &u) {
		return nil, pipelined.Problemf("compensate/value", "A value cannot be kept for compensate", 500,
			"compensate of step %s reads %s: %v", d.Later.Name, u.Name, u.Err)
	}
	if err != nil {
		return nil, err
	}
	return &Left{
		Trigger: UndoTrigger, Pipeline: t.Pipeline.Name, In: d.Later.Pipeline, Step: d.Later.Step, Name: d.Later.Name,
		Group: t.sagaName(), Order: d.Order(), Of: t.origin(), At: d.At().Place(), Done: d.Done(), Values: values,
	}, nil
}

func (t *run) origin() Origin {
	return Origin{Execution: t.o.ID, Trigger: t.Trigger, Keys: t.x.Run.Origin, Event: t.x.Run.EventID, Attempt: t.Number}
}

// settleSaga adds to the batch what becomes of the journal.
func (t *run) settleSaga() {
	b := t.o.Batch
	if t.o.Status == StatusRetrying { // what is certainly not done need not be undone
		undo, failed := t.x.Run.Deeds()
		for _, d := range failed {
			done := slices.ContainsFunc(undo, func(o *execution.Deed) bool { return o.Key == d.Key })
			if !done && t.saga.rows[d.Key] == nil {
				b.Meta = append(b.Meta, store.Meta{Key: sagaKey(t.sagaName(), d.Key)})
			}
		}
		return
	}
	if t.Sagas.none() || !t.Sagas.has(t.sagaName()) {
		return
	}
	b.Meta = append(b.Meta, store.Meta{Key: sagaKey(t.sagaName(), "")})
	for key := range t.saga.rows {
		t.saga.begin(key)
	}
	for key := range t.saga.begun {
		b.Meta = append(b.Meta, store.Meta{Key: sagaKey(t.sagaName(), key)})
	}
}

// Orphan adds to b that a saga is given up, because nothing will take it up again: its
// deeds are left to be undone, now, because of p. It returns them.
func (r *Runner) Orphan(ctx context.Context, saga string, p *pipelined.Problem, b *store.Batch) ([]*Left, error) {
	saga = strings.ReplaceAll(saga, "/", ":")
	if !r.Sagas.has(saga) {
		return nil, nil
	}
	rows, err := r.Store.Metas(ctx, sagaKey(saga, ""))
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w: %w", saga, store.ErrUnavailable, err)
	}
	var out []*Left
	for _, row := range rows {
		b.Meta = append(b.Meta, store.Meta{Key: row.Key, IfValue: &row.Value})
		deed := strings.TrimPrefix(row.Key, sagaKey(saga, ""))
		if deed == "" {
			q := &pipelined.Problem{}
			if json.Unmarshal([]byte(row.Value), q) == nil {
				p = q
			}
			continue
		}
		l, err := ReadLeft(row.Key, row.Value)
		if err != nil {
			return nil, err
		}
		l.Row, l.Text = LeftPrefix+"undo/"+saga+"/"+deed, ""
		l.Problem, l.Due = p, time.Time{}
		out = append(out, l)
	}
	for _, l := range out {
		if err := l.Keep(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Adopt tells which sagas the journal has something of, when the engine starts. It returns
// those that nothing takes up again: what began them is gone with the process.
func (r *Runner) Adopt(ctx context.Context) (orphans []string, err error) {
	rows, err := r.Store.Metas(ctx, SagaPrefix)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	for _, row := range rows {
		saga, _, _ := strings.Cut(strings.TrimPrefix(row.Key, SagaPrefix), "/")
		if !r.Sagas.has(saga) && strings.HasPrefix(saga, once) {
			orphans = append(orphans, saga)
		}
		r.Sagas.add(saga)
	}
	return orphans, nil
}
