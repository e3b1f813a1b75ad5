package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
)

// pair is an event and its document, in one commit.
func pair(n int) *store.Batch {
	return &store.Batch{Events: []*pipelined.Event{{ID: fmt.Sprint(n), Type: "t", Time: time.Now(), Data: `{}`}},
		Documents: []store.Write{{Kind: store.Put, Collection: "c", ID: fmt.Sprint(n), Document: `{}`}}}
}

// counts are the events and the documents of a store.
func counts(t *testing.T, s *sqlite.Store) (events, documents int64) {
	t.Helper()
	events, err1 := s.LastSeq(t.Context())
	documents, err2 := s.Count(t.Context(), "c", store.Exact)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return events, documents
}

// TestBackupWhileRunning copies a store that is written to, and restores it.
func TestBackupWhileRunning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "data.db")
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if _, err := s.Commit(t.Context(), pair(n)); err != nil {
				t.Error(err)
			}
		}
		ended <- n
	}()
	var copies []string
	for i := range 5 {
		time.Sleep(20 * time.Millisecond)
		to := filepath.Join(dir, fmt.Sprint("copy", i))
		if err := sqlite.Backup(t.Context(), path, to); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, to)
	}
	stop()
	n := <-ended
	if err := sqlite.Backup(t.Context(), path, copies[0]); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	if _, err := sqlite.Restore(t.Context(), copies[0], path); !errors.Is(err, store.ErrLocked) {
		t.Errorf("under a process that has it open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for _, c := range copies {
		before, err := sqlite.Restore(t.Context(), c, path)
		if err != nil || before == "" {
			t.Fatal(before, err)
		}
		r, err := sqlite.Open(path, sqlite.Config{})
		if err != nil {
			t.Fatal(err)
		}
		events, documents := counts(t, r)
		if events != documents || events < last || events == 0 || events > int64(n) {
			t.Errorf("%s: %d events, %d documents, of %d", c, events, documents, n)
		}
		last = events
		if _, err := r.Commit(t.Context(), pair(1_000_000)); err != nil {
			t.Errorf("a restored store: %v", err)
		}
		r.Close()
		if c == copies[0] { // what was there is kept, whole
			old, err := sqlite.Open(before, sqlite.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if events, documents := counts(t, old); events != int64(n) || documents != int64(n) {
				t.Errorf("%d events and %d documents put aside, of %d", events, documents, n)
			}
			old.Close()
		}
	}
}

func TestWhatIsNoBackupIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "data.db")
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), pair(1)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	file := func(name string, change func([]byte) []byte) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, change(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return to
	}
	newer := file("newer", func(b []byte) []byte { return b })
	execute(t, newer, "pragma user_version = 99")
	other := filepath.Join(dir, "other")
	execute(t, other, "create table x (a)")
	for name, c := range map[string]struct{ from, says string }{
		"cut off":         {file("cut", func(b []byte) []byte { return b[:len(b)/2] }), "damaged"},
		"text":            {file("text", func([]byte) []byte { return []byte(strings.Repeat("no database ", 1000)) }), "damaged"},
		"newer":           {newer, "newer version"},
		"another program": {other, "not a store of pipelined"},
		"nothing":         {filepath.Join(dir, "none"), "none"},
	} {
		if _, err := sqlite.Restore(t.Context(), c.from, path); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err = sqlite.Open(path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if events, documents := counts(t, s); events != 1 || documents != 1 {
		t.Errorf("the store was changed: %d events, %d documents", events, documents)
	}
}
