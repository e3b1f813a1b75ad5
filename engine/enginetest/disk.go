package enginetest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
	"pipelined/internal/store/memory"
	"pipelined/internal/store/sqlite"
)

// StoreVariable is the environment variable that has the tests run on another store than
// the one in memory: "sqlite" is the one of production.
const StoreVariable = "PIPELINED_TEST_STORE"

// Disk is one store that is opened again and again, as it was committed.
type Disk struct {
	// Open opens it; the one before is closed, or was abandoned.
	Open func(pipelined.Clock) store.Store
	// Abandon leaves the open one as a process that dies does: in memory, what was
	// submitted and not committed is gone; a file is closed.
	Abandon func()
}

// NewDisk returns an empty store: in memory, unless StoreVariable says otherwise.
func NewDisk(t testing.TB) *Disk {
	t.Helper()
	switch where := os.Getenv(StoreVariable); where {
	case "", "memory":
		disk := &memory.Disk{}
		return &Disk{Abandon: disk.Abandon, Open: func(c pipelined.Clock) store.Store { return disk.Open(c) }}
	case "sqlite":
		return NewFile(t)
	default:
		t.Fatalf("%s=%s: there are memory and sqlite", StoreVariable, where)
		return nil
	}
}

// NewFile returns an empty store in a file, whatever StoreVariable says.
func NewFile(t testing.TB) *Disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, empty(), 0o600); err != nil {
		t.Fatal(err)
	}
	var last *sqlite.Store
	return &Disk{
		Open: func(c pipelined.Clock) store.Store {
			s, err := sqlite.Open(path, sqlite.Config{Clock: c})
			if err != nil {
				t.Fatal(err)
			}
			last = s
			return s
		},
		Abandon: func() {
			if err := last.Close(); err != nil {
				t.Error(err)
			}
		},
	}
}

// empty is the file of a store that was opened and closed. To copy it takes less time than
// to make it, of which some hundred rooms take a lot.
var empty = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "enginetest")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "data.db")
	s, err := sqlite.Open(path, sqlite.Config{Clock: clock.NewFake(Epoch)})
	if err != nil {
		panic(err)
	}
	if err := s.Close(); err != nil {
		panic(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return text
})
