package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pipelined"

	"pipelined/connectors"
	connectorsall "pipelined/connectors/all"
	"pipelined/engine"
	"pipelined/engine/enginetest"
	"pipelined/engine/program"
	"pipelined/engine/scenario"
	"pipelined/internal/clock"
	"pipelined/internal/definition"
	"pipelined/internal/store"
	triggersall "pipelined/triggers/all"
)

var epoch = time.Date(2026, 3, 8, 9, 30, 0, 0, time.UTC)

const project = `pipeline: work
trigger: { event: { types: [job.new], retry: { attempts: 3, initial: 1h, max: 2h, jitter: full } } }
timeout: 10h
steps:
  - name: both
    parallel:
      slow:
        - delay: 30m
        - object_store.put: { collection: done, id: slow, document: { n: "${{ input.n }}" } }
      tried:
        - name: reply
          outside: { say: "${{ input.n }}", fail: 2 }
          retry: { attempts: 5, initial: 1m, max: 1h, when: "true" }
        - publish: { event: job.done, data: { said: "${{ steps.reply }}" } }
      late:
        - name: waits
          timeout: 20m
          delay: 2h
          on_error: continue
        - object_store.put: { collection: done, id: late, document: { error: "${{ steps.waits.error.type }}" } }
  - foreach: 1..4
    concurrency: 2
    as: i
    steps:
      - delay: "${{ string(i * 10) }}m"
      - outside: { say: "${{ i }}" }
  - when: event.attempt < 2
    fail: { type: job/again, retriable: true }
  - object_store.put: { collection: done, id: end, document: { attempt: "${{ event.attempt }}" } }
`

// world is what is outside: it counts, and fails as often as it is told.
type world struct{ calls, failed int }

type said struct {
	Say  any `yaml:"say" required:"" doc:"What."`
	Fail int `yaml:"fail" doc:"So many times."`
}

func (*world) Close() error { return nil }

func (w *world) call(_ context.Context, p said) (any, error) {
	if w.calls++; w.failed < p.Fail {
		w.failed++
		return nil, errors.New("not now")
	}
	return p.Say, nil
}

func (w *world) connector() *connectors.Connector {
	return connectors.Define("outside", connectors.Doc{Summary: "Is outside."},
		func(context.Context, connectors.None, connectors.Env) (*world, error) { return w, nil },
		connectors.Op("", connectors.Doc{Summary: "Says.", Result: "what was said"},
			func(any, said) connectors.Effect { return connectors.Effect{Outside: true} }, (*world).call))
}

// run is one run of the project in a folder, as far as it gets.
type run struct {
	host  *scenario.Host
	world *world
	ended bool
	docs  string
}

func newRun(t *testing.T, disk *enginetest.Disk, dir string, seed uint64, stopAt int, first bool) run {
	t.Helper()
	now := clock.NewFake(epoch)
	r := run{host: scenario.NewHost(now, seed).StopAt(stopAt), world: &world{}}
	s := disk.Open(now)
	defer disk.Abandon()
	ids := 0
	r.ended = r.host.Run(func() {
		e, err := engine.New(context.Background(), compile(t, dir, r.world), engine.Config{Store: s, Clock: now, Host: r.host,
			Random: r.host.Random, NewID: func() string { ids++; return fmt.Sprintf("%s-%d", now.Now().Format("150405"), ids) },
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Error(err)
			return
		}
		if first {
			if _, err := e.Commit(context.Background(), &store.Batch{Events: events()}); err != nil {
				t.Error(err)
			}
		}
		for range 12 { // until every retry was due
			if _, err := e.RunDue(context.Background()); err != nil {
				t.Error(err)
			}
			_ = r.host.Sleep(context.Background(), time.Hour)
		}
	})
	err := s.Find(t.Context(), store.Query{Collection: "done"}, func(d *store.Document) (bool, error) {
		r.docs += d.ID + d.Body + "\n"
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func events() []*pipelined.Event {
	return []*pipelined.Event{{ID: "e-1", Type: "job.new", Source: "/test", Time: epoch, Data: `{"n":1}`, Attempt: 1}}
}

func compile(t *testing.T, dir string, w *world) *program.Program {
	t.Helper()
	loaded, err := definition.Load(dir, os.LookupEnv)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	p, findings := program.Compile(loaded, program.Sets{Connectors: connectors.NewSet(append(connectorsall.Set().Families(), w.connector())...), Triggers: triggersall.Set()})
	if p == nil {
		t.Errorf("%v", findings)
		runtime.Goexit()
	}
	return p
}

func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "work.yaml"), []byte(project), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// want is what the project comes to, whatever happens on the way.
const want = `end{"attempt":2}
late{"error":"engine/timeout"}
slow{"n":1}
`

// seeds is how many runs there are.
const seeds = 100

// TestOneTranscriptForASeed: the same seed gives the same run on one processor and on
// eight; different seeds give different ones; none of them waits.
func TestOneTranscriptForASeed(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	seen := map[string]bool{}
	began := time.Now()
	for seed := range uint64(seeds) {
		var first string
		for _, processors := range []int{1, 1 + int(seed)%8} {
			runtime.GOMAXPROCS(processors)
			r := newRun(t, enginetest.NewDisk(t), folder(t), seed, 0, true)
			if !r.ended || r.docs != want {
				t.Fatalf("seed %d: it came to\n%s\n%s", seed, r.docs, r.host.Transcript())
			}
			if first == "" {
				first = r.host.Transcript()
			} else if got := r.host.Transcript(); got != first {
				t.Fatalf("seed %d: two transcripts\n%s\n\n%s", seed, first, got)
			}
		}
		seen[first] = true
	}
	if len(seen) < seeds/2 {
		t.Errorf("%d seeds gave only %d different runs", seeds, len(seen))
	}
	if d := time.Since(began); d > 2*time.Minute { // virtually it is weeks
		t.Errorf("it took %s", d)
	}
}

// TestAStopAtEveryPoint ends a run at each of its fault points, as a crash would, and
// begins again with what is committed: it comes to the same.
func TestAStopAtEveryPoint(t *testing.T) {
	t.Parallel()
	for seed := uint64(0); seed < seeds; seed += 10 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			points := newRun(t, enginetest.NewDisk(t), folder(t), seed, 0, true).host.Points()
			if points < 3 {
				t.Fatalf("only %d points", points)
			}
			for n := 1; n <= points; n++ {
				dir := folder(t)
				disk := enginetest.NewDisk(t)
				stopped := newRun(t, disk, dir, seed, n, true)
				if stopped.ended || !strings.HasSuffix(stopped.host.Transcript(), "stopped") {
					t.Fatalf("it was to stop at point %d of %d:\n%s", n, points, stopped.host.Transcript())
				}
				r := newRun(t, disk, dir, seed, 0, n == 1) // at the first point nothing was published yet
				if !r.ended || r.docs != want {
					t.Errorf("stopped at point %d, it came to\n%s\n%s", n, r.docs, r.host.Transcript())
				}
			}
		})
	}
}

func TestWhatWaitsForNothingIsTold(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); !strings.Contains(fmt.Sprint(r), "everything waits") {
			t.Errorf("%v", r)
		}
	}()
	h := scenario.NewHost(clock.NewFake(epoch), 1)
	h.Run(func() {
		b := h.Branches(0)
		b.Go(func() { h.Branches(0); b.Wait() })
		b.Wait()
	})
}
