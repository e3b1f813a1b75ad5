package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/store"
)

const later = ", retry: { attempts: 9, initial: 1m, max: 1m, jitter: none }"

func down() *pipelined.Problem {
	return pipelined.NewProblem("test/down", "Not now", 503, "").Transient()
}

// TestANameThatIsTaken: no file is put in the place of another; it is said once, tried
// again at every look, and holds up no other.
func TestANameThatIsTaken(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprint("fails: ", fails), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "path: in/*"+moves)
			folder := "done"
			if fails {
				folder, b.down = "failed", down()
			}
			mkdir(t, b.dir, folder)
			b.put(folder+"/a", "another")
			b.put("in/a", "x")
			b.put("in/b", "x")
			b.looks(6)
			b.expect("while it is taken", "in/a in/b", folder+"/a "+folder+"/b in/a")
			b.said(1, "cannot be put away", "there is a file called "+folder+"/a already", "path=in/a")
			if err := os.Rename(filepath.Join(b.dir, folder, "a"), filepath.Join(b.dir, folder, "old")); err != nil {
				t.Fatal(err)
			}
			b.looks(1)
			b.expect("when it is free", "in/a in/b", folder+"/a "+folder+"/b "+folder+"/old")
		})
	}
}

// TestAFolderThatIsNotThere: the source says so and begins again, until it is.
func TestAFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"nothing", "a file", "a link outside"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "path: box/*")
			at := filepath.Join(b.dir, "box")
			switch kind {
			case "a file":
				b.put("box", "x")
			case "a link outside":
				b.link(t.TempDir(), at)
			}
			b.looks(2)
			if st := b.engine.View().Sources[0]; st.Reading && st.Restarts == 0 || !strings.Contains(st.Error, "box") {
				t.Errorf("%+v", st)
			}
			if len(b.log.Lines("level=ERROR", "a source ended", "box")) == 0 {
				t.Error(b.log)
			}
			if err := os.RemoveAll(at); err != nil {
				t.Fatal(err)
			}
			mkdir(t, b.dir, "box")
			b.put("box/a", "x")
			b.clock.Advance(time.Minute)
			b.looks(4)
			if got := b.came(); got != "box/a" {
				t.Errorf("there came %q\n%s", got, b.log)
			}
		})
	}
}

// TestAFileThatGoesOrChanges while its event is not over: it is not put away, and taken
// again if it is another.
func TestAFileThatGoesOrChanges(t *testing.T) {
	t.Parallel()
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprint("restarts: ", restarts), func(t *testing.T) {
			t.Parallel()
			trigger := "path: in/*, after: delete" + later
			b := newBench(t, trigger)
			b.down = down()
			b.put("in/changes", "1")
			b.put("in/goes", "1")
			b.put("in/stays", "1")
			b.looks(3)
			if err := os.Remove(filepath.Join(b.dir, "in/goes")); err != nil {
				t.Fatal(err)
			}
			b.put("in/changes", "12")
			b.looks(3)
			b.expect("while they wait", "in/changes in/goes in/stays", "in/changes in/stays")
			if restarts {
				b.restart(trigger)
			}
			b.down = nil
			b.clock.Advance(time.Minute)
			b.looks(6)
			b.expect("at the end", "in/changes in/goes in/stays in/changes", "")
			b.said(1, "changed after it was read", "path=in/changes")
			b.noCursors()
		})
	}
}

func (b *bench) noCursors() {
	b.Helper()
	list, err := b.store.Claims(b.Context(), store.CursorClaim, "")
	if err != nil || len(list) > 0 {
		b.Errorf("cursors are left: %v, %v", list, err)
	}
}

// TestTheSameFileIsTakenOnce, and a changed one again: known by path, size and time.
func TestTheSameFileIsTakenOnce(t *testing.T) {
	t.Parallel()
	trigger := "path: in/*"
	b := newBench(t, trigger)
	b.put("in/a", "1")
	b.looks(5)
	b.restart(trigger)
	b.looks(5)
	b.expect("at first", "in/a", "in/a")
	if err := os.Chtimes(filepath.Join(b.dir, "in/a"), b.clock.Now(), b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	b.looks(5)
	b.expect("when it is younger", "in/a in/a", "in/a")
	if err := os.Rename(filepath.Join(b.dir, "in/a"), filepath.Join(b.dir, "in/b")); err != nil {
		t.Fatal(err)
	}
	b.looks(5)
	b.expect("under another name", "in/a in/a in/b", "in/b")
	b.restart("path: in/*.txt") // what is remembered stays so
	b.looks(3)
	b.restart(trigger)
	b.looks(3)
	b.expect("after another path", "in/a in/a in/b", "in/b")
	if err := os.Remove(filepath.Join(b.dir, "in/b")); err != nil {
		t.Fatal(err)
	}
	b.looks(2)
	b.noCursors()
}

// TestAFailedFileThatIsPutBackIsTakenAgain, though it is the same by path, size and time.
func TestAFailedFileThatIsPutBackIsTakenAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, "path: in/*"+moves)
	b.down = down()
	b.put("in/a", "1")
	b.looks(4)
	b.expect("at first", "in/a", "failed/a")
	b.down = nil
	if err := os.Rename(filepath.Join(b.dir, "failed/a"), filepath.Join(b.dir, "in/a")); err != nil {
		t.Fatal(err)
	}
	b.looks(4)
	b.expect("put back", "in/a in/a", "done/a")
}

// TestARowThatFailed sends the file where failed says, when all its rows have ended.
func TestARowThatFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t, "path: in/*, format: csv, each: rows, concurrency: 1"+moves+later)
	b.put("in/a", "n\n1\n2\n3\n")
	b.down = pipelined.NewProblem("test/wrong", "Wrong", 422, "") // the first look delivers, and all three fail
	b.looks(3)
	b.expect("when all failed", `{"n":"1"} {"n":"2"} {"n":"3"}`, "failed/a")
	b.down = down()
	b.put("in/b", "n\n1\n")
	b.looks(3)
	b.expect("while one waits", `{"n":"1"} {"n":"2"} {"n":"3"} {"n":"1"}`, "failed/a in/b")
	b.down = nil
	b.clock.Advance(time.Minute)
	b.looks(2)
	b.expect("when it went well", `{"n":"1"} {"n":"2"} {"n":"3"} {"n":"1"}`, "done/b failed/a")
}

// many is a file of more rows than are committed at a time.
func many(rows int) string {
	var s strings.Builder
	s.WriteString("n\n")
	for n := range rows {
		fmt.Fprintf(&s, "%d\n", n)
	}
	return s.String()
}

// TestAFileThatIsNotReadToItsEnd: rows that were delivered stay so, and what happened to
// the rest is a failure that says how far it came.
func TestAFileThatIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	trigger := "path: in/*, format: csv, each: rows, prefetch: 100, concurrency: 1" + moves + later
	tests := []struct {
		name   string
		change func(b *bench)
		next   string // trigger after a restart; empty: the same, which goes on
		why    string
		where  string
		rows   int
	}{
		{"it goes on", func(*bench) {}, "", "", "done/a", 1200},
		{"it is gone", func(b *bench) { b.remove("in/a") }, "", "409", "", 500},
		{"it changed", func(b *bench) { b.put("in/a", "n\n1\n") }, "", "409", "done/a", 501},
		{"rows are read in another way", func(*bench) {}, strings.Replace(trigger, "format: csv", "format: text", 1), "409", "failed/a", 500},
		{"no rows are read any more", func(*bench) {}, strings.Replace(trigger, "format: csv, each: rows, ", "", 1), "409", "failed/a", 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, trigger)
			b.down = down()
			b.put("in/a", many(1200))
			b.looks(3)
			if got := len(strings.Fields(b.came())); got != 500 {
				t.Fatalf("%d rows came before they waited\n%s", got, b.log)
			}
			tt.change(b)
			next := tt.next
			if next == "" {
				next = trigger
			}
			b.restart(next)
			b.down = nil
			b.clock.Advance(time.Minute)
			b.looks(9)
			came := strings.Fields(b.came())
			rows := 0
			for _, c := range came {
				if strings.HasPrefix(c, "{") {
					rows++
				}
			}
			if rows != tt.rows || len(came)-rows != min(len(tt.why), 1) || b.where() != tt.where {
				t.Errorf("%d rows of %d came; there are %q\n%s", rows, len(came), b.where(), b.log)
			}
			if tt.why != "" {
				b.said(1, "problem=file/changed", "status="+tt.why)
			}
		})
	}
}

func (b *bench) remove(name string) {
	b.Helper()
	if err := os.Remove(filepath.Join(b.dir, name)); err != nil {
		b.Fatal(err)
	}
}

// TestAMoveThatWasCutOff: the process ended when the file had both names.
func TestAMoveThatWasCutOff(t *testing.T) {
	t.Parallel()
	trigger := "path: in/*" + moves
	b := newBench(t, trigger)
	b.put("in/a", "1")
	b.looks(2)
	mkdir(t, b.dir, "done")
	if err := os.Link(filepath.Join(b.dir, "in/a"), filepath.Join(b.dir, "done/a")); err != nil {
		t.Fatal(err)
	}
	b.restart(trigger)
	b.looks(2)
	b.expect("at the end", "in/a", "done/a")
	b.said(0, "level=ERROR")
	b.noCursors()
}
