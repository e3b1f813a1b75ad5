package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pipelined"
)

const moves = ", after: move, to: done, failed: failed"

func TestAFileThatIsBeingWrittenWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t, "path: in/*"+moves)
	b.put("in/a", "1")
	b.looks(1)
	b.expect("at first", "", "in/a")
	b.put("in/a", "12")
	b.looks(1)
	b.put("in/a", "13") // as large as before, and younger
	b.looks(1)
	b.expect("while it grows", "", "in/a")
	b.looks(1)
	b.expect("when it is still", "in/a", "in/a")
	b.looks(1)
	b.expect("when its event has ended", "in/a", "done/a")
}

// TestWhatIsNotTaken: folders, what begins with a dot, and other names.
func TestWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"in/*":          "in/a.csv in/b.txt",
		"in/*.csv":      "in/a.csv",
		"in/.*":         "in/.c.csv",
		"in/?.[bt][x]?": "in/b.txt",
		"in/[a-b].*":    "in/a.csv in/b.txt",
		"in/a.csv":      "in/a.csv",
		"in/*/*":        "in/sub/d.csv",
		"*/sub/d.csv":   "in/sub/d.csv",
		"i*/*.csv":      "in/a.csv",
		"in/none":       "",
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, `path: "`+pattern+`"`)
			mkdir(t, b.dir, "in/sub")
			for _, name := range []string{"in/a.csv", "in/b.txt", "in/.c.csv", "in/sub/d.csv", "top.csv"} {
				b.put(name, "x")
			}
			b.looks(4)
			if got := b.came(); got != want {
				t.Errorf("there came %q, want %q\n%s", got, want, b.log)
			}
			b.said(0, "level=ERROR")
		})
	}
}

// TestWhatDoesNotFit is a failed execution, is put where failed says, and holds up
// nothing.
func TestWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	text := func(s string) func(*bench, string) {
		return func(b *bench, at string) { b.put("in/bad", s) }
	}
	tests := []struct {
		name, options string
		make          func(b *bench, at string)
		good          string // what comes of the file beside it
		came          string
	}{
		{"a file that is too large", "format: text, max_size: 3B", text("1234"), `"ok"`, "file/too-large"},
		{"a text that is not UTF-8", "format: text", text("\xff"), `"ok"`, "file/content"},
		{"JSON that is none", "format: json", text("{"), `1`, "file/content"},
		{"two JSON values", "format: json", text("1 2"), `1`, "file/content"},
		{"CSV with a bad row", "format: csv", text("a\n1,2\n"), `[{"ok":"1"}]`, "file/content"},
		{"CSV with two columns of a name", "format: csv, each: rows", text("a,a\n1,2\n"), `{"ok":"1"}`, "file/content"},
		{"a link", "format: text", func(b *bench, at string) { b.link("/etc/passwd", at) }, `"ok"`, "file/not-a-file"},
		{"a link to a file beside it", "format: text", func(b *bench, at string) { b.link("good", at) }, `"ok"`, "file/not-a-file"},
		{"a link, which is not read", "every: 5s", func(b *bench, at string) { b.link("/etc/passwd", at) }, `in/good`, "file/not-a-file"},
		{"a pipe", "format: text", func(b *bench, at string) {
			pipe(b.T, at)
		}, `"ok"`, "file/not-a-file"},
		{"a file that may not be read", "format: text", func(b *bench, at string) {
			if os.Getuid() == 0 {
				b.Skip("the administrator may read all")
			}
			b.put("in/bad", "x")
			if err := os.Chmod(at, 0); err != nil {
				b.Fatal(err)
			}
		}, `"ok"`, "file/unreadable"},
		{"a line that is too long", "format: text, each: rows, max_size: 3B", text("1234\nok\n"), `"ok"`, `file/too-large "ok"`},
		{"a line that is not UTF-8", "format: text, each: rows", text("1\n\xff\n2"), `"ok"`, `"1" file/content "2"`},
		{"a line that is no JSON", "format: json, each: rows", text("1\n{\n2\n"), `1`, `1 file/content 2`},
		{"a line with two values", "format: json, each: rows", text("1 2\n3\n"), `1`, `file/content 3`},
		{"an element that is too large", "format: json, each: rows, max_size: 5B", text(`[1,"12345",2]`), `1`, `1 file/too-large 2`},
		{"a list without an end", "format: json, each: rows", text(`[1,2`), `1`, `1 2 file/content`},
		{"a list that does not go on", "format: json, each: rows", text(`[1 2]`), `1`, `1 file/content`},
		{"something behind a list", "format: json, each: rows", text("[1]\n[2]\n"), `1`, `1 file/content`},
		{"a row with too many cells", "format: csv, each: rows", text("a\n1\n1,2\n2\n"), `{"ok":"1"}`, `{"a":"1"} file/content {"a":"2"}`},
		{"a cell of another type", "format: csv, each: rows, csv: { header: false, columns: [n], types: { n: integer } }", text("1\nx\n2\n"), `file/content`, `{"n":1} file/content {"n":2}`},
		{"a cell that is not UTF-8", "format: csv, each: rows", text("a\n\xff\n2\n"), `{"ok":"1"}`, `file/content {"a":"2"}`},
		{"a quote without an end", "format: csv, each: rows", text("a\n1\n\"2\n3\n"), `{"ok":"1"}`, `{"a":"1"} file/content`},
		{"a row without an end", "format: csv, each: rows, max_size: 9B", text("a\n1\n\"" + strings.Repeat("x", 200_000) + "\"\n3\n"), `{"ok":"1"}`, `{"a":"1"} file/too-large`},
		{"a value without an end", "format: json, each: rows, max_size: 9B", text("[1,\"" + strings.Repeat("x", 200_000) + "\",2]"), `1`, `1 file/too-large`},
	}
	good := map[string]string{`"ok"`: "ok", `1`: "1", `[{"ok":"1"}]`: "ok\n1\n", `{"ok":"1"}`: "ok\n1\n", `in/good`: "", `file/content`: "x\n"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "path: in/*, "+tt.options+moves)
			tt.make(b, filepath.Join(b.dir, "in/bad"))
			b.clock.Advance(time.Second) // so that the good one is the younger
			b.put("in/good", good[tt.good])
			b.looks(6)
			where := "done/good failed/bad"
			if tt.good == "file/content" {
				where = "failed/bad failed/good"
			}
			got := strings.Fields(b.came())
			want := strings.Fields(tt.came + " " + tt.good)
			if !sameWords(got, want) || b.where() != where {
				t.Errorf("there came %q, want %q; there are %q\n%s", got, want, b.where(), b.log)
			}
			if int(b.failures()) != strings.Count(strings.Join(got, " "), "file/") {
				t.Errorf("%d dead letters", b.failures())
			}
			if st := b.engine.View().Sources[0]; st.Restarts > 0 || !st.Reading {
				t.Errorf("%+v", st)
			}
		})
	}
}

func (b *bench) link(to, at string) {
	b.Helper()
	if err := os.Symlink(to, at); err != nil {
		b.Skip("no links: ", err)
	}
}

// sameWords: links are as old as the machine says, so files may come in another order.
func sameWords(a, b []string) bool {
	count := map[string]int{}
	for _, w := range a {
		count[w]++
	}
	for _, w := range b {
		count[w]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// TestFailuresKeepWhatFailed: a bad row is in the record, with its place and its bytes.
func TestFailuresKeepWhatFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t, "path: in/*, format: csv, each: rows, csv: { types: { n: integer } }")
	b.put("in/a", "n,s\n1,\"a\nb\"\nx,\xe4\n3,c\n")
	b.looks(3)
	b.expect("at the end", `{"n":1,"s":"a\nb"} file/content {"n":3,"s":"c"}`, "in/a")
	b.said(1, "problem=file/content", "in/a#2", "column n is not a whole number")
	record := ""
	err := b.find("dead_letters", func(body string) { record = body })
	for _, want := range []string{`"row":2`, `"line":4`, `"byte":12`, `"length":4`, `"base64":"eCzkCg=="`, `"path":"in/a"`} {
		if err != nil || !strings.Contains(record, want) {
			t.Errorf("no %s in %s, %v", want, record, err)
		}
	}
}

// TestAfter: what becomes of a file, by how its events ended.
func TestAfter(t *testing.T) {
	t.Parallel()
	once := pipelined.NewProblem("test/down", "Not now", 503, "").Transient()
	tests := []struct {
		name, options  string
		fails          bool
		early, at, end string // after three looks, one hour later, and with all well again
	}{
		{"mark", ", after: mark", false, "in/a", "in/a", "in/a"},
		{"delete", ", after: delete", false, "", "", ""},
		{"move", moves, false, "done/a", "done/a", "done/a"},
		{"mark, failed", ", after: mark", true, "in/a", "in/a", "in/a"},
		{"delete, failed, and nowhere to put it", ", after: delete", true, "in/a", "in/a", "in/a"},
		{"delete, failed", ", after: delete, failed: failed", true, "failed/a", "failed/a", "failed/a"},
		{"mark, failed, and put away", ", after: mark, failed: failed", true, "failed/a", "failed/a", "failed/a"},
		{"move, failed", moves, true, "failed/a", "failed/a", "failed/a"},
		{"move, tried again", moves + ", retry: { attempts: 5, initial: 1h, max: 1h, jitter: none }", true, "in/a", "in/a", "done/a"},
		{"filtered", moves + ", where: input.size > 100", true, "done/a", "done/a", "done/a"},
		{"into a folder below", ", after: move, to: in/done", false, "in/done", "in/done", "in/done"},
	}
	for _, tt := range tests {
		for _, restarts := range []bool{false, true} {
			name := tt.name
			if restarts {
				name += ", over restarts"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				trigger := "path: in/*" + tt.options
				b := newBench(t, trigger)
				if tt.fails {
					b.down = once
				}
				again := func() {
					if restarts {
						b.restart(trigger)
					}
				}
				b.put("in/a", "x")
				b.looks(2)
				again()
				b.looks(2)
				if got := b.where(); got != tt.early {
					t.Errorf("at first there are %q, want %q\n%s", got, tt.early, b.log)
				}
				b.clock.Advance(time.Hour)
				b.looks(3)
				again()
				if got := b.where(); got != tt.at {
					t.Errorf("after an hour there are %q, want %q\n%s", got, tt.at, b.log)
				}
				b.down = nil
				b.clock.Advance(time.Hour)
				b.looks(3)
				b.expect("at the end", "in/a", tt.end)
			})
		}
	}
}
