package crashtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Files come into two folders: one of CSV, whose rows are run and tried again, and which
// is moved when they have ended; one of JSON, which is deleted, or put aside where its
// run failed. Every file that was put there must be processed once and be where it
// belongs, wherever the process died: before or after the commit of what it read, and
// before or after it put the file away.

var fileCollections = []string{"rows", "documents", "turned_away"}

// inFolders are where files wait to be processed.
var inFolders = []string{"in/rows", "in/documents"}

// refusedEvery is of how many documents one is refused.
const refusedEvery = 5

// fileFiles are the pipelines of the project that take files.
func (s settings) fileFiles() map[string]string {
	return map[string]string{
		"take_rows.yaml": fmt.Sprintf(`pipeline: take_rows
trigger:
  file:
    path: in/rows/*.csv
    format: csv
    each: rows
    csv: { types: { n: integer } }
    every: 15ms
    after: move
    to: done
    failed: failed
    prefetch: 50
    concurrency: %d
    retry: { attempts: 9, initial: 20ms, max: 50ms }
steps:
  - when: event.attempt < 1 + input.n %% %d
    fail: { type: crash/flaky, title: Not yet, status: 503, retriable: true }
`, s.concurrency, s.retries) + count("rows", "input.id", ""),
		"take_documents.yaml": fmt.Sprintf(`pipeline: take_documents
trigger:
  file: { path: "in/documents/*.json", format: json, every: 15ms, after: delete, failed: failed, concurrency: %d }
steps:
  - when: input.n %% %d == 0
    fail: { type: crash/refused, title: Refused, status: 422 }
`, s.concurrency, refusedEvery) + count("documents", "input.id", "") + `on_error:
` + strings.ReplaceAll(count("turned_away", "input.id", ""), "seen_turned_away", "seen_before"),
	}
}

// drops is the files that were put there: rows by file, and documents.
type drops struct {
	mu        sync.Mutex
	dir       string
	rows      map[string][]string
	documents map[string]int
}

func newDrops(dir string) (*drops, error) {
	for _, folder := range inFolders {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return nil, err
		}
	}
	return &drops{dir: dir, rows: map[string][]string{}, documents: map[string]int{}}, nil
}

// fill puts files there until ctx ends. A file is noted before it is there, and is there
// whole or not at all: it is renamed.
func (d *drops) fill(ctx context.Context, wrong func(string)) {
	for n := 0; ctx.Err() == nil; n++ {
		name, id := fmt.Sprintf("%d.csv", n), fmt.Sprintf("d-%d", n)
		text := "id,n\n"
		var ids []string
		rows := 1 + n%7
		if n%20 == 9 { // more than are committed at a time
			rows = 600
		}
		for i := range rows {
			ids = append(ids, fmt.Sprintf("r-%d-%d", n, i))
			text += fmt.Sprintf("%s,%d\n", ids[i], i)
		}
		d.mu.Lock()
		d.rows[name], d.documents[id] = ids, n
		d.mu.Unlock()
		for at, text := range map[string]string{
			"in/rows/" + name:              text,
			"in/documents/" + id + ".json": fmt.Sprintf(`{"id":%q,"n":%d}`, id, n),
		} {
			if err := put(filepath.Join(d.dir, at), text); err != nil {
				wrong(err.Error())
			}
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

func put(at, text string) error {
	hidden := filepath.Join(filepath.Dir(at), "."+filepath.Base(at))
	if err := os.WriteFile(hidden, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(hidden, at)
}

// busy says which files wait, or nothing.
func (d *drops) busy() (string, error) {
	for _, folder := range inFolders {
		names, err := d.in(folder)
		if err != nil {
			return "", err
		}
		for name := range names {
			return fmt.Sprintf("%d files in %s, such as %s", len(names), folder, name), nil
		}
	}
	return "", nil
}

// in are the names in a folder; one that is not there is empty.
func (d *drops) in(folder string) (map[string]bool, error) {
	entries, err := os.ReadDir(filepath.Join(d.dir, folder))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	out := map[string]bool{}
	for _, e := range entries {
		out[e.Name()] = true
	}
	return out, nil
}

// check holds what is left to the files that were put there.
func (d *drops) check(l *left) {
	folders := map[string]map[string]bool{}
	for _, folder := range []string{"in/rows", "in/documents", "done", "failed"} {
		names, err := d.in(folder)
		l.expect(err == nil, "files: %s: %v", folder, err)
		folders[folder] = names
	}
	l.expect(len(folders["in/rows"])+len(folders["in/documents"]) == 0, "files: %v, %v are left", folders["in/rows"], folders["in/documents"])
	rows := 0
	for name, ids := range d.rows {
		l.expect(folders["done"][name] && !folders["failed"][name], "files: %s is not where it belongs", name)
		for _, id := range ids {
			rows++
			l.expect(l.docs["rows"][id].Times == 1, "rows: %s of %s happened %d times", id, name, l.docs["rows"][id].Times)
		}
	}
	l.expect(len(l.docs["rows"]) == rows, "rows: %d happened, of %d", len(l.docs["rows"]), rows)
	for id, n := range d.documents {
		well, refused := 1, 0
		if n%refusedEvery == 0 {
			well, refused = 0, 1
		}
		l.expect(l.docs["documents"][id].Times == well, "documents: %s happened %d times", id, l.docs["documents"][id].Times)
		l.expect(l.docs["turned_away"][id].Times == refused, "documents: %s was refused %d times", id, l.docs["turned_away"][id].Times)
		l.expect(folders["failed"][id+".json"] == (refused == 1), "files: %s.json is not where it belongs", id)
	}
}
