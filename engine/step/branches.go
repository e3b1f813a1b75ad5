package step

import (
	"context"
	"errors"
	"sync"

	"pipelined"
	"pipelined/engine/execution"
)

// branches is how a group of concurrent branches ends: well; stopped, when what each
// of them finished stays; or failed, when nothing of any stays. The first of them that
// ends the group has the others cancelled.
type branches struct {
	cancel context.CancelCauseFunc

	mu  sync.Mutex
	err error
}

// ended notes that a branch ended with err. A failure counts for more than a stop: it
// may come after one only from clean-up, and clean-up that fails is not passed over.
func (b *branches) ended(err error, what string) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil && !errors.Is(b.err, execution.ErrStop):
	case errors.Is(err, execution.ErrStop):
		b.err = err
		b.cancel(execution.ErrStop)
	default:
		b.err = err
		b.cancel(pipelined.NewProblem(pipelined.TypeCanceled, "Another branch failed", 499, what+" failed"))
	}
}

// outcome is nil, ErrStop, or the failure.
func (b *branches) outcome() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
