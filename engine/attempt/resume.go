package attempt

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"pipelined/engine/execution"
	"pipelined/internal/fault"
	"pipelined/internal/store"
)

// part is how far an attempt is whose loops commit on their way. It is kept in the
// store from the first part to the attempt's own commit.
type part struct {
	Scheduled time.Time                     `json:"scheduled,omitzero"` // of the tick, if one started it
	Loops     map[string]execution.Progress `json:"loops"`              // by the identity of the step
}

// ReadProgress tells which tick's run is on its way under key; the zero time where
// none is.
func ReadProgress(ctx context.Context, s store.Keeper, key string) (time.Time, error) {
	p, err := readPart(ctx, s, key)
	if err != nil || p == nil {
		return time.Time{}, err
	}
	return p.Scheduled, nil
}

func readPart(ctx context.Context, s store.Keeper, key string) (*part, error) {
	text, err := s.Meta(ctx, key)
	if err != nil || text == "" {
		return nil, err
	}
	p := &part{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		return nil, fmt.Errorf("read how far %s was: %w", key, err)
	}
	return p, nil
}

// resume prepares a run whose loop commits on its way: it goes on where a crash or a
// conflict left it.
func (t *run) resume(ctx context.Context) error {
	now := part{Loops: map[string]execution.Progress{}}
	if t.Tick != nil {
		now.Scheduled = t.Tick.Scheduled
	}
	before, err := readPart(ctx, t.Store, t.Progress)
	if err != nil {
		return err
	}
	if before != nil && before.Scheduled.Equal(now.Scheduled) {
		now.Loops = before.Loops
	}
	t.x.Run.Resume = now.Loops
	t.x.Run.CommitPart = func(ctx context.Context, x *execution.Execution, step string, done execution.Progress) error {
		now.Loops[step] = done
		text, err := json.Marshal(now)
		if err != nil {
			return fmt.Errorf("note how far %s is: %w", t.Progress, err)
		}
		b := &store.Batch{At: t.Clock.Now(), Meta: []store.Meta{{Key: t.Progress, Value: string(text)}}}
		x.Effects.Fill(b)
		if _, err := t.Commit(ctx, b); err != nil {
			return commitError(err)
		}
		t.Host.Point(fault.PartCommitted)
		return nil
	}
	return nil
}
