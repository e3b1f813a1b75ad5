package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"pipelined"
	"pipelined/engine/program"
)

// A revision that could not be put in use is tried again after reloadFirst, then after
// twice as long each time, up to reloadMost.
const (
	reloadFirst = time.Second
	reloadMost  = time.Minute
)

// reloader puts what the folder says in use, when files change and when it is told to.
//
//	         files or a signal
//	in use ────────────────────► loaded ──► in use        "reloaded"
//	  ▲                            │ has errors: shown; what is in use goes on
//	  │                            ▼ cannot be put in use
//	  └─────────────────────── waiting ─┐ again after a wait, until it works
//	                               ▲────┘ or the folder says something else
//
// It belongs to one goroutine, Run's.
type reloader struct {
	load     func() (*Loaded, error)
	swap     func(context.Context, *program.Program) error
	inUse    func() (revision string)
	show     func(*Loaded)
	settings func(*Loaded) settings
	started  settings // what the process started with
	clock    pipelined.Clock
	logger   *slog.Logger

	waiting *Loaded // could not be put in use; nil if nothing waits
	tries   int     // to put it in use, so far
	reason  string  // of the last, as told
}

// Run reloads until ctx ends: for each change of files, each signal, and again for what
// could not be put in use.
func (r *reloader) Run(ctx context.Context, changes <-chan struct{}, signals <-chan os.Signal) {
	for {
		wait, stop := r.wait()
		select {
		case <-ctx.Done():
		case <-changes:
			r.reload(ctx, false)
		case <-signals:
			r.reload(ctx, true)
		case <-wait:
			r.use(ctx, r.waiting)
		}
		stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// wait is until what waits is tried again.
func (r *reloader) wait() (c <-chan time.Time, stop func()) {
	if r.waiting == nil {
		return nil, func() {}
	}
	b := pipelined.Backoff{Exponential: true, Initial: reloadFirst, Max: reloadMost}
	t := r.clock.NewTimer(b.Wait(r.tries, 0))
	return t.C(), func() { t.Stop() }
}

// reload puts in use what the folder says. asked says that a person wants to know what
// came of it, also if that is nothing.
func (r *reloader) reload(ctx context.Context, asked bool) {
	l, err := r.load()
	if err != nil {
		r.logger.Error("the project could not be read; what was in use goes on", "revision", r.inUse(), "err", err)
		return
	}
	waited := r.waiting != nil
	if l.Program != nil && l.Program.Revision == r.inUse() {
		if r.waiting = nil; waited || asked {
			r.logger.Info("nothing to reload: the files are those of what is in use", "revision", r.inUse())
			r.tellRestart(l)
		}
		return
	}
	r.show(l)
	if r.waiting = nil; l.Program == nil {
		r.logger.Error("the project has errors; what was in use goes on", "revision", r.inUse())
		return
	}
	r.tries, r.reason = 0, ""
	r.use(ctx, l)
}

// use puts a revision in use, or has it wait for another try.
func (r *reloader) use(ctx context.Context, l *Loaded) {
	err := r.swap(ctx, l.Program)
	if errors.Is(err, pipelined.ErrStopping) || err != nil && ctx.Err() != nil {
		return
	}
	r.tries++
	if err != nil {
		r.waiting = l
		if reason := err.Error(); reason != r.reason {
			r.reason = reason
			r.logger.Error("the project could not be reloaded; what was in use goes on, and it is tried again until it works",
				"revision", r.inUse(), "next", l.Program.Revision, "err", err)
		}
		return
	}
	attrs := []any{"revision", l.Program.Revision, "pipelines", len(l.Program.Pipelines)}
	if r.tries > 1 {
		attrs = append(attrs, "tries", r.tries)
	}
	r.waiting = nil
	if !r.tellRestart(l) {
		r.logger.Info("reloaded", attrs...)
		return
	}
	r.logger.Info("everything else is reloaded", attrs...)
}

// tellRestart tells which settings are not what the process started with; they wait for
// a restart.
func (r *reloader) tellRestart(l *Loaded) bool {
	changed := r.started.changed(r.settings(l))
	if len(changed) == 0 {
		return false
	}
	r.logger.Warn("settings have changed that need a restart; the process goes on with those it started with", "settings", changed)
	return true
}
