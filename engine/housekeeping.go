package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

// trimEvery is how often what retention no longer keeps is removed. The first time is
// soon after the start: a process that never lives long must trim, too.
const (
	trimEvery = time.Minute
	trimFirst = 3 * time.Second
)

// housekeeping moves idle subscriptions forward and trims.
func housekeeping(ctx context.Context, e *Engine) error {
	for wait := trimFirst; ; wait = trimEvery {
		if err := pipelined.Sleep(ctx, e.config.Clock, wait); err != nil {
			return nil
		}
		if err := e.Tidy(ctx); err != nil && ctx.Err() == nil {
			e.config.Logger.Warn("retention could not be applied; trying again later", "err", err)
		}
	}
}

// Tidy applies retention once.
func (e *Engine) Tidy(ctx context.Context) error {
	if err := e.broker.CatchUp(ctx); err != nil {
		return fmt.Errorf("advance idle subscriptions: %w", err)
	}
	return trim(ctx, e)
}

// trim removes what the revision in use does not keep, unless another process does so.
func trim(ctx context.Context, e *Engine) error {
	got, err := e.config.Store.Claim(ctx, []store.Claim{{Kind: store.TrimClaim, Key: "all"}})
	if err != nil {
		return fmt.Errorf("claim trimming: %w", err)
	}
	if got[0].Err != nil {
		return nil
	}
	_, err = e.config.Store.Trim(ctx, e.config.Clock.Now(), e.revisions.current.Load().Retention())
	if err != nil {
		err = fmt.Errorf("trim the store: %w", err)
	}
	err = errors.Join(err, shrink(ctx, e))
	_, cerr := e.config.Store.Commit(ctx, &store.Batch{Drop: []store.Claim{got[0].Claim}})
	if errors.Is(cerr, store.ErrTaken) { // it took so long that another has it now
		cerr = nil
	}
	return errors.Join(err, cerr)
}

// shrink has collections that may become only so large give up their oldest documents,
// loudly: with them goes what nobody looked at.
func shrink(ctx context.Context, e *Engine) error {
	for name, most := range e.revisions.current.Load().Limits() {
		n, err := e.config.Store.Shrink(ctx, name, most)
		if n > 0 {
			e.config.Logger.Error("a collection has become too large; its oldest documents were removed", "collection", name, "removed", n,
				"bytes", most, "fix", "work its documents off, or declare it under collections: in pipelined.yaml to keep more")
		}
		if err != nil {
			return fmt.Errorf("shrink %s: %w", name, err)
		}
	}
	return nil
}
