package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pipelined"
	"pipelined/engine/program"
	"pipelined/internal/clock"
)

// bench is a reloader between a folder and an engine that say what the test wants.
type bench struct {
	*testing.T
	*reloader
	files    string // the revision the folder has; "broken" has errors
	loadErr  error
	swapErr  error
	running  string // the revision in use
	swaps    int
	shown    int
	settings settings
	log      strings.Builder
	clock    *clock.Fake
	due      <-chan time.Time // of what waits
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, files: "one", running: "one", settings: settings{server: ":1", store: "a"}, clock: clock.NewFake(time.Unix(0, 0))}
	b.reloader = &reloader{
		load: b.read, swap: b.exchange, inUse: func() string { return b.running }, show: func(*Loaded) { b.shown++ },
		settings: func(*Loaded) settings { return b.settings }, started: b.settings,
		clock: b.clock, logger: slog.New(slog.NewTextHandler(&b.log, nil)),
	}
	return b
}

func (b *bench) read() (*Loaded, error) {
	switch {
	case b.loadErr != nil:
		return nil, b.loadErr
	case b.files == "broken":
		return &Loaded{}, nil
	}
	return &Loaded{Program: &program.Program{Revision: b.files}}, nil
}

func (b *bench) exchange(_ context.Context, p *program.Program) error {
	b.swaps++
	if b.swapErr == nil {
		b.running = p.Revision
	}
	return b.swapErr
}

// change, hangup and advance do what Run does.
func (b *bench) change() { b.reload(b.Context(), false); b.due, _ = b.wait() }

func (b *bench) hangup() { b.reload(b.Context(), true); b.due, _ = b.wait() }

func (b *bench) advance(d time.Duration) {
	b.clock.Advance(d)
	select {
	case <-b.due:
		b.use(b.Context(), b.waiting)
		b.due, _ = b.wait()
	default:
	}
}

// says checks what was logged since it was last asked; "" is nothing.
func (b *bench) says(what string) {
	b.Helper()
	if got := b.log.String(); what == "" && got != "" || !strings.Contains(got, what) {
		b.Errorf("it says %q, want %q", got, what)
	}
	b.log.Reset()
}

func (b *bench) uses(revision string, swaps int) {
	b.Helper()
	if b.running != revision || b.swaps != swaps {
		b.Errorf("%s is in use after %d swaps, want %s after %d", b.running, b.swaps, revision, swaps)
	}
}

func TestReloader(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	for name, f := range map[string]func(b *bench){
		"a change is put in use": func(b *bench) {
			b.files = "two"
			b.change()
			b.uses("two", 1)
			b.says("INFO msg=reloaded revision=two")
		},
		"so it is at a signal": func(b *bench) {
			b.files = "two"
			b.hangup()
			b.uses("two", 1)
			b.says("INFO msg=reloaded revision=two")
		},
		"what is in use is not put in use again, and a signal is answered": func(b *bench) {
			b.change()
			b.says("")
			b.hangup()
			b.uses("one", 0)
			b.says("nothing to reload")
		},
		"a folder with errors is shown and changes nothing": func(b *bench) {
			b.files = "broken"
			b.change()
			b.uses("one", 0)
			b.says("ERROR msg=\"the project has errors")
			if b.shown != 1 {
				b.Errorf("findings are shown %d times", b.shown)
			}
		},
		"a folder that cannot be read is told and changes nothing": func(b *bench) {
			b.loadErr = errors.New("no such folder")
			b.change()
			b.uses("one", 0)
			b.says("no such folder")
		},
		"a swap that fails is told once and tried again until it works": func(b *bench) {
			b.files, b.swapErr = "two", down
			b.change()
			b.uses("one", 1)
			b.says("ERROR msg=\"the project could not be reloaded; what was in use goes on, and it is tried again until it works\" revision=one next=two err=\"connection refused\"")
			swaps := 1
			for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
				b.advance(wait*time.Second - 1)
				b.uses("one", swaps)
				b.advance(1)
				swaps++
				b.uses("one", swaps)
			}
			b.says("")
			b.swapErr = nil
			b.advance(time.Minute)
			b.uses("two", 10)
			b.says("INFO msg=reloaded revision=two pipelines=0 tries=10")
			b.advance(time.Hour)
			b.uses("two", 10)
		},
		"another reason is told": func(b *bench) {
			b.files, b.swapErr = "two", down
			b.change()
			b.log.Reset()
			b.swapErr = errors.New("disk full")
			b.advance(time.Second)
			b.says("disk full")
		},
		"a change while one waits is tried at once, and told": func(b *bench) {
			b.files, b.swapErr = "two", down
			b.change()
			b.log.Reset()
			b.files = "three"
			b.change()
			b.uses("one", 2)
			b.says("next=three")
			b.swapErr = nil
			b.advance(time.Second) // the wait is the first again
			b.uses("three", 3)
		},
		"what waits is dropped when the folder has errors": func(b *bench) {
			b.files, b.swapErr = "two", down
			b.change()
			b.files, b.swapErr = "broken", nil
			b.change()
			b.advance(time.Hour)
			b.uses("one", 1)
		},
		"and when it is again what is in use": func(b *bench) {
			b.files, b.swapErr = "two", down
			b.change()
			b.log.Reset()
			b.files, b.swapErr = "one", nil
			b.change()
			b.says("nothing to reload")
			b.advance(time.Hour)
			b.uses("one", 1)
		},
		"one that waits goes on waiting where the folder cannot be read": func(b *bench) {
			b.files, b.swapErr = "two", down
			b.change()
			b.loadErr = errors.New("no such folder")
			b.change()
			b.loadErr, b.swapErr = nil, nil
			b.advance(time.Second)
			b.uses("two", 2)
		},
		"settings that need a restart are named, and the rest is reloaded": func(b *bench) {
			b.files, b.settings = "two", settings{server: ":2", store: "a"}
			b.change()
			b.uses("two", 1)
			got := b.log.String()
			if !strings.Contains(got, "WARN") || !strings.Contains(got, "need a restart") || !strings.Contains(got, "settings=[server.listen]") || strings.Contains(got, "msg=reloaded") {
				b.Errorf("it says %q", got)
			}
			b.log.Reset()
			b.change()
			b.says("")
			b.hangup()
			b.says("need a restart")
			b.files, b.settings = "three", settings{server: ":1", store: "a"}
			b.change()
			b.says("INFO msg=reloaded revision=three")
		},
		"while the process stops, nothing is told": func(b *bench) {
			b.files, b.swapErr = "two", pipelined.ErrStopping
			b.change()
			b.says("")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(newBench(t))
		})
	}
}

func TestSettingsThatNeedARestart(t *testing.T) {
	t.Parallel()
	start := settings{server: ":1", admin: ":2", token: pipelined.NewSecret("a"), store: "x"}
	for _, tt := range []struct {
		change func(*settings)
		want   []string
	}{
		{func(*settings) {}, nil},
		{func(s *settings) { s.server = ":3" }, []string{"server.listen"}},
		{func(s *settings) { s.admin = ":3" }, []string{"admin.listen"}},
		{func(s *settings) { s.token = pipelined.NewSecret("b") }, []string{"admin.token"}},
		{func(s *settings) { s.token = pipelined.Secret{} }, []string{"admin.token"}},
		{func(s *settings) { s.store = "y" }, []string{"store.path"}},
		{func(s *settings) { *s = settings{} }, []string{"server.listen", "admin.listen", "admin.token", "store.path"}},
	} {
		now := start
		tt.change(&now)
		if got := start.changed(now); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v, want %v", got, tt.want)
		}
	}
}

func TestConcerns(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"a/work.yaml": true, "a/work.yml": true, "a/order.json": true, "a/new_folder": true, "a/..data": true,
		"a/.work.yaml.swp": false, "a/.hidden.yaml": false, "a/.git": false, "a/d.db-wal": false, "a/work.yaml~": false, "a/..2026_03_08": false,
	} {
		if got := concerns(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// TestTheReloaderRuns shows that changes, signals and waits reach it, and that it ends.
func TestTheReloaderRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	swapped := make(chan string)
	b.reloader.swap = func(_ context.Context, p *program.Program) error { swapped <- p.Revision; return b.swapErr }
	changes, signals := make(chan struct{}), make(chan os.Signal)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { b.reloader.Run(ctx, changes, signals) })
	b.files, b.swapErr = "two", errors.New("down")
	changes <- struct{}{}
	if got := <-swapped; got != "two" {
		t.Errorf("after a change: %s", got)
	}
	for n, armed := b.clock.Timers(); n == 0; n, armed = b.clock.Timers() {
		<-armed
	}
	b.clock.Advance(time.Second)
	if got := <-swapped; got != "two" {
		t.Errorf("after a wait: %s", got)
	}
	signals <- syscall.SIGHUP
	if got := <-swapped; got != "two" {
		t.Errorf("after a signal: %s", got)
	}
	cancel()
	done.Wait()
	if n, _ := b.clock.Timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

// TestWatchEnds: the watcher is gone when its context is, though nobody takes what it
// has to say; and it sees what changes behind a link.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := dir+"/real", dir+"/link"
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { watch(ctx, link, slog.New(slog.DiscardHandler), changes) })
	<-changes // what is there at the start
	if err := os.WriteFile(real+"/new.yaml", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	<-changes
	if err := os.WriteFile(real+"/more.yaml", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	cancel()
	done.Wait()
}
