package attempt

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"pipelined"
	"pipelined/engine/execution"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

// deed is something to be undone: what this run did, or what the journal has of earlier
// ones.
type deed struct {
	order int
	key   string
	live  *execution.Deed
	row   *Left
}

// durable reports whether the journal knows of it.
func (d deed) durable() bool { return d.row != nil || d.live.Durable() }

// done gathers what is to be undone, last first.
func (t *run) done() (list []deed) {
	undo, _ := t.x.Run.Deeds()
	for _, d := range undo {
		list = append(list, deed{order: d.Order(), key: d.Key, live: d})
	}
	for key, row := range t.saga.rows {
		again := slices.ContainsFunc(undo, func(d *execution.Deed) bool { return d.Key == key && d.Durable() })
		if !again {
			list = append(list, deed{order: row.Order, key: key, row: row})
		}
	}
	slices.SortStableFunc(list, func(a, b deed) int { return b.order - a.order })
	return newest(list)
}

// newest leaves out what a later try of the same durable deed stands for.
func newest(list []deed) (out []deed) {
	seen := map[string]bool{}
	for _, d := range list {
		if d.durable() && seen[d.key] {
			continue
		}
		seen[d.key] = seen[d.key] || d.durable()
		out = append(out, d)
	}
	return out
}

// compensate undoes what succeeded, and what is in doubt, last first. What fails of it is
// in the log and in the record of the failure, is tried again in the background, and is
// never told to a caller. It reports whether the run goes on.
func (t *run) compensate(ctx context.Context, p *pipelined.Problem) bool {
	list := t.done()
	if len(list) == 0 {
		return true
	}
	if err := t.decide(ctx, list, p); err != nil {
		t.o.unkept = err
		return false
	}
	for _, d := range list {
		x, steps, err := t.undoing(d)
		if err == nil {
			err = x.Undo(ctx, t.x.Effects, steps, p)
			t.Host.Point(fault.Undone)
		}
		if err == nil {
			continue
		}
		if t.beyond(ctx, err) {
			return false
		}
		t.notUndone(ctx, d, p, pipelined.AsProblem(err))
	}
	return true
}

// decide notes that the saga goes back from here on, whatever happens to the process.
// Sagas that never left it need no note.
func (t *run) decide(ctx context.Context, list []deed, p *pipelined.Problem) error {
	if t.saga.because != nil || !slices.ContainsFunc(list, deed.durable) {
		return nil
	}
	b := &store.Batch{Meta: []store.Meta{{Key: sagaKey(t.sagaName(), ""), Value: string(problemText(p))}}}
	for i, d := range list {
		if d.durable() {
			continue
		}
		l, err := t.left(d.live)
		if err != nil {
			continue // it is undone now, and kept if that fails
		}
		key := d.key + "/" + strconv.Itoa(i)
		if err := t.journal(b, key, l); err != nil {
			return err
		}
		t.saga.begin(key)
	}
	if _, err := t.Commit(ctx, b); err != nil {
		return fmt.Errorf("note that %s is undone: %w", t.sagaName(), err)
	}
	t.Host.Point(fault.SagaDecided)
	return nil
}

// undoing is the execution that undoes something, and what it runs.
func (t *run) undoing(d deed) (*execution.Execution, *execution.Later, error) {
	if d.live != nil {
		return d.live.At(), d.live.Later, nil
	}
	callee, steps, p := d.row.steps(t.Revision)
	if p != nil {
		return nil, nil, p
	}
	x, err := d.row.resume(t.Revision, t.x.Run, callee, steps)
	return x, steps, err
}

// notUndone has what could not be undone tried again later.
func (t *run) notUndone(ctx context.Context, d deed, p, q *pipelined.Problem) {
	t.Logger.ErrorContext(ctx, "a compensation failed; it is tried again", "pipeline", t.Pipeline.Name,
		"execution", t.o.ID, "step", d.name(), "problem", q.Type, "detail", q.Detail)
	t.note("a compensation failed: " + q.Error())
	l := d.row
	if l == nil {
		var err error
		if l, err = t.left(d.live); err != nil {
			t.Logger.ErrorContext(ctx, "a compensation failed and cannot be tried again, because what it reads cannot be kept",
				"pipeline", t.Pipeline.Name, "execution", t.o.ID, "step", d.name(), "err", err)
			t.note(err.Error())
			return
		}
	}
	next := *l
	next.Problem, next.Tries, next.Last = sound(p), 1, q.Error()
	next.Due = t.Clock.Now().Add(next.retries(nil).Backoff.WaitAtLeast(1, t.Values.Random(), q.RetryAfter))
	if q.Type == typeGone {
		next.Due, next.Tries = t.Clock.Now(), 0
	}
	next.Row, next.Text = LeftPrefix+"undo/"+t.sagaName()+"/"+d.key+"/"+strconv.Itoa(d.order), ""
	t.o.left = append(t.o.left, &next)
}

func (d deed) name() string {
	if d.live != nil {
		return d.live.Later.Name
	}
	return d.row.Name
}
