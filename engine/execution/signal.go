package execution

import (
	"context"
	"errors"

	"pipelined"
	"pipelined/objectstore"
)

// ErrStop ends a flow successfully; it travels as an error so that every container
// unwinds.
var ErrStop = errors.New("stop")

// Beyond reports whether an error is not the flow's to handle: the runtime drains,
// or another execution changed what this one read and it has to run again.
func Beyond(ctx context.Context, err error) bool {
	return Stopping(ctx) || errors.Is(err, pipelined.ErrStopping) || errors.Is(err, objectstore.ErrStale)
}

// Stopping reports whether the work was cut off because the runtime drains; such an
// execution is not a failure and runs no handlers.
func Stopping(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), pipelined.ErrStopping)
}

// Stopped reports whether the work was cut off because a branch beside it ended the
// flow well: what is done stays, and what is under way is no failure.
func Stopped(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrStop)
}

// Signal reports whether an error says something else than that a step failed.
func Signal(err error) bool {
	return errors.Is(err, ErrStop) || errors.Is(err, pipelined.ErrStopping) || errors.Is(err, objectstore.ErrStale)
}
