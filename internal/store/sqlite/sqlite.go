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
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver called sqlite

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
)

// Config is what a store may be told. Zero values get defaults.
type Config struct {
	Clock       pipelined.Clock // default: the machine's
	Logger      *slog.Logger    // default: none
	CommitBound time.Duration   // how long Commit waits to learn what became of a batch; default 30 seconds
}

// Store is a store on one file. Use Open.
type Store struct {
	path   string
	cfg    Config
	temp   string // folder to remove at the end; empty for a real file
	lock   *os.File
	write  *sql.DB
	conn   *sql.Conn
	read   *sql.DB // for look-ups, which end at once
	search *sql.DB // for searches, which last as long as their reader likes
	writer *writer

	lookups lookups
	filters *filters
	health  health

	declared declared
	head     atomic.Int64 // number of the newest event that is durable

	mu     sync.RWMutex
	closed bool
}

var _ store.Store = (*Store)(nil)

// Open opens or creates the store in a file; an empty path is a private one that
// is gone after Close.
func Open(path string, cfg Config) (*Store, error) {
	s := &Store{path: path, cfg: cfg.withDefaults(), health: health{closed: make(chan struct{})}}
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
	if c.CommitBound == 0 {
		c.CommitBound = 30 * time.Second
	}
	return c
}

// Path is the file the store is in.
func (s *Store) Path() string { return s.path }

// open brings up, in this order, the lock, the writing connection with the newest
// schema, the readers and the writer.
func (s *Store) open() error {
	if err := makeFolder(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("make the folder of the store: %w", err)
	}
	if err := s.takeLock(); err != nil {
		return err
	}
	check, err := s.prepareFile()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := s.openWriting(ctx, check); err != nil {
		return s.damaged(err)
	}
	if err := s.openReading(ctx); err != nil {
		return s.damaged(err)
	}
	if s.writer, err = newWriter(ctx, s); err != nil {
		return s.damaged(err)
	}
	go s.writer.run()
	return nil
}

func (s *Store) openWriting(ctx context.Context, check bool) (err error) {
	if s.write, err = sql.Open("sqlite", source(s.path, "rw", "journal_mode(wal)", "synchronous(full)",
		"busy_timeout(10000)", "cache_size(-8192)", "wal_autocheckpoint(4000)", "temp_store(memory)")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return err
	}
	if check {
		if err := quickCheck(ctx, s.conn); err != nil {
			return err
		}
	}
	return migrate(ctx, s.conn, s.path)
}

// openReading opens two pools. Searches have one without a limit: whoever walks
// through a search may read, and search, for every document, and must never wait
// for a connection that another walker holds.
func (s *Store) openReading(ctx context.Context) (err error) {
	const readers = 8
	if s.read, err = sql.Open("sqlite", source(s.path, "rw", "query_only(1)", "busy_timeout(10000)", "cache_size(-4096)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	if s.filters, err = newFilters(); err != nil {
		return err
	}
	s.search = sql.OpenDB(connector{s.filters.driver, source(s.path, "rw", "query_only(1)", "busy_timeout(10000)", "cache_size(-4096)")})
	s.search.SetMaxIdleConns(readers)
	return s.lookups.prepare(ctx, s.read)
}

// source is the driver's name of a file with settings for every connection.
func source(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_pragma": pragmas}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// makeFolder makes a folder and sees to it that its name is on the disk, so that a
// store just made is still there after a power cut.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if above, err := os.Open(filepath.Dir(dir)); err == nil {
		_ = above.Sync() // not every system can; it is a second belt
		above.Close()
	}
	return nil
}

// takeLock makes sure that this process is the only one.
func (s *Store) takeLock() error {
	f, held, err := exclusive(s.path + ".lock")
	if held {
		return fmt.Errorf("%s: %w", s.path, store.ErrLocked)
	}
	if err != nil {
		return fmt.Errorf("lock the store: %w", err)
	}
	s.lock = f
	return nil
}

// checkLimit is up to which size a store is checked at every start. Larger ones would
// make everyone wait; their damage is found when it is met.
const checkLimit = 16 << 20

// prepareFile creates the file where there is none, readable by its owner only
// since payloads are in it, and reports whether one that is there is small enough
// to be checked.
func (s *Store) prepareFile() (check bool, err error) {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, fmt.Errorf("open the store: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("open the store: %w", err)
	}
	return info.Size() > 0 && info.Size() <= checkLimit, nil
}

// quickCheck reads the whole file and tells what is wrong with it.
func quickCheck(ctx context.Context, c *sql.Conn) error {
	var found string
	if err := c.QueryRowContext(ctx, "pragma quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, found)
	}
	return nil
}

var errDamaged = errors.New("the file is damaged")

// damaged says plainly that a file cannot be read as a store.
func (s *Store) damaged(err error) error {
	if errors.Is(err, store.ErrNewer) {
		return err
	}
	if isCorrupt(err) || errors.Is(err, errDamaged) {
		return fmt.Errorf("%s is not a store, or it is damaged; move it away, or put a backup in its place: %w", s.path, err)
	}
	return fmt.Errorf("open %s: %w", s.path, err)
}

// release lets go of everything that was opened.
func (s *Store) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.search, s.read} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.conn != nil {
		// The log goes into the file, so that one file is all there is of a stopped
		// store. Where that fails, what is in the log is read at the next start.
		_, _ = s.conn.ExecContext(context.Background(), "pragma wal_checkpoint(truncate)")
		errs = append(errs, s.conn.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.lock != nil {
		errs = append(errs, release(s.lock))
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
	close(s.health.closed)
	s.writer.stop()
	for _, sub := range s.writer.subs {
		sub.lease.end()
	}
	return s.release()
}

// failed tells what a read was doing when it failed.
func (s *Store) failed(err error, format string, args ...any) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		err = store.ErrClosed
	case isCorrupt(err):
		s.sick(err)
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
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
