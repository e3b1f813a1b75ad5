package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"pipelined/engine"
	"pipelined/engine/program"
	"pipelined/internal/admin"
	"pipelined/internal/clock"
	"pipelined/internal/store/sqlite"
)

// Options is how to run a project. Zero values mean what the project file says.
type Options struct {
	Sets     program.Sets
	Listen   string           // instead of server.listen
	Admin    string           // instead of admin.listen
	Watch    bool             // reload when files change
	Reload   <-chan os.Signal // reload at each of them; nil: at none
	Profiles bool             // serve Go's profiles on the admin listener, and gather those of locks
	Drain    time.Duration    // 0: 30s
	Version  string
	Logger   *slog.Logger
	Out      io.Writer // the start-up summary and findings
	Color    bool
}

// Run runs the project in dir until ctx ends; then it drains. A second end of
// patience is the caller's: see cmd/pipelined.
func Run(ctx context.Context, dir string, o Options) error {
	easeCollector()
	l, err := Load(dir, o.Sets)
	if err != nil {
		return err
	}
	l.Show(o.Out, o.Color)
	if l.Program == nil {
		return ErrFindings
	}
	if o.Profiles {
		runtime.SetMutexProfileFraction(profileRate)
		runtime.SetBlockProfileRate(int(profileRate * time.Microsecond))
	}
	d := &daemon{options: o, dir: dir}
	if err := d.open(ctx, l); err != nil {
		return err
	}
	defer d.close()
	if err := d.listen(l); err != nil {
		return err
	}
	summary(o.Out, l, d.public.Addr().String(), d.admin.Addr().String())
	return d.serve(ctx)
}

// profileRate gathers one of so many waits for a lock, and one wait in so many µs.
const profileRate = 100

// daemon is one running project.
type daemon struct {
	options Options
	dir     string
	store   *sqlite.Store
	engine  *engine.Engine
	public  net.Listener
	admin   net.Listener
	started settings
}

// open opens the store and starts the engine on the program.
func (d *daemon) open(ctx context.Context, l *Loaded) error {
	var err error
	if d.store, err = OpenStore(l, d.options.Logger); err != nil {
		return err
	}
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return err
	}
	d.engine, err = engine.New(ctx, l.Program, engine.Config{
		Store: d.store, Clock: clock.Real(), Logger: d.options.Logger, Dir: dir, Drain: d.options.Drain})
	if err != nil {
		return errors.Join(err, d.store.Close())
	}
	return nil
}

// OpenStore opens the store of a project.
func OpenStore(l *Loaded, logger *slog.Logger) (*sqlite.Store, error) {
	s, err := sqlite.Open(l.StorePath(), sqlite.Config{Clock: clock.Real(), Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", l.StorePath(), err)
	}
	return s, nil
}

func (d *daemon) close() {
	d.engine.Close()
	if err := d.store.Close(); err != nil {
		d.options.Logger.Error("the store did not close cleanly", "err", err)
	}
	removeRuntimeFile(d.store.Path())
}

// listen opens both listeners before anything runs, so that a port that is taken
// is known at once.
func (d *daemon) listen(l *Loaded) error {
	d.started = d.options.settings(l)
	public, admin := d.started.server, d.started.admin
	if d.started.token.IsZero() && !loopback(admin) {
		return &UsageError{"admin.listen " + admin + " is reachable from outside, and admin.token is not set",
			"set `admin: { token: ${{ env.ADMIN_TOKEN }} }` in pipelined.yaml, or listen on 127.0.0.1"}
	}
	var err error
	if d.public, err = net.Listen("tcp", public); err != nil {
		return fmt.Errorf("server.listen %s: %w (another program has this port; choose one with --listen)", public, err)
	}
	if d.admin, err = net.Listen("tcp", admin); err != nil {
		d.public.Close()
		return fmt.Errorf("admin.listen %s: %w (another program has this port; choose one with --admin)", admin, err)
	}
	return writeRuntimeFile(d.store.Path(), d.admin.Addr().String())
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// serve answers until ctx ends, then drains in the reverse order of starting:
// no new requests, no new work, what runs ends, the admin listener last.
func (d *daemon) serve(ctx context.Context) error {
	intake, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	logger := slog.NewLogLogger(d.options.Logger.Handler(), slog.LevelDebug)
	public := &http.Server{Handler: d.engine, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second,
		IdleTimeout: 120 * time.Second, MaxHeaderBytes: 64 << 10, ErrorLog: logger}
	registry := admin.NewRegistry(d.engine, d.options.Version)
	admin := &http.Server{Handler: admin.Handler(d.service, admin.Config{
		Token: d.started.token, Ready: d.ready, Metrics: registry, Profiles: d.options.Profiles}),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, ErrorLog: logger}
	var beside, serving sync.WaitGroup
	beside.Go(debug.FreeOSMemory) // what starting left over
	serving.Go(func() { serveOn(public, d.public, stop) })
	serving.Go(func() { serveOn(admin, d.admin, stop) })
	d.reloads(intake, &beside)
	err := d.engine.Run(intake)
	beside.Wait()
	sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = errors.Join(err, public.Shutdown(sctx), admin.Shutdown(sctx))
	serving.Wait()
	if cause := context.Cause(intake); ctx.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}

// reloads reloads the project, until ctx ends, when it is told to and, if it is watched,
// when files change.
func (d *daemon) reloads(ctx context.Context, parts *sync.WaitGroup) {
	changes := make(chan struct{})
	if d.options.Watch {
		parts.Go(func() { watch(ctx, d.dir, d.options.Logger, changes) })
	}
	r := &reloader{
		load:     func() (*Loaded, error) { return Load(d.dir, d.options.Sets) },
		swap:     d.engine.Swap,
		inUse:    func() string { return d.engine.Program().Revision },
		show:     func(l *Loaded) { l.Show(d.options.Out, d.options.Color) },
		settings: d.options.settings, started: d.started,
		clock: d.engine.Clock(), logger: d.options.Logger,
	}
	parts.Go(func() { r.Run(ctx, changes, d.options.Reload) })
}

// serveOn serves; a listener that fails ends the process in good order.
func serveOn(s *http.Server, l net.Listener, stop context.CancelCauseFunc) {
	if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		stop(fmt.Errorf("listener %s: %w", l.Addr(), err))
	}
}

// ready reports why the project is not ready. A reload that failed does not make
// it so: the revision before goes on working.
func (d *daemon) ready() error { return d.engine.Ready() }

func (d *daemon) service() *admin.Service {
	return &admin.Service{
		Store: d.store, Clock: d.engine.Clock(), NewID: engine.NewID, Program: d.engine.Program(),
		Publish: d.engine.Publish, Commit: d.engine.Commit, View: d.engine.View,
	}
}
