package engine

import (
	"context"
	"fmt"
	"time"

	"pipelined"
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
	if _, err := e.config.Store.Trim(ctx, e.config.Clock.Now()); err != nil {
		return fmt.Errorf("trim the store: %w", err)
	}
	return nil
}
