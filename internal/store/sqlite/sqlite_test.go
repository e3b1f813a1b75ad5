package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pipelined"
	"pipelined/internal/clock"
	"pipelined/internal/store"
	"pipelined/internal/store/sqlite"
	"pipelined/internal/store/storetest"
)

// The test binary plays a process that commits until it is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("SQLITE_TEST_COMMITTER"); path != "" {
		commitForEver(path)
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Features{}, func(t *testing.T) storetest.Opener {
		path := filepath.Join(t.TempDir(), "data.db")
		return func(_ *testing.T, c pipelined.Clock) (store.Store, error) {
			return sqlite.Open(path, sqlite.Config{Clock: c})
		}
	})
}

func TestOpening(t *testing.T) {
	t.Parallel()
	t.Run("a second process is refused", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "data.db")
		s, err := sqlite.Open(path, sqlite.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := sqlite.Open(path, sqlite.Config{}); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a file that is no store is named and left alone", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "data.db")
		text := strings.Repeat("this is not a database\n", 100)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := sqlite.Open(path, sqlite.Config{})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%v", err)
		}
		if after, _ := os.ReadFile(path); string(after) != text {
			t.Error("the file was changed")
		}
	})
	t.Run("a store of a newer version is refused", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "data.db")
		s, err := sqlite.Open(path, sqlite.Config{})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		execute(t, path, "pragma user_version = 99")
		if _, err := sqlite.Open(path, sqlite.Config{}); !errors.Is(err, store.ErrNewer) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a database of another program is refused", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "data.db")
		execute(t, path, "create table other (a)")
		if _, err := sqlite.Open(path, sqlite.Config{}); err == nil || !strings.Contains(err.Error(), "another program") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a private store is gone after Close", func(t *testing.T) {
		t.Parallel()
		s, err := sqlite.Open("", sqlite.Config{})
		if err != nil {
			t.Fatal(err)
		}
		path := s.Path()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there", path)
		}
	})
}

// TestCommitDoesNotWaitForEver keeps the writer busy longer than Commit may wait.
func TestCommitDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "data.db"), sqlite.Config{CommitBound: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	busy, free := make(chan struct{}), make(chan struct{})
	document := func(id string) *store.Batch {
		return &store.Batch{Documents: []store.Write{{Collection: "c", ID: id, Document: `{}`}}}
	}
	s.Submit(document("first"), func(store.Result, error) { close(busy); <-free })
	<-busy
	if _, err := s.Commit(t.Context(), document("second")); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "no answer in 50ms") {
		t.Errorf("one that nobody began with: %v", err)
	}
	close(free)
	if _, err := s.Commit(t.Context(), document("third")); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(t.Context(), "c", store.Exact); n != 2 || err != nil {
		t.Errorf("%d documents, want the first and the third, %v", n, err)
	}
}

// commitForEver commits numbered batches and says each number once it is durable.
func commitForEver(path string) {
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	last, err := s.LastSeq(context.Background())
	if err != nil {
		os.Exit(1)
	}
	if err := s.Subscribe(context.Background(), "sub", 0); err != nil {
		os.Exit(1)
	}
	if _, err := s.Acquire(context.Background(), "sub"); err != nil {
		os.Exit(1)
	}
	var mu sync.Mutex
	for n := last/2 + 1; ; n++ {
		id := fmt.Sprint(n)
		b := &store.Batch{
			Events:    []*pipelined.Event{{ID: id + "a", Type: "a", Time: time.Now(), Data: `{}`}, {ID: id + "b", Type: "b", Time: time.Now(), Data: `{}`}},
			Documents: []store.Write{{Kind: store.Put, Collection: "c", ID: id, Document: `{"n":` + id + `}`}},
			Acks:      []store.Ack{{Subscription: "sub", Epoch: 1, Seq: n}},
		}
		s.Submit(b, func(_ store.Result, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				fmt.Println(id)
			}
		})
	}
}

// TestKill kills a process that commits, at random moments, and checks that what
// it said was durable is there, whole, and that nothing is half there.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 20
	if testing.Short() {
		kills = 4
	}
	path := filepath.Join(t.TempDir(), "data.db")
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 2))
	t.Logf("seed %d", seed)
	said := map[string]bool{}
	for range kills {
		for id := range killed(t, path, random) {
			said[id] = true
		}
		check(t, path, said)
	}
	if len(said) < kills {
		t.Errorf("only %d batches in %d runs", len(said), kills)
	}
}

// killed runs the committer for a moment and returns what it said.
func killed(t *testing.T, path string, random *rand.Rand) map[string]bool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "SQLITE_TEST_COMMITTER="+path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	lines := bufio.NewScanner(out)
	wanted := 1 + random.IntN(3000)
	for n := 0; n < wanted && lines.Scan(); n++ {
		said[lines.Text()] = true
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if _, err := fmt.Sscan(lines.Text(), new(int)); err == nil {
			said[lines.Text()] = true
		}
	}
	_ = c.Wait() // killed: the error is the point
	return said
}

func check(t *testing.T, path string, said map[string]bool) {
	t.Helper()
	s, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	documents, err := s.Count(t.Context(), "c", store.Exact)
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.LastSeq(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leases, err := s.Acquire(t.Context(), "sub")
	if err != nil {
		t.Fatal(err)
	}
	if last != 2*documents || leases[0].Floor != documents || len(leases[0].Done) != 0 {
		t.Fatalf("half a batch: %d documents, %d events, subscription at %+v", documents, last, leases)
	}
	for id := range said {
		if d, err := s.Get(t.Context(), "c", id); err != nil || d == nil {
			t.Fatalf("batch %s was said to be durable and is gone (%v)", id, err)
		}
	}
}

func execute(t *testing.T, path, text string) {
	t.Helper()
	db := openRaw(t, path)
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkCommit commits an acknowledgement and a 500-byte event a batch.
func BenchmarkCommit(b *testing.B) {
	for _, submitters := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("%d", submitters), func(b *testing.B) {
			s, err := sqlite.Open(filepath.Join(b.TempDir(), "data.db"), sqlite.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if err := s.Subscribe(b.Context(), "sub", 0); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Acquire(b.Context(), "sub"); err != nil {
				b.Fatal(err)
			}
			data := `{"x":"` + strings.Repeat("y", 490) + `"}`
			places := make(chan struct{}, submitters)
			b.ResetTimer()
			for n := range b.N {
				places <- struct{}{}
				s.Submit(&store.Batch{
					Events: []*pipelined.Event{{ID: fmt.Sprintf("%020d", n), Type: "t", Time: time.Now(), Data: data}},
					Acks:   []store.Ack{{Subscription: "sub", Epoch: 1, Seq: int64(n + 1)}},
				}, func(_ store.Result, err error) {
					if err != nil {
						b.Error(err)
					}
					<-places
				})
			}
			for range submitters {
				places <- struct{}{}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkCommitBesideTrim is a lone commit while retention removes events, and the
// slowest hundredth of them, beside the same with nothing to remove.
func BenchmarkCommitBesideTrim(b *testing.B) {
	for _, old := range []int{0, 200_000} {
		b.Run(fmt.Sprintf("old=%d", old), func(b *testing.B) {
			c := clock.NewFake(time.Now())
			s, err := sqlite.Open(filepath.Join(b.TempDir(), "data.db"), sqlite.Config{Clock: c})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			event := func(id string) *pipelined.Event {
				return &pipelined.Event{ID: id, Type: "t", Time: c.Now(), Data: `{"x":"` + strings.Repeat("y", 490) + `"}`}
			}
			for i := 0; i < old; i += 1000 {
				batch := &store.Batch{}
				for k := range 1000 {
					batch.Events = append(batch.Events, event(fmt.Sprint("old", i+k)))
				}
				if _, err := s.Commit(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			c.Advance(2 * time.Hour)
			trimmed := make(chan struct{})
			took := make([]time.Duration, 0, b.N)
			b.ResetTimer()
			go func() {
				defer close(trimmed)
				if _, err := s.Trim(b.Context(), c.Now(), store.Retention{Events: time.Hour}); err != nil {
					b.Error(err)
				}
			}()
			for n := range b.N {
				begun := time.Now()
				if _, err := s.Commit(b.Context(), &store.Batch{Events: []*pipelined.Event{event(fmt.Sprint("new", n))}}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			b.StopTimer()
			<-trimmed
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkGet reads documents of 600 bytes from all over a collection of 200,000.
func BenchmarkGet(b *testing.B) {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "data.db"), sqlite.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const count, batch = 200_000, 1000
	id := func(n int) string { return fmt.Sprintf("o-%08d", n) }
	body := `{"x":"` + strings.Repeat("y", 590) + `"}`
	for i := 0; i < count; i += batch {
		var list store.Batch
		for k := range batch {
			list.Documents = append(list.Documents, store.Write{Kind: store.Put, Collection: "c", ID: id(i + k), Document: body})
		}
		if _, err := s.Commit(b.Context(), &list); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ResetTimer()
	b.ReportAllocs()
	for n := range b.N {
		if d, err := s.Get(ctx, "c", id(n*7919%count)); err != nil || d == nil {
			b.Fatal(d, err)
		}
	}
}
