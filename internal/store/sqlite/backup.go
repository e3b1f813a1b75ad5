package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"pipelined/internal/store"
)

// Backup copies the store in the file at path, as it is at one moment, into a new
// file. The store may be open, here or in another process, and goes on meanwhile:
// the copy reads one snapshot. The copy is checked before it gets its name.
func Backup(ctx context.Context, path, to string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("%s is there already: %w", to, os.ErrExist)
	}
	part := to + ".part"
	_ = os.Remove(part) // of a backup that was broken off
	defer func() {
		if err != nil {
			os.Remove(part)
		}
	}()
	db, err := sql.Open("sqlite", source(path, "rw", "busy_timeout(10000)"))
	if err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "vacuum into ?", part); err != nil {
		return fmt.Errorf("copy %s to %s: %w", path, to, err)
	}
	if err := os.Chmod(part, 0o600); err != nil {
		return err
	}
	if err := Check(ctx, part); err != nil {
		return err
	}
	return settle(part, to)
}

// Check reads a whole file and tells whether it is a store this program can open,
// undamaged.
func Check(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", source(path, "ro", "busy_timeout(10000)"))
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	defer db.Close()
	s := &Store{path: path}
	var tables, version int
	var found string
	if err := errors.Join(db.QueryRowContext(ctx, "pragma user_version").Scan(&version),
		db.QueryRowContext(ctx, "select count(*) from sqlite_master where type = 'table' and name in ('events', 'subscriptions', 'meta')").Scan(&tables),
		db.QueryRowContext(ctx, "pragma integrity_check(1)").Scan(&found)); err != nil {
		return s.damaged(err)
	}
	switch {
	case tables != 3 || version == 0:
		return fmt.Errorf("%s is not a store of pipelined", path)
	case version > len(migrations):
		return fmt.Errorf("%s: %w", path, store.ErrNewer)
	case found != "ok":
		return s.damaged(fmt.Errorf("%w: %s", errDamaged, found))
	}
	return nil
}

// Restore puts a backup in the place of the store at path, which no process may
// have open. What was there is kept beside it; before is where.
func Restore(ctx context.Context, from, path string) (before string, err error) {
	if err := Check(ctx, from); err != nil {
		return "", err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("make the folder of the store: %w", err)
	}
	s := &Store{path: path}
	if err := s.takeLock(); err != nil {
		return "", err
	}
	defer release(s.lock)
	part := path + ".part"
	if err := copyFile(from, part); err != nil {
		return "", fmt.Errorf("copy %s: %w", from, err)
	}
	if _, err := os.Stat(path); err == nil {
		before = path + ".before-" + time.Now().UTC().Format("20060102T150405.000")
		emptyLog(ctx, path)
		for _, suffix := range []string{"", "-wal"} {
			if err := os.Rename(path+suffix, before+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", fmt.Errorf("put the store aside: %w", err)
			}
		}
	}
	_ = os.Remove(path + "-shm") // of the store put aside; made anew
	return before, settle(part, path)
}

// emptyLog moves what is in the log into the file, so that the file alone is all.
// One that is damaged may not let it: then the log goes aside with it.
func emptyLog(ctx context.Context, path string) {
	db, err := sql.Open("sqlite", source(path, "rw"))
	if err != nil {
		return
	}
	defer db.Close()
	_, _ = db.ExecContext(ctx, "pragma wal_checkpoint(truncate)")
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// settle gives a finished file its name, on the disk.
func settle(part, name string) error {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(part, name); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync() // not every system can
		dir.Close()
	}
	return nil
}
