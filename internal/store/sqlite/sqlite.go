// Package sqlite keeps a project's state in one SQLite file.
//
// One writer goroutine owns the one writing connection. It turns everything that
// waits into one transaction, commits it with an fsync (WAL, synchronous=FULL),
// and only then calls back, so a lone commit costs one fsync and many share one.
// A batch whose conditions do not hold is undone alone; its neighbours in the
// group are not concerned. Readers have connections of their own and never hold
// up the writer.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver called sqlite

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
)

// Config is what a store may be told. Zero values get defaults.
type Config struct {
	Clock           pipelined.Clock // default: the machine's
	Logger          *slog.Logger    // default: none
	Retain          time.Duration   // of event types that say nothing; default 7 days
	Dedupe          time.Duration   // window of publish.id; default 24 hours
	ExecutionRetain time.Duration   // of executions; default 30 days
}

// Store is a store on one file. Use Open.
type Store struct {
	path   string
	cfg    Config
	temp   string // folder to remove at the end; empty for a real file
	lock   *os.File
	write  *sql.DB
	conn   *sql.Conn
	read   *sql.DB
	writer *writer

	mu          sync.RWMutex
	collections map[string]store.Collection
	types       map[string]store.EventType
	closed      bool
}

var _ store.Store = (*Store)(nil)

// Open opens or creates the store in a file; an empty path is a private one that
// is gone after Close.
func Open(path string, cfg Config) (*Store, error) {
	s := &Store{path: path, cfg: cfg.withDefaults(), collections: map[string]store.Collection{}, types: map[string]store.EventType{}}
	if path == "" {
		dir, err := os.MkdirTemp("", "pipelined-store")
		if err != nil {
			return nil, fmt.Errorf("make a folder for a private store: %w", err)
		}
		s.temp, s.path = dir, filepath.Join(dir, "data.db")
	}
	if err := s.open(); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Retain == 0 {
		c.Retain = 7 * 24 * time.Hour
	}
	if c.Dedupe == 0 {
		c.Dedupe = 24 * time.Hour
	}
	if c.ExecutionRetain == 0 {
		c.ExecutionRetain = 30 * 24 * time.Hour
	}
	return c
}

// Path is the file the store is in.
func (s *Store) Path() string { return s.path }

func (s *Store) open() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return fmt.Errorf("make the folder of the store: %w", err)
	}
	if err := s.takeLock(); err != nil {
		return err
	}
	var err error
	if s.write, err = sql.Open("sqlite", source(s.path, "rwc", "journal_mode(wal)", "synchronous(full)",
		"busy_timeout(10000)", "cache_size(-65536)", "wal_autocheckpoint(4000)", "temp_store(memory)")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	ctx := context.Background()
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return s.damaged(err)
	}
	if err := migrate(ctx, s.conn, s.path); err != nil {
		return s.damaged(err)
	}
	if s.read, err = sql.Open("sqlite", source(s.path, "rw", "query_only(1)", "busy_timeout(10000)", "cache_size(-16384)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(8)
	if s.writer, err = newWriter(ctx, s); err != nil {
		return s.damaged(err)
	}
	go s.writer.run()
	return nil
}

// source is the driver's name of a file with settings for every connection.
func source(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_pragma": pragmas}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// takeLock makes sure that this process is the only one. The lock ends with the
// process, however it ends.
func (s *Store) takeLock() error {
	f, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the lock of the store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", s.path, store.ErrLocked)
	}
	s.lock = f
	return nil
}

// damaged says plainly that a file cannot be read as a store.
func (s *Store) damaged(err error) error {
	if errors.Is(err, store.ErrNewer) {
		return err
	}
	if isCorrupt(err) {
		return fmt.Errorf("%s is not a store, or it is damaged; move it away, or put a backup in its place: %w", s.path, err)
	}
	return fmt.Errorf("open %s: %w", s.path, err)
}

// release lets go of everything that was opened.
func (s *Store) release() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.temp != "" {
		errs = append(errs, os.RemoveAll(s.temp))
	}
	return errors.Join(errs...)
}

// Close commits what was submitted and closes.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.writer.stop()
	return s.release()
}

// micros is how times are kept; zero stays zero.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
