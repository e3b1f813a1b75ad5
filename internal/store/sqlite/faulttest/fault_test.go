package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"pipelined"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
)

// batch is whole or not there: a document, an event and an acknowledgement.
func batch(n int64) *store.Batch {
	return &store.Batch{
		Documents: []store.Write{{Kind: store.Insert, Collection: "c", ID: fmt.Sprint(n), Document: fmt.Sprintf(`{"n":%d,"pad":%q}`, n, strings.Repeat("x", int(n%7)*1500))}},
		Events:    []*pipelined.Event{{ID: fmt.Sprint(n), Type: "t", Time: time.Now(), Data: `{}`}},
		Meta:      []store.Meta{{Key: fmt.Sprint("m", n), Value: "there"}},
	}
}

// whole checks that exactly what was confirmed is there.
func whole(t *testing.T, s store.Store, confirmed map[int64]bool, upTo int64) {
	t.Helper()
	events := map[string]bool{}
	for after := int64(0); ; {
		list, _, err := s.Read(t.Context(), after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range list {
			if events[ev.ID] {
				t.Errorf("event %s twice", ev.ID)
			}
			events[ev.ID] = true
			after = ev.Seq
		}
		if len(list) == 0 {
			break
		}
	}
	for n := int64(1); n <= upTo; n++ {
		d, err1 := s.Get(t.Context(), "c", fmt.Sprint(n))
		m, err2 := s.Meta(t.Context(), fmt.Sprint("m", n))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		doc, event, meta := d != nil, events[fmt.Sprint(n)], m != ""
		if doc != event || event != meta {
			t.Errorf("%d is half there: document %v, event %v, meta %v", n, doc, event, meta)
		}
		if doc != confirmed[n] {
			t.Errorf("%d: there %v, confirmed %v", n, doc, confirmed[n])
		}
	}
}

// TestAFailingDisk fails writes and fsyncs, whole and torn, at random places, and
// heals the disk again. What was confirmed is there, what was refused is not, and
// the store goes on by itself.
func TestAFailingDisk(t *testing.T) {
	install(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	path := filepath.Join(t.TempDir(), "data.db")
	open := func() *sqlite.Store {
		s, err := sqlite.Open(path, sqlite.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	defer func() { s.Close() }()
	confirmed := map[int64]bool{}
	n := int64(0)
	for round := range 20 {
		faults.torn.Store(r.IntN(2) == 0)
		faults.code.Store([]int32{sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_FULL}[r.IntN(2)])
		if r.IntN(3) == 0 {
			faults.syncs.Store(r.Int64N(3))
		} else {
			faults.writes.Store(r.Int64N(40))
		}
		refused := 0
		for i := 0; i < 30 && refused < 3; i++ {
			n++
			_, err := s.Commit(context.Background(), batch(n))
			switch {
			case err == nil:
				confirmed[n] = true
			case errors.Is(err, store.ErrUnavailable):
				refused++
			default:
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if refused > 0 {
			if err := s.Health(); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), path) {
				t.Errorf("health: %v", err)
			}
			if _, err := s.Get(t.Context(), "c", "1"); err != nil {
				t.Errorf("reading while the disk fails: %v", err)
			}
		}
		faults.heal()
		for deadline := time.Now().Add(5 * time.Second); s.Health() != nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: the store does not go on: %v", round, s.Health())
			}
		}
		if round%5 == 4 {
			whole(t, s, confirmed, n)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			s = open()
			whole(t, s, confirmed, n)
		}
	}
	if faults.failed.Load() == 0 {
		t.Error("nothing failed")
	}
	t.Logf("%d of %d batches confirmed, %d faults", len(confirmed), n, faults.failed.Load())
}

// TestATornLog cuts and overwrites the end of the log of a store that was not
// closed, as a power cut may: what comes before is there, whole.
func TestATornLog(t *testing.T) {
	install(t)
	for _, damage := range []struct {
		name string
		do   func(log []byte, r *rand.Rand) []byte
	}{
		{"half a frame", func(log []byte, r *rand.Rand) []byte { return append(log, make([]byte, 2000)...) }},
		{"noise", func(log []byte, r *rand.Rand) []byte {
			for range 5000 {
				log = append(log, byte(r.IntN(256)))
			}
			return log
		}},
		{"an old frame again", func(log []byte, r *rand.Rand) []byte { return append(log, log[32:32+24+4096]...) }},
	} {
		t.Run(damage.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := sqlite.Open(filepath.Join(dir, "data.db"), sqlite.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			confirmed := map[int64]bool{}
			for n := int64(1); n <= 50; n++ {
				if _, err := s.Commit(t.Context(), batch(n)); err != nil {
					t.Fatal(err)
				}
				confirmed[n] = true
			}
			torn := t.TempDir() // the files as they are now, without a close
			r := rand.New(rand.NewPCG(1, 1))
			for _, suffix := range []string{"", "-wal"} {
				text, err := os.ReadFile(filepath.Join(dir, "data.db"+suffix))
				if err != nil {
					t.Fatal(err)
				}
				if suffix != "" {
					text = damage.do(text, r)
				}
				if err := os.WriteFile(filepath.Join(torn, "data.db"+suffix), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			again, err := sqlite.Open(filepath.Join(torn, "data.db"), sqlite.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			whole(t, again, confirmed, 50)
		})
	}
}

// TestDamageThatIsMet damages a page of a store too large to be checked at its
// start. Who reads it is told so, and nothing is written any more.
func TestDamageThatIsMet(t *testing.T) {
	install(t)
	path := filepath.Join(t.TempDir(), "data.db")
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 1800
	for i := range n {
		s.Submit(&store.Batch{Documents: []store.Write{{Kind: store.Put, Collection: "c", ID: fmt.Sprint(i), Document: `{"pad":"` + strings.Repeat("x", 10_000) + `"}`}}}, func(_ store.Result, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	leaf := -1 // of the table: its pages begin with 13
	for at := len(text) / 2 / 4096 * 4096; at < len(text); at += 4096 {
		if text[at] == 13 {
			leaf = at
			break
		}
	}
	if leaf < 0 || len(text) < 17<<20 {
		t.Fatalf("no leaf in %d bytes", len(text))
	}
	copy(text[leaf:], "\x7fnot a page")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = sqlite.Open(path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	read, failed := 0, error(nil)
	for i := range n {
		d, err := s.Get(t.Context(), "c", fmt.Sprint(i))
		if err != nil {
			failed = err
			continue
		}
		if d == nil {
			t.Errorf("document %d is silently not there", i)
		}
		read++
	}
	if failed == nil || read == 0 {
		t.Fatalf("%d read, %v", read, failed)
	}
	if err := s.Health(); err == nil || !strings.Contains(err.Error(), path+" is damaged; stop, and put a backup in its place") {
		t.Errorf("health: %v", err)
	}
	if _, err := s.Commit(t.Context(), batch(1)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a commit: %v", err)
	}
}
