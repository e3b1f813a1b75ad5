package engine

import (
	"context"
	"errors"
	"fmt"

	"pipelined/connectors"
	"pipelined/engine/broker"
	"pipelined/engine/program"
	"pipelined/engine/revision"
	"pipelined/engine/scheduler"
	"pipelined/internal/fault"
)

// Swap puts p in place of the running program, all or nothing. Everything that may fail
// comes first and is undone if it does: connections are opened (unchanged ones are
// shared), routes are built, the store builds what it needs, subscriptions and schedules
// are looked up. Then one pointer changes, and nothing that follows can fail. Work under
// way finishes on the revision it started with.
func (e *Engine) Swap(ctx context.Context, p *program.Program) error {
	e.swapping.Lock()
	defer e.swapping.Unlock()
	next, err := e.open(ctx, p)
	if err != nil {
		return err
	}
	ready, err := e.prepare(ctx, next)
	if err != nil {
		return errors.Join(err, next.Close())
	}
	first := e.current.Load() == nil
	old := e.current.Use(next)
	if !first {
		e.config.Host.Point(fault.Swapped)
	}
	ready.subscriptions.Use()
	ready.schedules.Use()
	if old != nil {
		e.retire(old)
	}
	if err := e.forgetSubscriptions(ctx, ready.names); err != nil {
		e.config.Logger.Warn("subscriptions that no pipeline wants any more could not be looked at; they are at the next reload", "err", err)
	}
	return nil
}

// open makes a revision of a program: its connections are open, its routes are built.
func (e *Engine) open(ctx context.Context, p *program.Program) (*revision.Revision, error) {
	clients, err := e.pool.Open(ctx, p.Connections, func(name string) connectors.Env {
		return connectors.Env{Name: name, Logger: e.config.Logger.With("connection", name), Clock: e.config.Clock, Dir: e.config.Dir}
	})
	if err != nil {
		return nil, err
	}
	next := revision.New(p, clients)
	if next.Routes, err = e.edge.Routes(e.work, next); err != nil {
		return nil, errors.Join(err, next.Close())
	}
	return next, nil
}

// prepared is what a swap changes beside the pointer, ready to be used.
type prepared struct {
	subscriptions *broker.Change
	schedules     *scheduler.Change
	names         map[string]bool // of the subscriptions
}

func (e *Engine) prepare(ctx context.Context, next *revision.Revision) (*prepared, error) {
	if err := e.config.Store.Configure(ctx, next.Collections(), next.EventTypes()); err != nil {
		return nil, err
	}
	out := &prepared{names: map[string]bool{}}
	var err error
	if out.schedules, err = e.scheduler.Prepare(ctx, next.Program); err != nil {
		return nil, err
	}
	wanted := e.consumer.Subscriptions(next)
	for _, w := range wanted {
		out.names[w.Name] = true
	}
	out.subscriptions, err = e.broker.Prepare(ctx, wanted)
	return out, err
}

// retire lets go of a revision that was replaced, or of the one in use if old is nil,
// and closes its connections when nothing works with it any more.
func (e *Engine) retire(old *revision.Revision) {
	if old == nil {
		if old = e.current.Load(); old == nil || !e.last.CompareAndSwap(false, true) {
			return
		}
	}
	old.Unpin()
	e.retiring.Go(func() {
		<-old.Gone()
		if err := old.Close(); err != nil {
			e.config.Logger.Warn("a connection did not close cleanly", "err", err)
		}
	})
}

// forgetSubscriptions removes from the store what no pipeline has subscribed to since the
// start and is owed nothing; one that is owed events is kept and named. One whose pipeline
// went with a reload stays, so that nothing is lost if it comes back.
func (e *Engine) forgetSubscriptions(ctx context.Context, wanted map[string]bool) error {
	list, err := e.config.Store.Subscriptions(ctx)
	if err != nil {
		return err
	}
	last, err := e.config.Store.LastSeq(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if wanted[s.Name] {
			continue
		}
		waiting, err := e.config.Store.Deferred(ctx, s.Name)
		if err != nil {
			return err
		}
		aside, err := e.config.Store.ParkedGroups(ctx, s.Name)
		if err != nil {
			return err
		}
		if s.Floor >= last && len(waiting) == 0 && len(aside) == 0 && !e.broker.Holds(s.Name) {
			if err := e.config.Store.Unsubscribe(ctx, s.Name); err != nil {
				return fmt.Errorf("forget %s: %w", s.Name, err)
			}
			continue
		}
		e.config.Logger.Warn("no pipeline takes this subscription's events any more; they are kept until one of that name does",
			"subscription", s.Name, "from", s.Floor+1, "to", last, "waiting", len(waiting), "groups_set_aside", len(aside))
	}
	return nil
}
