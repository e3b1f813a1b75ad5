package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"pipelined"

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
func (e *Engine) Swap(ctx context.Context, p *program.Program) error { return e.revisions.swap(ctx, p) }

// revisions puts one revision in the place of another.
type revisions struct {
	engine   *Engine
	current  revision.Current
	pool     revision.Pool
	mu       sync.Mutex     // one swap at a time
	retiring sync.WaitGroup // revisions that were replaced and are still pinned
	ended    bool           // the one in use was let go of: the engine stops
}

func (r *revisions) swap(ctx context.Context, p *program.Program) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return fmt.Errorf("use another revision: %w", pipelined.ErrStopping)
	}
	next, err := r.open(ctx, p)
	if err != nil {
		return err
	}
	ready, err := r.prepare(ctx, next)
	if err != nil {
		r.forgetIndexes(ctx, next.ID)
		return errors.Join(err, next.Close())
	}
	old := r.current.Use(next)
	if old != nil {
		r.engine.config.Host.Point(fault.Swapped)
	}
	ready.subscriptions.Use()
	ready.schedules.Use()
	r.engine.sources.Use()
	if old != nil {
		r.retire(old, func() { r.forgetIndexes(ctx, old.ID) })
	} else {
		r.forgetIndexes(ctx, "") // what earlier processes left
	}
	if err := r.forget(ctx, ready.names); err != nil {
		r.engine.config.Logger.Warn("subscriptions that no pipeline wants any more could not be looked at; they are at the next reload", "err", err)
	}
	return nil
}

// open makes a revision of a program: its connections are open, its routes are built.
func (r *revisions) open(ctx context.Context, p *program.Program) (*revision.Revision, error) {
	clients, err := r.pool.Open(ctx, p.Connections, func(name string) connectors.Env {
		return connectors.Env{Name: name, Logger: r.engine.config.Logger.With("connection", name), Clock: r.engine.config.Clock, Dir: r.engine.config.Dir}
	})
	if err != nil {
		return nil, err
	}
	next := revision.New(p, clients)
	next.ID = r.engine.config.NewID()
	if next.Routes, err = r.engine.edge.Routes(r.engine.work, next); err != nil {
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

func (r *revisions) prepare(ctx context.Context, next *revision.Revision) (*prepared, error) {
	if err := r.engine.config.Store.Prepare(ctx, next.ID, next.Collections()); err != nil {
		return nil, err
	}
	out := &prepared{names: map[string]bool{}}
	var err error
	if out.schedules, err = r.engine.scheduler.Prepare(ctx, next.Program); err != nil {
		return nil, err
	}
	wanted := r.engine.consumer.Subscriptions(next)
	for _, w := range wanted {
		out.names[w.Name] = true
	}
	out.subscriptions, err = r.engine.broker.Prepare(ctx, wanted)
	return out, err
}

// forgetIndexes drops what only a revision that is gone needed of the store.
func (r *revisions) forgetIndexes(ctx context.Context, id string) {
	if err := r.engine.config.Store.Retire(context.WithoutCancel(ctx), id); err != nil {
		r.engine.config.Logger.Warn("indexes that nobody declares any more could not be dropped; they are at the next reload", "err", err)
	}
}

// retire lets go of a revision, and closes its connections when nothing works with it
// any more, after gone.
func (r *revisions) retire(old *revision.Revision, gone func()) {
	old.Unpin()
	r.retiring.Go(func() {
		<-old.Gone()
		gone()
		if err := old.Close(); err != nil {
			r.engine.config.Logger.Warn("a connection did not close cleanly", "err", err)
		}
	})
}

// end lets go of the revision in use and waits until nothing works with any.
func (r *revisions) end() {
	r.mu.Lock()
	if !r.ended {
		r.ended = true
		r.retire(r.current.Load(), func() {}) // the next process needs what it has
	}
	r.mu.Unlock()
	r.retiring.Wait() // nothing is added after ended is set
}

// forget removes from the store what no pipeline has subscribed to since the
// start and is owed nothing; one that is owed events is kept and named. One whose pipeline
// went with a reload stays, so that nothing is lost if it comes back.
func (r *revisions) forget(ctx context.Context, wanted map[string]bool) error {
	list, err := r.engine.config.Store.Subscriptions(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if wanted[s.Name] {
			continue
		}
		if r.engine.broker.Holds(s.Name) {
			r.engine.config.Logger.Warn("no pipeline takes this subscription's events any more; they are kept until one of that name does",
				"subscription", s.Name, "from", s.Floor+1)
			continue
		}
		owed, err := r.engine.config.Store.Unsubscribe(ctx, s.Name)
		if err != nil {
			return fmt.Errorf("forget %s: %w", s.Name, err)
		}
		if !owed.Nothing() {
			r.engine.config.Logger.Warn("no pipeline takes this subscription's events any more; they are kept until one of that name does",
				"subscription", s.Name, "from", owed.From, "to", owed.To, "waiting", owed.Waiting, "set_aside", owed.Aside)
		}
	}
	return nil
}
