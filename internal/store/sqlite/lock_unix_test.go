//go:build unix

package sqlite

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A child process that is just being started has a copy of every file of its
// parent until it becomes the other program. A copy must not hold the store.
func TestReleaseWhileACopyIsOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db.lock")
	f, _, err := exclusive(path)
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(child)
	if _, held, _ := exclusive(path); !held {
		t.Fatal("the file could be had twice")
	}
	if err := release(f); err != nil {
		t.Fatal(err)
	}
	again, held, err := exclusive(path)
	if err != nil || held {
		t.Fatalf("after release: held %v, %v", held, err)
	}
	if err := release(again); err != nil {
		t.Error(err)
	}
}
