package faulttest

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk decides what becomes of writes and fsyncs. A negative countdown never fires.
type disk struct {
	writes, syncs atomic.Int64 // so many succeed before they fail
	torn          atomic.Bool  // a write that fails writes its first half
	code          atomic.Int32 // what failing gives
	failed        atomic.Int64
}

var faults disk

func (d *disk) heal() {
	d.writes.Store(-1)
	d.syncs.Store(-1)
	d.torn.Store(false)
	d.code.Store(sqlite3.SQLITE_IOERR_WRITE)
}

// fires counts a countdown down; at 0 it stays and fires each time.
func fires(n *atomic.Int64) bool {
	switch left := n.Load(); {
	case left < 0:
		return false
	case left == 0:
		return true
	}
	n.Add(-1)
	return false
}

type (
	writeMethod = func(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32
	syncMethod  = func(tls *libc.TLS, file uintptr, flags int32) int32
)

// kept are the functions that the translated C knows: its memory does not count
// for the garbage collector.
var kept []any

// pointer is a function as the translated C knows it, and method the way back.
func pointer(f any) uintptr {
	kept = append(kept, f)
	return (*[2]uintptr)(unsafe.Pointer(&f))[1]
}

// at is what an address of the translated C points to.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

func method[F any](fp uintptr) (out F) { return *(*F)(unsafe.Pointer(&struct{ uintptr }{fp})) }

// install puts the faults into the tables of SQLite's file methods: that of
// databases and that of logs.
func install(t *testing.T) {
	t.Helper()
	faults.heal()
	if kept != nil {
		return
	}
	tls := libc.NewTLS()
	defer tls.Close()
	name, err := libc.CString(filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := libc.Xmalloc(tls, 8)
	file := libc.Xmalloc(tls, 8)
	defer libc.Xfree(tls, db)
	defer libc.Xfree(tls, file)
	if rc := sqlite3.Xsqlite3_open_v2(tls, name, db, sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_CREATE, 0); rc != sqlite3.SQLITE_OK {
		t.Fatalf("open: %d", rc)
	}
	handle := *at[uintptr](db)
	defer sqlite3.Xsqlite3_close(tls, handle)
	script, _ := libc.CString("pragma journal_mode=wal; create table t(a); insert into t values(1)")
	if rc := sqlite3.Xsqlite3_exec(tls, handle, script, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		t.Fatalf("exec: %d", rc)
	}
	seen := map[uintptr]bool{}
	for _, op := range []int32{sqlite3.SQLITE_FCNTL_FILE_POINTER, sqlite3.SQLITE_FCNTL_JOURNAL_POINTER} {
		if rc := sqlite3.Xsqlite3_file_control(tls, handle, 0, op, file); rc != sqlite3.SQLITE_OK {
			t.Fatalf("file control: %d", rc)
		}
		table := *at[uintptr](*at[uintptr](file))
		if seen[table] {
			continue
		}
		seen[table] = true
		m := at[sqlite3.Tsqlite3_io_methods](table)
		write, sync := method[writeMethod](m.FxWrite), method[syncMethod](m.FxSync)
		m.FxWrite = pointer(writeMethod(func(tls *libc.TLS, file, buf uintptr, n int32, offset int64) int32 {
			if !fires(&faults.writes) {
				return write(tls, file, buf, n, offset)
			}
			faults.failed.Add(1)
			if faults.torn.Load() && n > 1 {
				write(tls, file, buf, n/2, offset)
			}
			return faults.code.Load()
		}))
		m.FxSync = pointer(syncMethod(func(tls *libc.TLS, file uintptr, flags int32) int32 {
			if !fires(&faults.syncs) {
				return sync(tls, file, flags)
			}
			faults.failed.Add(1)
			return sqlite3.SQLITE_IOERR_FSYNC
		}))
	}
}
